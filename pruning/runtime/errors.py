"""What can go wrong outside the program. Bad arguments are plain ValueErrors."""


class PrunescopeError(Exception):
    """Its message is one sentence for the user: what is wrong, where, and what to do."""


class DatasetError(PrunescopeError):
    """A dataset is missing, broken, or could not be downloaded."""


class CheckpointError(PrunescopeError):
    """A checkpoint is missing, broken, or not the file that its card describes."""


class Cancelled(PrunescopeError):
    """The work was no longer wanted."""

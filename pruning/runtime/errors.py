"""Errors with a cause outside the program. Invalid arguments raise ValueError."""


class PrunescopeError(Exception):
    """An error whose message is one sentence for the user: the problem, its place, the remedy."""


class DatasetError(PrunescopeError):
    """A dataset is missing, broken, or could not be downloaded."""


class CheckpointError(PrunescopeError):
    """A checkpoint is missing, broken, or not the file that its card describes."""


class Cancelled(PrunescopeError):
    """A job was cancelled because it has no subscribers."""

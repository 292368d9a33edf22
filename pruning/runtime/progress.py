"""Reports of the progress of long work."""

from collections.abc import Callable

ShareReport = Callable[[float], None]
"""Called with the share of the work that is done; an exception that it raises ends the work."""


def ignore_progress(*progress: object) -> None:
    """Do nothing: the default where a function takes a report.

    Parameters
    ----------
    *progress : object
        What is reported.
    """

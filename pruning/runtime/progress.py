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


def part_of(report: ShareReport, start: float, stop: float) -> ShareReport:
    """Return the report of a part of the work.

    Parameters
    ----------
    report : callable
        Report of the whole work.
    start, stop : float
        Shares of the whole work that are done before and after the part.

    Returns
    -------
    callable
        Called with the share of the part that is done.
    """

    def report_part(share: float) -> None:
        report((1 - share) * start + share * stop)

    return report_part


LONG_S, VERY_LONG_S = 90.0, 5400.0


def describe_seconds(seconds: float) -> str:
    """Describe a duration.

    Parameters
    ----------
    seconds : float
        The duration.

    Returns
    -------
    str
        In seconds, minutes or hours.
    """
    if seconds < LONG_S:
        return f"{seconds:.0f} s"
    if seconds < VERY_LONG_S:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"

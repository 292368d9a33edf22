"""Reports of progress that nobody reads."""


def ignore_progress(*progress: object) -> None:
    """Ignore a report of progress: the default where a function takes a report.

    Parameters
    ----------
    *progress : object
        What is reported.
    """

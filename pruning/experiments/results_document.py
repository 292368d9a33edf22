"""Sections of a Markdown document that commands write and replace."""

from pathlib import Path

import pandas as pd

from pruning.runtime.atomic_write import atomic_write

NEW_DOCUMENT = "# Results\n"


def replace_section(path: Path, title: str, body: str) -> None:
    """Write a section of a Markdown document, in place of an earlier one with the same title.

    The section lies between two comments that name its title; the rest of the document stays as
    it is. A new section is added at the end.

    Parameters
    ----------
    path : Path
        The document; it is created if it does not exist.
    title : str
        Title of the section, one line.
    body : str
        Markdown below the title.

    Raises
    ------
    ValueError
        The document has one of the two comments without the other, or more than once.
    OSError
        The document cannot be read or written.
    """
    path = Path(path)
    document = path.read_text(encoding="utf-8") if path.exists() else NEW_DOCUMENT
    section = f"{_begin(title)}\n## {title}\n\n{body.strip()}\n{_end(title)}"
    if _has_section(document, title, path):
        before, _, rest = document.partition(_begin(title))
        after = rest.partition(_end(title))[2]
        document = f"{before}{section}{after}"
    else:
        document = f"{document.rstrip()}\n\n{section}\n"
    with atomic_write(path) as temporary:
        temporary.write_text(document, encoding="utf-8")


def check_document(path: Path, title: str) -> None:
    """Check that `replace_section` can write a section.

    Parameters
    ----------
    path : Path
        The document; it may not exist, but its folder must.
    title : str
        Title of the section.

    Raises
    ------
    ValueError
        The folder does not exist, the path is not that of a text file, or the document has one of
        the two comments of the section without the other, or more than once.
    OSError
        The document cannot be read.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise ValueError(f"the folder of the document {path} does not exist")
    if not path.exists():
        return
    if not path.is_file():
        raise ValueError(f"the document {path} is not a file")
    _has_section(path.read_text(encoding="utf-8"), title, path)


def _begin(title: str) -> str:
    return f"<!-- begin: {title} -->"


def _end(title: str) -> str:
    return f"<!-- end: {title} -->"


def _has_section(document: str, title: str, path: Path) -> bool:
    begin, end = document.find(_begin(title)), document.find(_end(title))
    counts = (document.count(_begin(title)), document.count(_end(title)))
    if counts == (0, 0):
        return False
    if counts != (1, 1) or end < begin:
        raise ValueError(
            f"{path} must have {_begin(title)} once, followed by {_end(title)}, or neither of them"
        )
    return True


def to_markdown(table: pd.DataFrame) -> str:
    """Format a table of texts as Markdown.

    Parameters
    ----------
    table : pd.DataFrame
        Texts; the index is not written.

    Returns
    -------
    str
        A line for the header, one for the rule below it, and one per row.
    """
    rows = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)

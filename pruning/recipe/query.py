"""Links as tables of fields, and the parsing of their texts: one sentence for what is wrong."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_NUMBER = 400
"""Characters of a number."""
MAX_QUOTED = 30
"""Characters of a bad text that an error message quotes."""


@dataclass(frozen=True)
class QueryField:
    """A field of a link. A link is described by a table of them.

    Parameters
    ----------
    name : str
        Key in the link, and of the value that is read from it.
    parse : callable
        ``parse(text)`` gives the value; raises ValueError with one sentence about a bad text.
    format : callable
        ``format(subject)`` gives the text for what the link describes, such as a recipe; None
        leaves the field out of the link.
    """

    name: str
    parse: Callable[[str], Any]
    format: Callable[[Any], str | None]


def parse_query(fields_of_link: Sequence[QueryField], query: Mapping[str, str]) -> dict[str, Any]:
    """Parse the fields of a link.

    Parameters
    ----------
    fields_of_link : sequence of QueryField
        The table of the link.
    query : mapping of str to str
        Texts by key; other keys are ignored.

    Returns
    -------
    dict
        Value by key, of the fields that the link has.

    Raises
    ------
    ValueError
        A text cannot be parsed.
    """
    values = {}
    for field in fields_of_link:
        if field.name in query:
            values[field.name] = field.parse(query[field.name])
    return values


def format_query(fields_of_link: Sequence[QueryField], subject: Any) -> dict[str, str]:
    """Write the fields of a link.

    Parameters
    ----------
    fields_of_link : sequence of QueryField
        The table of the link.
    subject : object
        What the link describes.

    Returns
    -------
    dict of str to str
        Text by key, in the order of the table.
    """
    texts = {}
    for field in fields_of_link:
        text = field.format(subject)
        if text is not None:
            texts[field.name] = text
    return texts


def parse_float(name: str, text: str) -> float:
    """Parse a number from a link.

    Parameters
    ----------
    name : str
        Of the number, for the error message.
    text : str
        ASCII text.

    Returns
    -------
    float
        The number; may be NaN or infinite.

    Raises
    ------
    ValueError
        The text is not a number.
    """
    return _parse_number(name, text, float)


def parse_int(name: str, text: str) -> int:
    """Parse a whole number from a link.

    Parameters
    ----------
    name : str
        Of the number, for the error message.
    text : str
        ASCII text.

    Returns
    -------
    int
        The number.

    Raises
    ------
    ValueError
        The text is not a whole number.
    """
    return _parse_number(name, text, int)


def _parse_number(name: str, text: str, kind: Callable[[str], Any]) -> Any:
    try:
        if text.isascii() and len(text) <= MAX_NUMBER:
            return kind(text)
    except ValueError:
        pass
    expected = "a whole number" if kind is int else "a number"
    raise ValueError(f"{name} must be {expected}, not {_shorten(text)!r}")


def parse_choice(name: str, text: str, valid: Collection[str]) -> str:
    """Parse one of several names from a link.

    Parameters
    ----------
    name : str
        Of the field, for the error message.
    text : str
        Any text.
    valid : collection of str
        The names that can be chosen.

    Returns
    -------
    str
        The text.

    Raises
    ------
    ValueError
        The text is none of the names.
    """
    if text in valid:
        return text
    raise ValueError(f"{name} must be one of {', '.join(valid)}, not {_shorten(text)!r}")


def parse_flag(name: str, text: str) -> bool:
    """Parse ``True`` or ``False`` from a link.

    Parameters
    ----------
    name : str
        Of the field, for the error message.
    text : str
        Any text.

    Returns
    -------
    bool
        The flag.

    Raises
    ------
    ValueError
        The text is neither of the two.
    """
    return parse_choice(name, text, ("True", "False")) == "True"


def _shorten(text: str) -> str:
    """Return what an error message quotes of a text."""
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}..."

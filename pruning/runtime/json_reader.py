"""Reading JSON from links and files: one sentence for whatever is wrong with it."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

MAX_DEPTH = 50
"""Nested levels of lists and objects. A comparison has seven; Python cannot print a thousand."""

MAX_CHARACTERS = 5_000_000
"""A comparison of a hundred columns has fifty thousand."""


def parse_json(text: str, subject: str) -> Any:
    """Parse JSON that comes from outside.

    Parameters
    ----------
    text : str
        The text.
    subject : str
        What the text is, as the subject of an error message.

    Returns
    -------
    object
        Dicts, lists, text, numbers, booleans and None; never NaN or infinity.

    Raises
    ------
    ValueError
        The text is not JSON, has more than ``MAX_DEPTH`` nested levels or more than
        ``MAX_CHARACTERS`` characters.
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"{subject} is longer than {MAX_CHARACTERS:,} characters")
    too_deep = f"{subject} is nested too deeply"
    try:
        content = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"{subject} is not JSON ({place})") from None
    except RecursionError:
        raise ValueError(too_deep) from None
    except ValueError:
        raise ValueError(
            f"{subject} is not JSON: it holds a number that JSON does not have"
        ) from None
    has_many_brackets = text.count("[") + text.count("{") > MAX_DEPTH
    if has_many_brackets and _is_deeper_than(MAX_DEPTH, content):
        raise ValueError(too_deep)
    return content


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    object
        As of `parse_json`.

    Raises
    ------
    ValueError
        The file is not UTF-8, not JSON, or nested too deeply.
    OSError
        The file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not JSON: it is not UTF-8 text") from None
    return parse_json(text, str(path))


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _is_deeper_than(limit: int, content: object) -> bool:
    """Whether lists and objects are nested in more levels, level by level and without recursion."""
    containers = _containers_in([content])
    for _ in range(limit):
        if not containers:
            return False
        inner: list[dict | list] = []
        for container in containers:
            values = container.values() if isinstance(container, dict) else container
            inner += _containers_in(values)
        containers = inner
    return bool(containers)


def _containers_in(values: Iterable[object]) -> list[dict | list]:
    return [value for value in values if isinstance(value, dict | list)]

"""Reading JSON from links and files: one sentence for whatever is wrong with it."""

import json
from pathlib import Path
from typing import Any


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
        The text is not JSON or is nested too deeply.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"{subject} is not JSON ({place})") from None
    except RecursionError:
        raise ValueError(f"{subject} is nested too deeply") from None
    except ValueError:
        raise ValueError(
            f"{subject} is not JSON: it holds a number that JSON does not have"
        ) from None


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

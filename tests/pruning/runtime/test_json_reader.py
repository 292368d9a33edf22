import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pruning.runtime import json_reader
from pruning.runtime.json_reader import parse_json, read_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.floats(-1e9, 1e9) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)


@given(JSON)
def test_json_is_read(content):
    assert parse_json(json.dumps(content), "it") == content


BAD = [
    "",
    " ",
    "{",
    "[1,]",
    "{'a': 1}",
    "\x00\x01",
    "nothing",
    "NaN",
    "[Infinity]",
    '{"a": -Infinity}',
    "[" * 10_000,
    '{"a":' * 10_000,
    "9" * 5_000,
    "[1] [2]",
]
PYTHON = re.compile(r"Expecting|recursion|delimiter|Extra data|set_int_max|char \d|limit|object")


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_bad_json_is_one_sentence_about_its_subject(text):
    with pytest.raises(ValueError) as error:
        parse_json(text, "the link")
    message = str(error.value)
    assert message.startswith("the link is ") and "\n" not in message and len(message) < 100
    assert not PYTHON.search(message)
    assert type(error.value) is ValueError and error.value.__suppress_context__


@given(st.text())
def test_any_text_is_read_or_refused_in_one_sentence(text):
    try:
        content = parse_json(text, "it")
    except ValueError as error:
        assert str(error).startswith("it is ") and not PYTHON.search(str(error))
    else:
        json.dumps(content, allow_nan=False)


def test_line_and_column_are_named():
    with pytest.raises(ValueError, match=r"^it is not JSON \(line 2, column 3\)$"):
        parse_json("[1,\n  x]", "it")


def nested(levels: int) -> str:
    """Lists and objects in turns."""
    inner = "1"
    for level in range(levels):
        inner = f"[{inner}]" if level % 2 else f'{{"a": {inner}}}'
    return inner


@pytest.mark.parametrize("levels", [1, 49, 50])
def test_levels_up_to_the_limit_are_read(levels):
    text = nested(levels)
    assert parse_json(text, "it") == json.loads(text)
    assert parse_json("[" * levels + "]" * levels, "it") is not None


@pytest.mark.parametrize("levels", [51, 990, 100_000])
def test_more_levels_are_refused(levels):
    texts = ["[" * levels + "]" * levels, '{"a":' * levels + "1" + "}" * levels]
    for text in texts:
        with pytest.raises(ValueError, match=r"^it is nested too deeply$"):
            parse_json(text, "it")


def test_many_values_of_one_level_are_not_deep():
    assert len(parse_json(json.dumps([[i] for i in range(1000)]), "it")) == 1000


def test_files(tmp_path):
    path = tmp_path / "recipe.json"
    path.write_text('{"ü": 1}', encoding="utf-8")
    assert read_json(path) == {"ü": 1}
    path.write_bytes(b"\xff\xfe\x00binary")
    with pytest.raises(ValueError, match=r"recipe.json is not JSON: it is not UTF-8 text$"):
        read_json(path)
    path.write_text("")
    with pytest.raises(ValueError, match=r"recipe.json is not JSON \(line 1, column 1\)$"):
        read_json(path)
    with pytest.raises(OSError, match=r"missing.json"):
        read_json(tmp_path / "missing.json")


def test_a_text_that_is_too_long_is_not_parsed(monkeypatch):
    monkeypatch.setattr(json_reader, "_DECODER", None)  # would be asked
    with pytest.raises(ValueError, match="it is longer than 5,000,000 characters"):
        parse_json("1" * 5_000_001, "it")

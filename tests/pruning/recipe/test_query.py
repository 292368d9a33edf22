"""Tables of fields of a link, and the parsing of their texts."""

from functools import partial

import pytest

from pruning.recipe.query import (
    QueryField,
    format_query,
    parse_choice,
    parse_flag,
    parse_float,
    parse_int,
    parse_query,
)

FIELDS = (
    QueryField("count", partial(parse_int, "count"), lambda subject: str(subject["count"])),
    QueryField("name", str, lambda subject: subject.get("name")),
)


def test_a_link_is_read_and_written_by_its_table():
    assert parse_query(FIELDS, {"name": "a", "count": "3", "other": "x"}) == {
        "count": 3,
        "name": "a",
    }
    assert parse_query(FIELDS, {}) == {}
    assert list(format_query(FIELDS, {"name": "a", "count": 3}).items()) == [
        ("count", "3"),
        ("name", "a"),
    ]
    assert format_query(FIELDS, {"count": 3}) == {"count": "3"}


def test_a_bad_text_is_refused():
    with pytest.raises(ValueError, match="count must be a whole number, not 'x'"):
        parse_query(FIELDS, {"name": "a", "count": "x"})


def test_numbers():
    assert parse_float("x", "1e-3") == 0.001
    assert parse_int("x", "-7") == -7


@pytest.mark.parametrize("text", ["1_", "1.5", "", "x", "\u0665", "9" * 5000])
def test_texts_that_are_no_whole_numbers(text):
    with pytest.raises(ValueError, match="x must be a whole number, not '") as error:
        parse_int("x", text)
    assert len(str(error.value)) < 80


def test_choices_and_flags():
    assert parse_choice("axis", "macs", {"macs": "MACs", "loss": "loss"}) == "macs"
    assert [parse_flag("log", "True"), parse_flag("log", "False")] == [True, False]
    with pytest.raises(ValueError, match=r"^axis must be one of macs, loss, not 'x{30}\.\.\.'$"):
        parse_choice("axis", "x" * 99, ["macs", "loss"])
    with pytest.raises(ValueError, match=r"^log must be one of True, False, not 'true'$"):
        parse_flag("log", "true")

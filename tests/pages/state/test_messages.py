"""Texts of messages."""

import logging

import pytest
from streamlit.testing.v1 import AppTest

from pages.state.messages import (
    MAX_MESSAGE,
    UNEXPECTED,
    describe_bad_input,
    describe_error,
    escape_markdown,
    sentence,
)
from pruning.runtime.errors import DatasetError


def test_markdown_is_shown_literally():
    assert escape_markdown("![x](http://y) *z*") == r"\!\[x\]\(http\:\/\/y\) \*z\*"
    assert len(escape_markdown("a" * 1000)) == MAX_MESSAGE


def test_an_error_becomes_a_sentence():
    assert sentence(ValueError("no layer chosen")) == "No layer chosen."
    assert sentence(ValueError("Done.")) == "Done."


FOREIGN = "invalid literal for int() with base 10: 'x'"


@pytest.mark.parametrize("error", [ValueError(FOREIGN), KeyError("secret"), RecursionError()])
def test_the_text_of_an_unexpected_error_is_logged_and_not_shown(error, caplog):
    assert describe_error(error) == UNEXPECTED
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info[1] is error


def test_errors_of_this_project_are_shown():
    assert describe_error(DatasetError("MNIST is broken")) == "MNIST is broken"
    assert describe_bad_input(DatasetError("MNIST is broken")) == "MNIST is broken"


def test_a_reader_says_what_is_wrong_with_its_input():
    assert describe_bad_input(ValueError("x must be a number")) == "x must be a number"
    assert describe_bad_input(TypeError("unhashable type: 'list'")) == UNEXPECTED


def failing_page(name: str) -> None:
    from pages.state.messages import render_page
    from pruning.runtime.errors import DatasetError

    def page() -> None:
        if name == "data":
            raise DatasetError("MNIST is *broken*")
        int(name)

    render_page(page)


def test_a_page_that_cannot_be_drawn_says_so_in_a_sentence():
    at = AppTest.from_function(failing_page, args=("data",)).run()
    assert at.error[0].value == r"MNIST is \*broken\*\."
    at = AppTest.from_function(failing_page, args=("x",)).run()
    assert at.error[0].value == escape_markdown(f"The page could not be drawn: {UNEXPECTED}.")
    assert not at.exception


def several_reports() -> None:
    from pages.state.messages import (
        report_bad_file,
        report_bad_link,
        report_unknown_keys,
        show_pending_message,
    )

    report_unknown_keys([])
    report_unknown_keys(["a", "<b>"])
    report_bad_link(ValueError("x must be *one*"))
    report_bad_file(KeyError("columns"))
    report_unknown_keys(list("cdefgh"), "file")
    show_pending_message()


def test_all_reports_of_a_run_are_shown():
    [warning] = AppTest.from_function(several_reports).run().warning
    assert warning.value.replace("\\", "") == (
        "The link has keys without a meaning here, which are ignored: a, <b>. "
        "The link could not be followed: x must be *one*. This is the default instead. "
        f"The file could not be read: {UNEXPECTED}. "
        "The file has keys without a meaning here, which are ignored: c, d, e, f, g."
    )
    assert r"\*one\*" in warning.value

"""Texts of messages."""

from pages.state.messages import MAX_MESSAGE, escape_markdown, sentence


def test_markdown_is_shown_literally():
    assert escape_markdown("![x](http://y) *z*") == r"\!\[x\]\(http\:\/\/y\) \*z\*"
    assert len(escape_markdown("a" * 1000)) == MAX_MESSAGE


def test_an_error_becomes_a_sentence():
    assert sentence(ValueError("no layer chosen")) == "No layer chosen."
    assert sentence(ValueError("Done.")) == "Done."

import pandas as pd
import pytest

from pruning.experiments.results_document import replace_section, to_markdown


@pytest.fixture
def document(tmp_path):
    return tmp_path / "docs" / "results.md"


def test_a_new_document_has_a_heading_and_the_section(document):
    replace_section(document, "Speed", "Fast.\n")
    assert document.read_text() == (
        "# Results\n\n<!-- begin: Speed -->\n## Speed\n\nFast.\n<!-- end: Speed -->\n"
    )


def test_only_the_section_is_replaced_and_everything_else_stays(document):
    for title, body in (("One", "first"), ("Two", "second"), ("Three", "third")):
        replace_section(document, title, body)
    text = document.read_text().replace("<!-- begin: Two -->", "By hand.\n\n<!-- begin: Two -->")
    document.write_text(text)
    replace_section(document, "Two", "another\n\nparagraph")
    assert document.read_text() == text.replace("second", "another\n\nparagraph")


def test_the_same_content_again_changes_nothing(document):
    replace_section(document, "One", "first")
    replace_section(document, "Two", "second")
    before = document.read_text()
    replace_section(document, "One", "first")
    assert document.read_text() == before


@pytest.mark.parametrize(
    "text",
    [
        "<!-- begin: One -->",
        "<!-- end: One -->",
        "<!-- end: One --> <!-- begin: One -->",
        2 * "<!-- begin: One --><!-- end: One -->",
    ],
)
def test_a_document_with_unpaired_comments_is_refused_and_kept(document, text):
    document.parent.mkdir()
    document.write_text(text)
    with pytest.raises(ValueError, match=r"results.md must have <!-- begin: One --> once"):
        replace_section(document, "One", "first")
    assert document.read_text() == text


def test_a_table_in_markdown():
    table = pd.DataFrame({"sparsity": ["0.5", "0.9"], "masked": ["90.00", "1.0 ± 0.1"]})
    assert to_markdown(table).splitlines() == [
        "| sparsity | masked |",
        "| --- | --- |",
        "| 0.5 | 90.00 |",
        "| 0.9 | 1.0 ± 0.1 |",
    ]

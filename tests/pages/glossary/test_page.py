"""The page of terms and formulas."""

import pytest

from pruning.methods.criteria import CRITERIA
from pruning.methods.rules import RULES
from pruning.models import checkpoints
from tests.pages.driver import opened_page

pytestmark = pytest.mark.usefixtures("no_downloads")


def test_every_formula_stands_with_its_source():
    at = opened_page("glossary")
    assert not at.exception
    text = "\n".join(markdown.value for markdown in at.main.markdown)
    for entry in (*CRITERIA.values(), *RULES.values()):
        assert entry.formula in text
        assert entry.source in text


def test_the_terms_say_where_masked_and_effective_counts_are_shown():
    at = opened_page("glossary")
    text = "\n".join(markdown.value for markdown in at.main.markdown)
    assert "Explore shows it beside the masked counts" in text


def test_the_tables_have_every_criterion_and_network():
    at = opened_page("glossary")
    reference, networks, data = (dataframe.value for dataframe in at.dataframe)
    assert list(reference.columns[-3:]) == ["50% removed", "80% removed", "90% removed"]
    assert len(reference) > 100
    assert len(networks) == len(checkpoints.shipped())
    assert set(data["state"]) == {"built in", "not downloaded"}

"""Link and file of a comparison, on built-in data."""

import json

import pytest

from pruning.experiments.budgets import Budget, match_budget
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_to_dict
from tests.pages.compare.common import THREE, comparison, metrics, with_charts
from tests.pages.driver import opened_page, warning

pytestmark = pytest.mark.usefixtures("no_downloads")

DIGITS = '[{"network":"lenet5","dataset":"digits"}]'


def test_a_link_may_have_a_budget_alone():
    at = comparison(budget="parameters=0.3")
    assert not at.warning
    assert dict(at.query_params)["budget"] == "parameters=0.3"
    assert len(metrics(at, "Test accuracy")) == 3


@pytest.mark.parametrize(
    "query, part",
    [
        ({"budget": "parameters=x"}, "must be like macs=0.5"),
        ({"columns": "["}, "columns is not JSON"),
        ({"columns": "[]"}, "a list of 1 to 6 recipes"),
        ({"columns": '[{"network": "vgg"}]'}, "unknown network"),
        ({"columns": '[{"network": ["lenet5"]}]'}, "could not be followed"),
        ({"columns": "[3]"}, "a recipe is an object"),
        ({"columns": '[{"network":"lenet5","dataset":"mnist"}]'}, "not on this machine"),
        ({"columns": DIGITS, "budget": "macs=7"}, "must be between 0 and 1"),
        ({"columns": "[" * 100_000}, "nested too deeply"),
    ],
)
def test_a_bad_link_is_reported_and_the_page_shows_its_default(query, part):
    at = opened_page("compare", **query)
    assert "The link could not be followed" in warning(at)
    assert part in warning(at)
    assert "This is the default instead" in warning(at)
    assert len(metrics(with_charts(at), "Test accuracy")) == 3


def test_unknown_keys_of_a_link_are_named():
    at = opened_page("compare", columns=DIGITS, speed="fast")
    assert "without a meaning here, which are ignored: speed" in warning(at)


def test_an_unknown_network_is_answered_with_those_on_this_machine():
    at = opened_page("compare", columns='[{"network": "vgg", "dataset": "digits"}]')
    assert "unknown network 'vgg': choose from lenet300, lenet5" in warning(at)
    assert "resnet56" not in warning(at)


def test_the_problem_and_unknown_keys_of_a_link_are_both_said():
    at = opened_page("compare", columns="[", speed="fast")
    assert "without a meaning here, which are ignored: speed" in warning(at)
    assert "columns is not JSON" in warning(at)


def upload(at, content: bytes):
    """Open a file in the sidebar."""
    file = ("comparison.json", content, "application/json")
    return at.sidebar.get("file_uploader")[0].set_value(file).run()


def test_a_comparison_is_opened_from_its_own_file():
    at = comparison([Recipe.one_step("lenet5", "digits")], budget="macs=0.5")
    columns = [match_budget(recipe, Budget("parameters", 0.4)) for recipe in THREE]
    content = {
        "budget": {"kind": "parameters", "share": 0.4},
        "columns": [{"recipe": recipe_to_dict(column.recipe)} for column in columns],
    }
    at = with_charts(upload(at, json.dumps(content).encode()))
    assert dict(at.query_params)["budget"] == "parameters=0.4"
    assert len(metrics(at, "Test accuracy")) == 3


def test_unknown_keys_of_a_file_are_named():
    at = comparison([Recipe.one_step("lenet5", "digits")], budget="macs=0.5")
    content = {"columns": [{"recipe": recipe_to_dict(THREE[0])}], "bugdet": {"kind": "own"}}
    at = upload(at, json.dumps(content).encode())
    expected = "The file has keys without a meaning here, which are ignored: bugdet."
    assert warning(at) == expected
    assert dict(at.query_params)["budget"] == "own"


@pytest.mark.parametrize(
    "content, part",
    [
        (b"\xff\x00", "it is not JSON"),
        (b"[3]", "a recipe is an object"),
        (b'{"columns": 3}', "columns must be a list"),
        (b"{}", "columns must be a list"),
        (b'[{"network": "vgg"}]', "unknown network 'vgg': choose from lenet300, lenet5"),
        (b'{"columns": [{"recipe": {"dataset": "x"}}]}', "unknown dataset 'x': choose from digits"),
        (b'[{"value": ' + b"[" * 900 + b"]" * 900 + b"}]", "The file could not be read"),
    ],
)
def test_a_bad_file_is_reported_and_changes_nothing(content, part):
    at = comparison([Recipe.one_step("lenet5", "digits")], budget="macs=0.5")
    at = upload(at, content)
    assert "The file could not be read" in warning(at)
    assert part in warning(at)
    assert "resnet56" not in warning(at)
    assert dict(at.query_params)["budget"] == "macs=0.5"
    assert len(metrics(with_charts(at), "Test accuracy")) == 1

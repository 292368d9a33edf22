"""The Compare page driven without a browser."""

import time
from collections.abc import Sequence

from streamlit.testing.v1 import AppTest

from pruning.experiments.comparison import read_comparison
from pruning.recipe.recipe import Recipe
from pruning.runtime.json_reader import parse_json
from tests.pages.common import charts
from tests.pages.driver import finished, opened_page, to_json

THREE = [
    Recipe.one_step("lenet5", "digits"),
    Recipe.one_step("lenet5", "digits", method="neuron", criterion="activation", scope="layer"),
    Recipe.one_step("lenet5", "digits", method="filter", scope="layer"),
]
"""Columns of a new session."""
WAIT_S = 60


def comparison(recipes: Sequence[Recipe] = (), **query: str) -> AppTest:
    """Open the page by a link, and wait for all columns."""
    if recipes:
        query["columns"] = to_json(recipes)
    return with_charts(opened_page("compare", **query))


def with_charts(at: AppTest) -> AppTest:
    """Run the page until all columns are known."""
    deadline = time.time() + WAIT_S
    while not at.exception and not at.error and not charts(at):
        assert time.time() < deadline
        time.sleep(0.1)
        at.run()
    assert not at.error, at.error
    return finished(at)


def metrics(at: AppTest, label: str) -> list[str]:
    """Return a number of each column."""
    return [metric.value for metric in at.metric if metric.label == label]


def recipes_of_link(at: AppTest) -> list[Recipe]:
    """Return the recipes in the address bar."""
    recipes, _ = read_comparison(parse_json(dict(at.query_params)["columns"], "columns"))
    return recipes


def select_box(at: AppTest, label: str):
    """Return the first select box with a label."""
    [first, *_] = [box for box in at.main.selectbox if box.label == label]
    return first

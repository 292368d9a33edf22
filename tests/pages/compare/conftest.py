"""Fixtures of the tests of Compare."""

import time

import pytest

from pruning.experiments import comparison
from pruning.recipe.recipe import Recipe
from tests.pages.driver import opened_page, to_json


class SlowColumn:
    """A comparison of one column whose work waits until it is released."""

    recipe = Recipe.one_step("lenet300", "digits", criterion="random", seed=77)

    def __init__(self) -> None:
        self.is_released = False

    def __call__(self):
        """Open the page."""
        return opened_page("compare", columns=to_json([self.recipe]), budget="accuracy=0.97")

    def release(self) -> None:
        """Let the work continue."""
        self.is_released = True


@pytest.fixture
def slow_column(monkeypatch) -> SlowColumn:
    """A column whose matching waits."""
    slow = SlowColumn()
    match_budget = comparison.match_budget

    def wait_and_match(recipe, budget, report):
        while not slow.is_released:
            time.sleep(0.01)
            report(0.3)
        return match_budget(recipe, budget, report)

    monkeypatch.setattr(comparison, "match_budget", wait_and_match)
    return slow

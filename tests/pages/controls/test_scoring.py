"""Scores that take a while, on Explore, on built-in data."""

import time
from dataclasses import replace

import pytest

from pages.controls import scoring
from pruning.engine import apply_step
from pruning.methods.criteria import CRITERIA
from pruning.runtime.errors import PrunescopeError
from tests.pages.common import numbers, opened, plain, run_until, settled, work_buttons

pytestmark = pytest.mark.usefixtures("no_downloads")


@pytest.fixture
def endless(monkeypatch):
    """Call with a number of calibration images: scoring by Taylor with as many never ends."""
    times: list[float] = []
    rank_units = scoring.rank_units

    def install(calibration: int) -> list[float]:
        def slow(recipe, report):
            is_slow = recipe.last_step.criterion == "taylor"
            while is_slow and recipe.calibration == calibration:
                times.append(time.monotonic())
                time.sleep(0.01)
                report(0.25)
            return rank_units(recipe, report)

        monkeypatch.setattr(scoring, "rank_units", slow)
        return times

    return install


def choose_criterion(at, name: str):
    return at.sidebar.selectbox(key="criterion").set_value(name).run()


def test_scoring_can_be_cancelled_and_taken_up_again(endless, monkeypatch):
    endless(77)
    at = opened(network="lenet300", dataset="digits", method="filter", calibration="77")
    before = numbers(at)
    choose_criterion(at, "taylor")
    assert not at.exception
    text = "Scoring 400 filters by **Taylor** on 77"
    assert any(text in markdown.value for markdown in at.main.markdown)
    assert not at.sidebar.slider
    at.main.button(key="cancel scores").click().run()
    assert not at.exception
    assert work_buttons(at) == ["Score them"]
    choose_criterion(at, "magnitude")
    assert numbers(at) == before
    monkeypatch.undo()
    monkeypatch.setenv("PRUNESCOPE_DATA", "/nowhere")
    choose_criterion(at, "taylor")
    next(button for button in at.main.button if button.label == "Score them").click().run()
    settled(at)
    assert numbers(at)["Sparsity"] != ""
    assert at.sidebar.slider


def test_scores_that_fail_are_a_message_and_not_a_crash(monkeypatch):
    def broken(context):
        raise PrunescopeError("the images are missing")

    entries = {**CRITERIA, "apoz": replace(CRITERIA["apoz"], function=broken)}
    monkeypatch.setattr(apply_step, "CRITERIA", entries)
    at = opened(network="lenet5", dataset="digits", calibration="63", method="filter")
    choose_criterion(at, "apoz")
    run_until(at, lambda: at.warning)
    assert not at.exception
    assert "The scores could not be computed: the images are missing" in plain(at.warning[0])
    assert work_buttons(at) == ["Score them"]
    choose_criterion(at, "magnitude")
    assert numbers(at)["Sparsity"]


def test_scoring_ends_when_another_criterion_is_chosen(endless):
    times = endless(78)
    at = opened(network="lenet300", dataset="digits", method="filter", calibration="78")
    choose_criterion(at, "taylor")
    choose_criterion(at, "magnitude")
    assert numbers(at)
    time.sleep(0.3)
    last = times[-1]
    time.sleep(0.3)
    assert times[-1] == last

"""State A on Explore, held beside B, on built-in data."""

import time
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

import numpy as np
import pytest
from scipy.stats import binomtest

from pages.explore import panels, pin
from pages.state.background_task import TaskProgress, wait_for
from pages.state.visitor import jobs
from pruning.engine.evaluate import evaluate
from pruning.engine.prune import prune
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_to_query
from pruning.runtime.errors import CheckpointError
from tests.pages.common import (
    button,
    charts,
    evaluated,
    live_histogram_of,
    numbers,
    opened,
    plain,
    recipe_of,
    run_until,
    shown,
    trace,
)

A = Recipe.one_step("lenet5", "digits", value=0.5)
B = Recipe.one_step("lenet5", "digits", value=0.95)
FILTERS = Recipe.one_step("lenet5", "digits", method="filter", value=0.3, scope="layer")
OTHER = Recipe.one_step("lenet300", "digits", value=0.6)
PIXELS = Recipe.one_step("lenet5", "digits", method="feature", criterion="random", value=0.4)
LAYERS = Recipe.one_step("lenet5", "digits", method="layer", value=0.34)
EARLIER = B.with_steps((A.last_step, B.last_step))

pytestmark = pytest.mark.usefixtures("no_downloads")


def compared(first: Recipe, second: Recipe, **query: str):
    """Open Explore with a pinned state by a link, and wait until everything is measured."""
    at = opened(**recipe_to_query(second), pin=urlencode(recipe_to_query(first)), **query)
    return run_until(at, lambda: not any("being measured" in text for text in texts_of_a(at)))


def texts_of_a(at) -> list[str]:
    assert not at.exception
    texts = [text.value for text in at.main.markdown]
    return [text.partition("] ")[2] for text in texts if text.startswith(":gray-badge[A]")]


def alts(at) -> list[str]:
    return [chart.proto.alt for chart in at.get("plotly_chart")]


def test_a_state_is_pinned_swapped_and_unpinned():
    at = opened(**recipe_to_query(A))
    button(at, "Pin").click().run()
    assert any("B is the same as A" in text.value for text in at.main.caption)
    assert dict(parse_qsl(at.query_params["pin"])) == recipe_to_query(A)
    at.sidebar.slider[0].set_value(95.0).run()
    assert numbers(at) == shown(B)
    assert texts_of_a(at)[0] == "pinned: Weights by Magnitude, 50% of weights"
    button(at, "Swap A and B").click().run()
    assert numbers(at) == shown(A) and at.sidebar.slider[0].value == 50.0
    assert texts_of_a(at)[0] == "pinned: Weights by Magnitude, 95% of weights"
    button(at, "Unpin").click().run()
    assert not texts_of_a(at) and "pin" not in at.query_params
    assert button(at, "Pin") and recipe_of(at) == A


def test_the_cards_show_both_with_the_exact_test_of_their_difference():
    at = compared(A, B)
    assert numbers(at) == shown(B)
    first, second = evaluated(A), evaluated(B)
    lost = (first.tally.hits & ~second.tally.hits).bit_count()
    gained = (second.tally.hits & ~first.tally.hits).bit_count()
    assert binomtest(gained, lost + gained).pvalue < 0.001
    pruned = prune(A)
    _, accuracy, sparsity, parameters, macs = texts_of_a(at)[:5]
    count = f"B: {lost - gained} images fewer than A, p < 0.001"
    assert accuracy == f"{first.accuracy.value:.2%}. {count}"
    assert sparsity == f"{pruned.sparsity:.2%}"
    assert parameters == f"{pruned.masked.parameters:,}, effective {pruned.effective.parameters:,}"
    assert macs == f"{pruned.masked.macs:,}, effective {pruned.effective.macs:,}"


def test_a_difference_without_evidence_is_called_so():
    at = compared(A, A.with_last_step(value=0.52))
    [text] = [text for text in texts_of_a(at) if "B: " in text]
    first, second = evaluated(A).tally.hits, evaluated(A.with_last_step(value=0.52)).tally.hits
    same = "B: correct on the same images as A"
    assert text.partition(". ")[2] == same if first == second else "no evidence" in text


def test_pictures_show_the_difference():
    at = compared(A, B, mask="fc3")
    kept_a = prune(A).masks["fc3.weight"].numpy()
    kept_b = prune(B).masks["fc3.weight"].numpy()
    only_b = int((kept_a & ~kept_b).sum())
    assert any(f"{only_b:,} removed in B only (pink)" in alt for alt in alts(at))
    [heatmap] = [chart for chart in charts(at) if chart["data"][0]["type"] == "heatmap"]
    assert heatmap["data"][0]["zmin"] == -1
    values, kept = prune(A).weights()
    histogram = live_histogram_of(at)
    ends = (histogram["low"], histogram["high"])
    bins = len(histogram["kept_in_a"])
    expected, _ = np.histogram(np.clip(values[kept], *ends), bins, ends)
    assert histogram["kept_in_a"] == expected.tolist()
    point = trace(at, "A")
    assert point["x"] == [pytest.approx(0.5)] and point["y"] == [evaluated(A).accuracy.value]
    assert len(trace(at, "curve of A")["x"]) >= 15
    assert trace(at, "B")["y"] == [evaluated(B).accuracy.value]


def test_pictures_show_both_on_request():
    at = compared(A, B, both="True")
    assert sum("Heatmap of the share of removed weights per layer" in alt for alt in alts(at)) == 2
    assert sum(alt.startswith("Mask of conv1") for alt in alts(at)) == 2
    [toggle] = [toggle for toggle in at.main.toggle if toggle.label == "Show both"]
    toggle.set_value(False).run()
    assert not any(alt.startswith("Mask of conv1") for alt in alts(at))
    assert "both" not in at.query_params


@pytest.mark.parametrize("first", [OTHER, FILTERS, PIXELS, EARLIER, LAYERS])
@pytest.mark.parametrize("second", [B, FILTERS, PIXELS, OTHER, LAYERS])
def test_any_two_states_can_be_compared(first, second):
    at = compared(first, second)
    assert numbers(at) == shown(second)
    assert f"{prune(first).sparsity:.2%}" in texts_of_a(at)
    assert has_outline(at) or has_histogram_of_a(at)
    has_toggle = any(toggle.label == "Show both" for toggle in at.main.toggle)
    assert has_toggle == (first.network == second.network)


def has_outline(at) -> bool:
    if at.get("bidi_component") and live_histogram_of(at)["kept_in_a"] is not None:
        return True
    return any(trace.get("name") == "kept in A" for chart in charts(at) for trace in chart["data"])


def has_histogram_of_a(at) -> bool:
    return any(text.startswith(("weights of", "scores by")) for text in texts_of_a(at))


def test_weights_that_were_refitted_have_a_histogram_of_their_own():
    at = compared(LAYERS, B)
    assert has_histogram_of_a(at) and not has_outline(at)


def test_scores_are_outlined_only_if_the_same_units_took_part():
    some = FILTERS.with_last_step(layers=("conv2",), value=0.5)
    at = compared(FILTERS, some)
    assert has_histogram_of_a(at) and not has_outline(at)
    at = compared(FILTERS, FILTERS.with_last_step(value=0.6))
    assert has_outline(at) and not has_histogram_of_a(at)


def test_an_accuracy_before_its_recovery_is_not_compared(monkeypatch):
    recovered = replace(FILTERS.with_last_step(value=0.31), recovery=("reconstruct",))
    monkeypatch.setattr(panels, "wait_for", wait_for_all_but("recovery"))
    at = compared(FILTERS, recovered)
    assert "before recovery" in [text.value for text in at.main.caption]
    assert not any("B: " in text for text in texts_of_a(at))


def wait_for_all_but(name: str):
    def wait(task, *arguments, **options):
        return None if task.name == name else wait_for(task, *arguments, **options)

    return wait


def test_b_is_shown_while_a_is_scored(monkeypatch):
    scored = Recipe.one_step("lenet5", "digits", criterion="taylor", value=0.77)

    def request(recipe, name):
        return recipe

    monkeypatch.setattr(pin, "request_scores", request)
    at = opened(**recipe_to_query(B))
    at.session_state["pinned"] = scored
    at.run()
    assert numbers(at) == shown(B)
    assert "A is compared as soon as it is scored." in [text.value for text in at.main.caption]
    button(at, "Unpin").click().run()
    assert not texts_of_a(at)


def test_a_state_whose_run_was_deleted_is_unpinned(monkeypatch):
    at = compared(A, B)

    def missing(recipe):
        raise CheckpointError("the run is not on this machine")

    monkeypatch.setattr(pin, "check_checkpoint", missing)
    at.run()
    assert numbers(at) == shown(B) and not texts_of_a(at)
    assert "State A is no longer pinned: the run is not on this machine." in plain(at.warning[0])


def test_work_for_a_ends_when_it_is_unpinned():
    at = compared(A, B)
    subscriber = (at.session_state["visitor"], pin.CURVE_TASK)

    def work(report):
        while True:
            report(TaskProgress(0.0))  # raises if nobody waits for it
            time.sleep(0.01)

    jobs().subscribe(subscriber, "endless", work)
    button(at, "Unpin").click().run()
    assert jobs().subscription(subscriber) is None


def test_a_link_with_a_bad_pin_opens_without_it():
    recipe = "pin must be a recipe such as network=lenet5&sparsity=0.5"
    for text, problem in {
        "method=foo": "pin: unknown method 'foo'",
        "foo=1": "pin has keys without a meaning: foo",
        "sparsity=2": "pin: sparsity must be",
        "sparsity=": "pin: sparsity must be a number",
        "garbage": recipe,
        "a=1&" * 40: recipe,
    }.items():
        at = opened(**recipe_to_query(A), pin=text)
        assert numbers(at) == shown(A)
        assert not texts_of_a(at)
        assert f"The link could not be followed: {problem}" in plain(at.warning[0])


def test_states_of_different_networks_are_named():
    at = compared(OTHER, A)
    assert texts_of_a(at)[0].startswith("pinned: LeNet-300-100 on Digits: Weights")


def test_the_accuracy_of_a_is_measured_if_it_is_not_known():
    first = A.with_last_step(value=0.4321)
    at = compared(first, B)
    [evaluation] = evaluate([first])
    accuracy = f"{evaluation.accuracy.value:.2%}"
    assert any(text.startswith(accuracy) for text in texts_of_a(at))


def test_the_presentation_shows_the_accuracy_of_a():
    at = compared(A, B, present="True")
    [text] = texts_of_a(at)
    assert text.startswith(f"{evaluated(A).accuracy.value:.2%}. B: ")

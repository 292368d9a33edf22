from pathlib import Path

import pytest

from pages.explore.tour import NEXT_PAGES, STOPS, tour_dataset
from pages.state.available import available_checkpoints
from pages.state.url import MAX_TOUR
from pruning.data import datasets
from pruning.engine.evaluate import evaluate, evaluate_with_dense
from pruning.engine.evaluation import Evaluation
from pruning.engine.prune import prune
from pruning.recipe.recipe import Recipe
from tests.pages.common import button, opened, plain

ROOT = Path(__file__).parents[3]
DENSE, HALF, GLOBAL, LAYER, RANDOM, FAR, FILTERS, REPAIRED, TWO_STEPS, _ = range(10)


def test_a_link_can_name_every_stop():
    assert len(STOPS) == MAX_TOUR
    at = opened(network="lenet5", dataset="digits", tour="11")
    assert "tour must be a stop from 1 to 10, not 11" in plain(at.main.warning[0])


def test_the_tour_goes_from_stop_to_stop():
    at = opened(network="lenet5", dataset="digits")
    button(at, "Guided tour").click().run()
    for number, stop in enumerate(STOPS, 1):
        assert not at.exception
        assert f"## {number} of {len(STOPS)}: {stop.title}" in [m.value for m in at.main.markdown]
        assert at.session_state["recipe"] == stop.recipe("digits")
        assert at.session_state["pinned"] == stop.pinned_recipe("digits")
        assert dict(at.query_params)["tour"] == str(number)
        if number < len(STOPS):
            button(at, "Next").click().run()
    assert not [each for each in at.main.button if each.label == "Next"]
    button(at, "Back").click().run()
    assert at.session_state["recipe"] == STOPS[-2].recipe("digits")
    button(at, "End the tour").click().run()
    assert "tour" not in dict(at.query_params)
    assert at.session_state["recipe"] == STOPS[-2].recipe("digits")  # what was seen stays


def test_the_tour_stays_on_the_dataset_of_lenet5():
    assert tour_dataset(Recipe("lenet5", "digits")) == "digits"
    best = available_checkpoints()["lenet5"][-1]
    assert tour_dataset(Recipe("lenet300", "digits")) == best


def test_the_last_stop_leads_to_all_other_pages():
    pages = {str(path.relative_to(ROOT)) for path in ROOT.glob("pages/*/page.py")}
    assert set(NEXT_PAGES) == pages - {"pages/explore/page.py", "pages/glossary/page.py"}


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["digits", "mnist"])
def test_the_answers_are_true(dataset):
    if not datasets.available(dataset):
        pytest.skip(f"{dataset} is not in {datasets.data_dir()}")
    evaluations: list[Evaluation] = []
    for stop in STOPS:
        evaluations.append(evaluate_with_dense(stop.recipe(dataset)))
    layers = evaluations[DENSE].dense.layers
    assert max(layers, key=lambda layer: layer.weights).name == "fc1"
    assert max(layers, key=lambda layer: layer.macs).name == "conv2"
    table = prune(STOPS[GLOBAL].recipe(dataset)).layer_table.set_index("name")
    assert table["sparsity"].idxmin() == "conv1" and table["sparsity"].idxmax() == "fc1"
    accuracy = [evaluation.accuracy.value for evaluation in evaluations]
    assert not evaluations[HALF].change.is_significant
    assert accuracy[LAYER] < accuracy[GLOBAL] - 0.1
    assert accuracy[RANDOM] < accuracy[HALF] - 0.3
    assert accuracy[FAR] < accuracy[GLOBAL] - 0.1
    [pinned] = evaluate([STOPS[FILTERS].pinned_recipe(dataset)])
    assert accuracy[FILTERS] < pinned.accuracy.value
    lost, kept_after = accuracy[DENSE] - accuracy[FILTERS], accuracy[DENSE] - accuracy[REPAIRED]
    assert kept_after < 0.1 * lost
    assert accuracy[TWO_STEPS] > accuracy[DENSE] - 0.01
    parameters = [evaluation.masked.parameters for evaluation in evaluations]
    assert 0.3 < parameters[TWO_STEPS] / parameters[DENSE] < 0.4
    recipe = STOPS[TWO_STEPS].recipe(dataset)
    [reordered] = evaluate([recipe.with_steps(tuple(reversed(recipe.steps)))])
    assert abs(reordered.accuracy.value - accuracy[TWO_STEPS]) < 0.001
    assert reordered.masked.parameters > 1.05 * parameters[TWO_STEPS]
    bend = [STOPS[FAR].recipe(dataset).with_last_step(value=value) for value in (0.8, 0.9)]
    before, after = evaluate(bend)
    assert (
        accuracy[DENSE] - before.accuracy.value
        < 0.01
        < before.accuracy.value - after.accuracy.value
    )

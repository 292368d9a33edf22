from dataclasses import replace

import pytest

from pruning.engine.evaluate import evaluate, validation_accuracy
from pruning.engine.prune import prune
from pruning.experiments.sensitivity import scan_layers
from pruning.experiments.sparsity_plan import count_until_false, greedy_path, plan_sparsities
from pruning.recipe.recipe import Recipe

one_step = Recipe.one_step
LEVELS = (0.3, 0.6, 0.9)
WEIGHTS = {"conv1": 150, "conv2": 2400, "fc1": 48_000, "fc2": 10_080, "fc3": 840}


@pytest.mark.parametrize("max_loss", [0.0, 1.0, 5.0])
@pytest.mark.parametrize("method", ["weight", "filter"])
def test_a_plan_loses_at_most_the_given_accuracy(max_loss, method):
    scan = scan_layers(one_step("lenet5", "digits", method=method), levels=LEVELS)
    planned = plan_sparsities(scan, max_loss)
    plan = planned.plan
    assert plan.validation == validation_accuracy(plan.recipe)
    assert plan.validation >= planned.dense_validation - max_loss / 100
    [evaluation] = evaluate([plan.recipe])
    assert plan.test == evaluation.accuracy
    assert plan.effective == prune(plan.recipe).effective
    assert plan.effective.parameters < 61_706  # something can be removed without any loss
    if method == "weight":
        sizes = [baseline.effective.parameters for baseline in planned.baselines]
        assert sizes == pytest.approx([plan.effective.parameters] * 2, rel=0.01)
    table = planned.table()
    assert table["plan"][0] == "plan" and len(table) == 3
    everything = plan_sparsities(scan, 100).plan.effective
    assert everything.parameters <= plan.effective.parameters


def test_a_plan_is_that_of_the_first_edition():
    """Version 0.0 found these sparsities for the same scan."""
    scan = scan_layers(one_step("lenet5", "digits"), levels=LEVELS)
    values = {}
    for max_loss in (0.0, 1.0, 5.0):
        step = plan_sparsities(scan, max_loss).plan.recipe.last_step
        values[max_loss] = dict(step.values)
    assert values == {
        0.0: {"fc1": 0.6},
        1.0: {"fc1": 0.6, "fc2": 0.9},
        5.0: {"conv2": 0.6, "fc1": 0.9, "fc2": 0.9, "fc3": 0.6},
    }


def test_a_larger_loss_removes_more_weights():
    scan = scan_layers(one_step("lenet300", "digits"), levels=LEVELS)
    sizes = []
    for max_loss in (0.0, 2.0, 10.0, 50.0):
        sizes.append(plan_sparsities(scan, max_loss).plan.effective.parameters)
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] < sizes[0]


def test_a_path_goes_from_nothing_to_everything_by_the_best_step():
    scan = scan_layers(one_step("lenet5", "digits"), levels=LEVELS)
    states = greedy_path(scan)
    assert states[-1] == dict.fromkeys(scan.layers, 0.9)
    dense, image = scan.dense.accuracy.value, 1 / scan.dense.accuracy.images

    def loss(layer: str, level: float) -> float:
        lost = [dense - scan.accuracies.loc[layer, at] for at in LEVELS if at <= level]
        return max([0.0, *lost])

    def benefit(layer: str, at: float, to: float) -> float:
        return WEIGHTS[layer] * (to - at) / (loss(layer, to) - loss(layer, at) + image)

    before = dict.fromkeys(scan.layers, 0.0)
    for state in states:
        [moved] = [layer for layer in state if state[layer] != before[layer]]
        benefits = {}
        for layer, at in before.items():
            for to in LEVELS:
                if to > at:
                    benefits[layer, to] = benefit(layer, at, to)
        assert benefits[moved, state[moved]] == pytest.approx(max(benefits.values()))
        before = state


@pytest.mark.parametrize("first_false", range(6))
def test_bisection_counts_the_states_that_hold(first_false):
    states = [{"layer": float(index)} for index in range(5)]
    calls = []

    def holds(state: dict[str, float]) -> bool:
        calls.append(state)
        return state["layer"] < first_false

    assert count_until_false(states, holds) == min(first_false, 5) and len(calls) <= 3


@pytest.mark.parametrize("max_loss", [-1, 101, float("nan")])
def test_a_loss_out_of_range_is_refused(max_loss):
    scan = scan_layers(one_step("lenet300", "digits"), levels=(0.5,))
    with pytest.raises(ValueError, match="points to lose must be from 0 to 100"):
        plan_sparsities(scan, max_loss)


def test_a_plan_needs_a_complete_scan():
    scan = scan_layers(one_step("lenet300", "digits"), levels=(0.5,))
    gap = replace(scan, evaluations=((None,), *scan.evaluations[1:]))
    for incomplete in (gap, replace(scan, dense=None)):
        with pytest.raises(ValueError, match="a plan needs a complete scan"):
            greedy_path(incomplete)


def test_progress_is_reported():
    scan = scan_layers(one_step("lenet300", "digits"), levels=LEVELS)
    shares: list[float] = []
    plan_sparsities(scan, 3.0, shares.append)
    assert shares[0] == 0 and shares[-1] == 1 and all(0 <= share <= 1 for share in shares)

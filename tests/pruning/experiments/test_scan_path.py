from dataclasses import replace

import pytest

from pruning.engine.evaluate import validation_accuracy
from pruning.experiments.scan_path import count_until_false, greedy_path
from pruning.experiments.sensitivity import layerwise, scan_layers
from pruning.recipe.recipe import Recipe

one_step = Recipe.one_step
LEVELS = (0.3, 0.6, 0.9)
WEIGHTS = {"conv1": 150, "conv2": 2400, "fc1": 48_000, "fc2": 10_080, "fc3": 840}


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


def test_a_plan_needs_a_complete_scan():
    scan = scan_layers(one_step("lenet300", "digits"), levels=(0.5,))
    gap = replace(scan, evaluations=((None,), *scan.evaluations[1:]))
    for incomplete in (gap, replace(scan, dense=None)):
        with pytest.raises(ValueError, match="a plan needs a complete scan"):
            greedy_path(incomplete)


@pytest.mark.parametrize(
    "max_loss, values",
    [
        (0.0, {"fc1": 0.6}),
        (1.0, {"fc1": 0.6, "fc2": 0.9}),
        (5.0, {"conv2": 0.6, "fc1": 0.9, "fc2": 0.9, "fc3": 0.6}),
    ],
)
def test_the_last_state_that_keeps_the_accuracy_is_that_of_the_first_edition(max_loss, values):
    """Version 0.0 found these sparsities for the same scan."""
    scan = scan_layers(one_step("lenet5", "digits"), levels=LEVELS)
    states = greedy_path(scan)
    custom = layerwise(scan.recipe).with_last_step(scope="custom", value=0.0)
    required = validation_accuracy(custom) - max_loss / 100 - 1e-12

    def keeps(state: dict[str, float]) -> bool:
        return validation_accuracy(custom.with_last_step(values=tuple(state.items()))) >= required

    last = states[count_until_false(states, keeps) - 1]
    assert {layer: level for layer, level in last.items() if level} == values

from dataclasses import replace

import numpy as np
import pytest

from pruning.engine.evaluate import evaluate, validation_accuracy
from pruning.engine.prune import unit_groups
from pruning.experiments.sensitivity import ScanError, SensitivityScan, layerwise, scan_layers
from pruning.recipe.recipe import Recipe

one_step = Recipe.one_step
LEVELS = (0.3, 0.6, 0.9)


@pytest.mark.slow
@pytest.mark.parametrize(
    "method, criterion, network",
    [
        ("weight", "magnitude", "lenet5"),
        ("filter", "taylor", "lenet5"),
        ("neuron", "activation", "lenet300"),
        ("filter", "magnitude", "resnet20"),
    ],
)
def test_each_layer_alone(method, criterion, network):
    recipe = one_step(network, "digits", method=method, criterion=criterion, calibration=64)
    levels = LEVELS if network != "resnet20" else (0.5,)
    scan = scan_layers(recipe, levels=levels)
    assert scan.is_complete and scan.layers == tuple(unit_groups(recipe))
    assert scan.accuracies.shape == (len(scan.layers), len(levels))
    assert scan.dense.accuracy.value == validation_accuracy(recipe.with_last_step(value=0.0))
    for layer in scan.layers[:: 5 if network == "resnet20" else 1]:
        for level in levels[-2:]:
            alone = recipe.with_last_step(layers=(layer,), value=level, scope="layer")
            assert scan.accuracies.loc[layer, level] == validation_accuracy(alone)
    means = {layer: scan.accuracies.loc[layer].mean() for layer in scan.layers}
    assert scan.order == sorted(scan.layers, key=means.__getitem__)
    table = scan.table()
    assert len(table) == len(scan.layers) * len(levels)
    assert list(table["accuracy"]) == scan.accuracies.to_numpy().ravel().tolist()


def test_evaluations_are_of_validation_images():
    scan = scan_layers(one_step("lenet300", "digits"), levels=(0.5,))
    assert {row[0].split for row in scan.evaluations} == {scan.dense.split} == {"validation"}


def test_a_method_with_one_group_has_no_layers_to_choose_from():
    with pytest.raises(ScanError, match="a scan goes layer by layer: layer has no layers"):
        scan_layers(one_step("lenet5", "digits", method="layer"))


def test_progress_is_a_scan_with_gaps():
    reports: list[tuple[SensitivityScan, float]] = []
    recipe = one_step("lenet300", "digits", criterion="random", seed=99)
    scan = scan_layers(recipe, lambda *report: reports.append(report), levels=LEVELS)
    assert reports[-1][0] == scan and reports[-1][1] == pytest.approx(1)
    gap = replace(scan, evaluations=(scan.evaluations[0], (None,) * 3, scan.evaluations[2]))
    assert not gap.is_complete and np.isnan(gap.accuracies.loc["fc2"]).all()
    assert len(gap.table()) == 6


def test_layerwise_is_the_same_for_recipes_that_differ_in_their_strength_only():
    recipe = one_step("lenet300", "digits", criterion="lamp", rule="threshold", value=0.1)
    custom = one_step("lenet300", "digits", criterion="lamp", scope="custom", layers=("fc1",))
    assert layerwise(recipe) == layerwise(custom) != layerwise(one_step("lenet300", "digits"))


@pytest.mark.slow
def test_the_shape_is_the_published_one(real):
    """Distiller's scans of ResNet-20: late layers bear more weight pruning than the first."""
    real("cifar10")
    weights, filters = {}, {}
    for layer in ("conv1", "block3_2.conv2", "fc"):
        weights[layer] = one_step(
            "resnet20", "cifar10", scope="layer", layers=(layer,), value=0.9, max_test_images=1000
        )
    for layer in ("block1_0.conv1", "block1_2.conv1"):
        filters[layer] = weights["fc"].with_last_step(
            method="filter", layers=(layer,), value=0.45, grouping="", variant=""
        )
    evaluations = evaluate([*weights.values(), *filters.values()])
    values = [evaluation.accuracy.value for evaluation in evaluations]
    accuracy = dict(zip([*weights, *filters], values, strict=True))
    assert accuracy["block3_2.conv2"] > max(accuracy["conv1"], accuracy["fc"]) + 0.02
    assert accuracy["block1_0.conv1"] > accuracy["block1_2.conv1"] + 0.02

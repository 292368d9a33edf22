"""Every layer alone, and plans that keep what they promise."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pruning.cli.main import run
from pruning.engine import evaluate as sweep
from pruning.engine import prune as experiment
from pruning.experiments import sensitivity
from pruning.experiments.comparison import validation_accuracy
from pruning.figures import sensitivity as figures
from pruning.recipe.recipe import Recipe

LEVELS = (0.3, 0.6, 0.9)


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
    recipe = Recipe(network, "digits", method=method, criterion=criterion, calibration=64)
    levels = LEVELS if network != "resnet20" else (0.5,)
    found = sensitivity.scan(recipe, levels=levels)
    assert found.layers == tuple(experiment.groups_of(recipe)) and found.accuracies.shape == (
        len(found.layers),
        len(levels),
    )
    assert found.dense.accuracy.value == validation_accuracy(replace(recipe, value=0.0))
    for layer in found.layers[:: 5 if network == "resnet20" else 1]:
        for level in levels[-2:]:
            alone = replace(recipe, layers=(layer,), value=level, scope="layer")
            assert found.accuracies.loc[layer, level] == validation_accuracy(alone)
    assert found.order == sorted(found.layers, key=lambda layer: found.accuracies.loc[layer].mean())
    assert len(found.table()) == len(found.layers) * len(levels)


def test_methods_without_layers_to_choose_from():
    with pytest.raises(ValueError, match="layer by layer"):
        sensitivity.scan(Recipe("lenet5", "digits", method="layer"))


@pytest.mark.parametrize("lose", [0.0, 1.0, 5.0])
@pytest.mark.parametrize("method", ["weight", "filter"])
def test_a_plan_keeps_its_promise(lose, method):
    found = sensitivity.scan(Recipe("lenet5", "digits", method=method), levels=LEVELS)
    planned = sensitivity.plan(found, lose)
    assert (
        planned.plan.validation
        == validation_accuracy(planned.plan.recipe)
        >= planned.dense_validation - lose / 100
    )
    assert planned.plan.test == experiment.run(planned.plan.recipe).accuracy
    assert planned.plan.parameters < 61_706  # something can go without any loss
    sizes = [one.parameters for one in planned.beside]
    if method == "weight":
        assert sizes == pytest.approx([planned.plan.parameters] * 2, rel=0.01)
    assert list(planned.table()["plan"])[0] == "plan" and len(planned.table()) == 3
    assert sensitivity.plan(found, 100).plan.parameters <= planned.plan.parameters


def test_more_may_be_lost_the_more_goes():
    found = sensitivity.scan(Recipe("lenet300", "digits"), levels=LEVELS)
    sizes = [sensitivity.plan(found, lose).plan.parameters for lose in (0.0, 2.0, 10.0, 50.0)]
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] < sizes[0]


def test_a_path_goes_from_nothing_to_everything_by_the_best_step():
    found = sensitivity.scan(Recipe("lenet5", "digits"), levels=LEVELS)
    states = sensitivity.path(found)
    assert states[-1] == dict.fromkeys(found.layers, 0.9)
    weights = {"conv1": 150, "conv2": 2400, "fc1": 48_000, "fc2": 10_080, "fc3": 840}
    before, dense = dict.fromkeys(found.layers, 0.0), found.dense.accuracy.value
    loss = lambda layer, level: max(
        [0.0, *(dense - found.accuracies.loc[layer, at] for at in LEVELS if at <= level)]
    )  # noqa: E731
    for state in states:
        (moved,) = [layer for layer in state if state[layer] != before[layer]]
        gains = {
            (layer, to): weights[layer]
            * (to - at)
            / (loss(layer, to) - loss(layer, at) + 1 / found.dense.accuracy.images)
            for layer, at in before.items()
            for to in LEVELS
            if to > at
        }
        assert gains[moved, state[moved]] == pytest.approx(max(gains.values()))
        before = state


def test_the_shape_is_the_published_one(real):
    """ResNet-20, one layer alone: the last convolution bears weight pruning better than the first and than the classifier,
    the first block's filters better than the third's (Distiller's scans)."""
    real("cifar10")
    weights = {
        layer: Recipe("resnet20", "cifar10", scope="layer", layers=(layer,), value=0.9, images=1000)
        for layer in ("conv1", "block3_2.conv2", "fc")
    }
    filters = {
        layer: Recipe(
            "resnet20",
            "cifar10",
            method="filter",
            scope="layer",
            layers=(layer,),
            value=0.45,
            images=1000,
        )
        for layer in ("block1_0.conv1", "block1_2.conv1")
    }
    points = sweep.measure([*weights.values(), *filters.values()])
    found = dict(zip([*weights, *filters], [p.accuracy.value for p in points]))
    assert found["block3_2.conv2"] > max(found["conv1"], found["fc"]) + 0.02
    assert found["block1_0.conv1"] > found["block1_2.conv1"] + 0.02


def test_pictures_of_what_is_there_so_far():
    told = []
    found = sensitivity.scan(
        Recipe("lenet300", "digits"), lambda scan, share: told.append(scan), levels=LEVELS
    )
    half = replace(found, points=(found.points[0], (None,) * 3, found.points[2]))
    heat, lines = figures.heatmap(half, {"fc1": 0.6}), figures.curves(half)
    assert (
        np.isnan(heat.data[0].z[1]).all()
        and heat.data[0].text[1][0] == ""
        and list(heat.data[1].x) == ["60%"]
    )
    assert [len(trace.x) for trace in lines.data] == [3, 0, 3] and "fc1 30%" in figures.alt(half)
    assert heat.layout.xaxis.title.text and lines.layout.yaxis.title.text


def test_on_the_command_line(capsys, tmp_path):
    base = ["--network", "lenet300", "--dataset", "digits"]
    csv = tmp_path / "scan.csv"
    assert run(["sensitivity", *base, "--levels", "2", "--json", "--csv", str(csv)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (
        len(told["points"]) == 6
        and set(told["order"]) == {"fc1", "fc2", "fc3"}
        and len(csv.read_text().splitlines()) == 7
    )
    out = tmp_path / "plan.json"
    assert run(["plan", *base, "--lose", "2", "--levels", "4", "--json", "--out", str(out)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert Recipe.from_dict(json.loads(out.read_text())) == Recipe.from_dict(told["recipe"])
    assert told["plans"][0]["validation_accuracy"] >= told["dense_validation"] - 0.02
    assert run(["curve", *base, "--points", "3", "--seeds", "2", "--json"]) == 0
    assert [len(c["runs"]) for c in json.loads(capsys.readouterr().out)["curves"]] == [1, 2]
    assert run(["curve", *base, "--points", "3"]) == 0 and "area under" in capsys.readouterr().out
    assert run(["store", "list"]) == 0 and "lenet300" in capsys.readouterr().out
    assert (
        run(["store", "list", "--json"]) == 0
        and json.loads(capsys.readouterr().out)[0]["result"]["images"] > 0
    )
    assert (
        run(["store", "export", str(tmp_path / "all.csv")]) == 0
        and "results written" in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    "options, message",
    [
        (["plan", "--lose", "101"], "from 0 to 100"),
        (["sensitivity", "--method", "layer"], "layer by layer"),
        (["sensitivity", "--levels", "0"], "levels must be"),
        (["curve", "--precision", "x"], "must be full or a number"),
        (["curve", "--precision", "3"], "between 0 and 1"),
        (["curve", "--points", "1"], "points must be"),
        (["curve", "--recipe", "nowhere.json"], "nowhere.json"),
    ],
)
def test_bad_input_is_one_line(capsys, options, message):
    assert run([options[0], "--network", "lenet300", "--dataset", "digits", *options[1:]]) in (1, 2)
    assert message in (err := capsys.readouterr().err.splitlines()[-1]) and err.startswith(
        "error: "
    )

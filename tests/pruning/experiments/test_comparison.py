"""Equal budgets, and the command line of removal and comparison."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from pruning.cli.main import run
from pruning.cost.report import small
from pruning.data import datasets
from pruning.engine import prune as experiment
from pruning.engine.effective_cost import Left, left, overlaps
from pruning.experiments.comparison import (
    BUDGETS,
    Budget,
    Comparison,
    class_accuracy,
    matched,
    validation_accuracy,
)
from pruning.recipe.recipe import Recipe, Step
from tests.pruning.test_removal import walk

THREE = [
    Recipe("lenet5-caffe", "digits"),
    Recipe("lenet5-caffe", "digits", method="neuron", criterion="random", scope="layer"),
    Recipe("lenet5-caffe", "digits", method="filter", scope="layer"),
]


@pytest.mark.parametrize("kind", ["parameters", "macs"])
@pytest.mark.parametrize("share", [0.15, 0.5, 0.9])
def test_every_column_has_the_same_left(kind, share):
    dense = {"parameters": 431_080, "macs": 2_293_000}[kind]
    for recipe in THREE:
        column = matched(recipe, Budget(kind, share))
        step = {"weight": 0.001, "neuron": 0.02, "filter": 0.05}[
            recipe.method
        ]  # one unit more or less
        assert getattr(column.left, kind) / dense == pytest.approx(share, abs=step)
        assert bool(column.problem) == (
            abs(getattr(column.left, kind) / dense - share) > min(0.01, share / 10)
        )
        assert column.left == left(column.recipe) and column.recipe.rule == recipe.rule


@pytest.mark.parametrize(
    "recipe",
    [
        THREE[2],
        Recipe(
            "resnet20",
            "digits",
            method="filter",
            grouping="across",
            criterion="random",
            scope="layer",
        ),
        Recipe("resnet20", "digits", method="neuron", criterion="random"),
        Recipe("lenet300", "digits", method="filter"),
        Recipe("lenet300", "digits", method="feature", criterion="random"),
    ],
    ids=lambda r: f"{r.network}-{r.method}",
)
def test_what_makes_a_difference_is_what_removal_leaves(recipe):
    for share in (0.2, 0.6):
        column = matched(recipe, Budget("macs", share))
        assert (column.left.parameters, column.left.macs) == walk(small(column.recipe))


@pytest.mark.parametrize("network", ["lenet300", "lenet5", "lenet5-caffe", "resnet20"])
@pytest.mark.parametrize("value", [0.0, 0.9, 0.98, 0.998])
def test_of_single_weights_it_is_what_is_not_zero_after_removal(network, value):
    recipe = Recipe(network, "digits", value=value)
    assert left(recipe).parameters == sum(
        int(p.count_nonzero()) for p in small(recipe).parameters()
    )
    if value == 0:
        assert left(recipe) == Left(
            experiment.run(recipe).dense.parameters, experiment.run(recipe).dense.macs
        )


def test_a_budget_is_searched_to_the_last_weight():
    recipe = Recipe("lenet5", "digits")
    for share in (0.02, 0.05, 0.1):
        column = matched(recipe, Budget("macs", share))
        gap, removed = abs(column.left.macs / 416_520 - share), round(column.recipe.value * 61_470)
        near = [
            left(replace(recipe, value=(removed + more) / 61_470)).macs / 416_520
            for more in (-2, -1, 1, 2)
        ]
        assert gap <= max(0.01 * share, min(abs(other - share) for other in near))
        assert bool(column.problem) == (gap > min(0.01, share / 10))
    nothing = matched(
        Recipe("lenet5", "digits", method="feature", criterion="random"), Budget("macs", 0.5)
    )
    assert nothing.recipe.value == 0 and nothing.problem.startswith(
        "Nothing that it removes changes the effective MACs"
    )


def test_a_budget_says_what_it_does_to_layers_of_their_own_and_keeps_a_pattern():
    own = Recipe("lenet300", "digits", scope="custom", values=(("fc3", 0.0),))
    column = matched(own, Budget("parameters", 0.5))
    assert column.recipe.scope == "layer" and column.problem.startswith(
        "All layers lose the same share here"
    )
    assert (
        matched(
            Recipe("lenet300", "digits", rule="n_m", value="2:4"), Budget("macs", 0.5)
        ).recipe.value
        == "2:4"
    )
    assert matched(Recipe("lenet300", "digits"), Budget("accuracy", 0.05)).recipe.value == 1.0
    after = Recipe("lenet300", "digits").with_steps((Step(value=0.99), Step(value=0.1)))
    assert matched(after, Budget("accuracy", 0.99)).problem.startswith(
        "The steps before alone reach"
    )


def test_a_budget_out_of_reach_is_said():
    recipe = Recipe("resnet20", "digits", method="layer")
    column = matched(recipe, Budget("macs", 0.1))
    assert column.problem.startswith("At least 18.") and "10.00% is out of reach" in column.problem
    assert column.recipe.value == 1.0
    after = Recipe("lenet300", "digits").with_steps((Step(value=0.9), Step(value=0.1)))
    assert matched(after, Budget("parameters", 0.5)).problem.startswith(
        "The steps before leave only 10."
    )
    assert "coarse" in matched(recipe, Budget("macs", 0.97)).problem


def test_equal_accuracy_is_chosen_on_validation_images():
    recipe = Recipe("lenet300", "digits")
    column = matched(recipe, Budget("accuracy", 0.95))
    assert validation_accuracy(column.recipe) >= 0.95 and 0.5 < column.recipe.value < 1
    beyond = Recipe("lenet300", "digits", value=column.recipe.value + 1 / 512)
    assert validation_accuracy(beyond) < 0.95
    impossible = matched(recipe, Budget("accuracy", 1.0))
    assert (
        impossible.problem.startswith("Nothing removed reaches 9") and impossible.recipe.value == 0
    )


def test_each_its_own_leaves_the_recipes_alone():
    found = Comparison.of(THREE, Budget("own"))
    assert [column.recipe for column in found.columns] == THREE
    table = found.table()
    assert list(table["accuracy"]) == [experiment.run(recipe).accuracy.value for recipe in THREE]


def test_overlap_by_sets():
    def gone(recipe):
        state, names = experiment.pruned(recipe), ("fc1", "fc2", "fc3")
        return {
            (n, i)
            for n in names
            for i in np.flatnonzero(~state.masks.complete(state.model)[f"{n}.weight"].numpy())
        }

    a, b = (
        Recipe("lenet300", "digits", value=0.3),
        Recipe("lenet300", "digits", criterion="random", value=0.6),
    )
    nothing = Recipe("lenet300", "digits", value=0.0)
    found = overlaps([a, b, nothing])
    assert (
        found[0, 1] == found[1, 0] == pytest.approx(len(gone(a) & gone(b)) / len(gone(a) | gone(b)))
    )
    assert found[0, 0] == 1 and found[0, 2] == 0 and np.isnan(found[2, 2])
    taken = Recipe("lenet5", "digits", method="layer", criterion="random", value=0.4)
    assert 0 < overlaps([taken, Recipe("lenet5", "digits", value=0.9)])[0, 1] < 1


def test_class_accuracies_average_to_the_accuracy():
    recipe = Recipe("lenet5", "digits", value=0.9)
    labels = datasets.load("digits", "test").labels
    outcome = experiment.run(recipe)
    each = class_accuracy(outcome)
    assert (each * torch.bincount(labels).numpy()).sum() == pytest.approx(outcome.accuracy.correct)
    assert sum(outcome.class_correct) == outcome.accuracy.correct and len(each) == 10


@pytest.mark.parametrize(
    "text", ["macs", "macs=", "macs=2", "macs=nan", "flops=0.5", "own=1=2", "=0.5", "accuracy=-1"]
)
def test_budgets_that_are_none(text):
    with pytest.raises(ValueError, match="budget .* must be"):
        Budget.read(text)


def test_budgets_by_name():
    assert Budget.read("macs=0.5") == Budget("macs", 0.5) and Budget.read("own").kind == "own"
    assert set(BUDGETS) == {"parameters", "macs", "accuracy", "own"}


def files(tmp_path, *recipes) -> list[str]:
    paths = []
    for i, recipe in enumerate(recipes):
        path = tmp_path / f"{i}.json"
        path.write_text(json.dumps(recipe.to_dict()))
        paths.append(str(path))
    return paths


def test_compare_on_the_command_line(capsys, tmp_path):
    csv = tmp_path / "table.csv"
    assert (
        run(
            [
                "compare",
                *files(tmp_path, *THREE),
                "--budget",
                "macs=0.5",
                "--json",
                "--csv",
                str(csv),
            ]
        )
        == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert told["budget"] == {"kind": "macs", "share": 0.5} and len(told["columns"]) == 3
    for column in told["columns"]:
        again = Recipe.from_dict(column["recipe"])
        assert (
            column["effective_macs"] == left(again).macs == pytest.approx(0.5 * 2_293_000, rel=0.03)
        )
        assert column["accuracy"] == experiment.run(again).accuracy.value
    assert (
        csv.read_text().startswith("column,name,value,accuracy")
        and len(csv.read_text().splitlines()) == 4
    )
    assert (
        run(["compare", *files(tmp_path, *THREE)]) == 0
        and "Filters by Magnitude" in capsys.readouterr().out
    )
    again = tmp_path / "comparison.json"
    again.write_text(json.dumps(told))
    assert run(["compare", str(again), "--json"]) == 0  # it reads what it writes
    assert [c["accuracy"] for c in json.loads(capsys.readouterr().out)["columns"]] == [
        c["accuracy"] for c in told["columns"]
    ]


@pytest.mark.parametrize(
    "more, message",
    [
        (["--budget", "macs=2"], "macs must be between 0 and 1"),
        (["--budget", "size=1"], "must be like macs=0.5"),
        (["--images", "0"], "images must be"),
    ],
)
def test_compare_with_bad_input_is_one_line(capsys, tmp_path, more, message):
    assert run(["compare", *files(tmp_path, THREE[0]), *more]) == 2
    assert message in (err := capsys.readouterr().err) and err.count("\n") == 1


def test_only_one_network_at_a_time(capsys, tmp_path):
    assert run(["compare", *files(tmp_path, THREE[0], Recipe("lenet5", "digits"))]) == 2
    assert "only recipes of one network" in capsys.readouterr().err


def test_remove_on_the_command_line(capsys, tmp_path):
    weights, program = tmp_path / "w.safetensors", tmp_path / "p.pt2"
    options = [
        "prune",
        "--network",
        "lenet5-caffe",
        "--dataset",
        "digits",
        "--method",
        "filter",
        "--scope",
        "layer",
        "--sparsity",
        "0.7",
        "--remove",
        "--weights",
        str(weights),
        "--program",
        str(program),
    ]
    assert run([*options, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["pruned"]["parameters"], told["pruned"]["macs"]) == (40_081, 267_900)
    removed = told["removed"]
    assert (
        removed["max_logit_difference"] < 1e-4
        and removed["bytes"]["removed"] < removed["bytes"]["masked"]
    )
    assert set(removed["latency_ms"]) == {"batch_1", "batch_64"}
    assert removed["latency_ms"]["batch_64"]["removed"]["median"] > 0
    from safetensors.torch import load_file

    assert sum(t.numel() for t in load_file(weights).values()) == 40_081
    assert run(options) == 0 and "logits of masked and removed: the same" in capsys.readouterr().out


PLAIN = """
import sys, numpy, torch
module = torch.export.load(sys.argv[1]).module()
data = numpy.load(sys.argv[2])
x = torch.from_numpy(data["x_test"])
x = (x[:, None] if x.ndim == 3 else x.permute(0, 3, 1, 2)).float() / 255
y = torch.from_numpy(data["y_test"].astype("int64")).flatten()
with torch.no_grad():
    print(sum(int((module(a).argmax(1) == b).sum()) for a, b in zip(x.split(250), y.split(250))))
"""


@pytest.mark.parametrize(
    "network, dataset, options",
    [
        ("lenet5-caffe", "mnist", {"method": "filter", "scope": "layer", "value": 0.7}),
        ("resnet20", "cifar10", {"method": "filter", "scope": "layer", "grouping": "across"}),
    ],
)
def test_the_small_program_gives_the_accuracy_of_the_page_exactly(
    tmp_path, real, network, dataset, options
):
    import subprocess
    import sys

    from pruning.engine.export import save_program

    real(dataset)
    recipe = Recipe(network, dataset, **options)
    if network == "resnet20":
        column = matched(recipe, Budget("macs", 0.5))
        recipe = column.recipe
        assert not column.problem and column.left.macs / 40_813_184 == pytest.approx(0.5, abs=0.01)
    save_program(recipe, tmp_path / "p.pt2", removed=True)
    told = subprocess.run(
        [sys.executable, "-c", PLAIN, str(tmp_path / "p.pt2"), str(datasets.path_of(dataset))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(told.stdout) == experiment.run(recipe).accuracy.correct

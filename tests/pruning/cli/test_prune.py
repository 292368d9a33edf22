"""``prune``: options and files in, JSON and text out."""

import os
import stat
from dataclasses import dataclass

import pytest

from pruning.methods.rules import RULES
from tests.pruning.cli.common import (
    PRUNE_SMALL,
    error_of,
    run_json,
    run_text,
    write_json,
)

STEPS = [
    {"method": "layer", "criterion": "loss_change", "value": 0.34},
    {"method": "filter", "value": 0.3},
    {"value": 0.8},
]


CUSTOM = ["--scope", "custom", "--values", "conv1=0.3,fc1=0.95"]
ACROSS = ["--method", "filter", "--grouping", "across", "--scope", "layer"]


SUBNETWORK = ["--method", "layer", "--grouping", "subnetwork"]


@dataclass(frozen=True)
class Expected:
    """Numbers of a recipe on the 360 test images of digits."""

    correct: int
    masked: tuple[int, int]
    effective: tuple[int, int]


@pytest.mark.parametrize(
    "network, options, expected",
    [
        ("lenet5", ["--sparsity", "0.9"], Expected(344, (6_383, 176_328), (6_301, 176_279))),
        ("lenet300", ["--sparsity", "0.9"], Expected(333, (27_030, 26_620), (26_950, 26_557))),
        ("lenet300", ["--sparsity", "1"], Expected(35, (410, 0), (10, 0))),
        (
            "lenet5",
            ["--sparsity", "0.8", "--scope", "erk"],
            Expected(352, (12_530, 177_165), (12_417, 177_065)),
        ),
        (
            "lenet5",
            ["--sparsity", "0.8", *CUSTOM],
            Expected(302, (5_405, 134_904), (5_111, 134_658)),
        ),
        (
            "resnet20",
            ["--sparsity", "0.2", *ACROSS],
            Expected(37, (218_059, 25_048_656), (175_128, 20_256_767)),
        ),
    ],
)
def test_numbers_are_those_of_the_first_edition(capsys, network, options, expected):
    base = ["prune", "--network", network, "--dataset", "digits"]
    pruned = run_json(capsys, *base, *options)["pruned"]
    assert pruned["accuracy"] == expected.correct / 360
    assert (pruned["parameters"], pruned["macs"]) == expected.masked
    assert (pruned["effective_parameters"], pruned["effective_macs"]) == expected.effective


def test_a_subnetwork_is_removed_with_all_its_layers(capsys):
    options = ["--network", "lenet5", "--dataset", "digits", "--sparsity", "1"]
    subnetwork = run_json(capsys, "prune", *options, *SUBNETWORK)
    single = run_json(capsys, "prune", *options, "--method", "layer")
    assert subnetwork["recipe"]["grouping"] == "subnetwork"
    assert single["recipe"]["grouping"] == ""
    assert subnetwork["pruned"] == single["pruned"]
    lost = [layer["name"] for layer in subnetwork["layers"] if layer["kept"] == 0]
    assert lost == ["conv2", "fc1", "fc2"]


def test_an_unknown_grouping_of_layers_is_status_2(capsys):
    options = [*PRUNE_SMALL, "--method", "layer", "--grouping", "across", "--sparsity", "0.5"]
    message = "unknown grouping 'across': choose from single, subnetwork"
    assert message in error_of(capsys, *options)


def test_recipe_is_echoed_in_its_canonical_form(capsys):
    options = ["--sigma", "1", "--scope", "layer", "--seed", "7", "--calibration", "64"]
    recipe = run_json(capsys, *PRUNE_SMALL, *options)["recipe"]
    assert (recipe["seed"], recipe["calibration"], recipe["scope"]) == (0, 1024, "global")
    options = ["--sparsity", "0.5", "--criterion", "random", "--seed", "7", "--images", "360"]
    recipe = run_json(capsys, *PRUNE_SMALL, *options)["recipe"]
    assert (recipe["seed"], recipe["images"]) == (7, None)
    assert list(recipe) == [
        *("network", "dataset", "calibration", "images", "seed", "method", "criterion"),
        *("measure", "grouping", "scope", "rule", "value", "values", "layers"),
    ]


@pytest.mark.parametrize(
    "rule, value",
    [
        ("sparsity", "0.5"),
        ("threshold", "0.02"),
        ("relative", "0.1"),
        ("sigma", "1"),
        ("mean-std", "0.5"),
        ("max-over-n", "30"),
        ("n-m", "2:4"),
    ],
)
def test_every_rule_is_an_option(capsys, rule, value):
    content = run_json(capsys, *PRUNE_SMALL, f"--{rule}", value, "--images", "50")
    pruned = content["pruned"]
    assert content["recipe"]["rule"] == rule.replace("-", "_")
    assert 0 < pruned["sparsity"] < 1
    assert pruned["images"] == 50
    assert pruned["accuracy_low"] < pruned["accuracy_high"] <= 1
    assert pruned["accuracy_low"] <= pruned["accuracy"] <= pruned["accuracy_high"]


def test_help_explains_every_rule(capsys):
    text = run_text(capsys, "prune", "--help")
    words = " ".join(text.split())
    for rule in RULES.values():
        assert f"--{rule.name.replace('_', '-')} " in words
    assert words.index("--scope TEXT") < words.index("--sparsity FLOAT")
    assert words.index("--n-m TEXT") < words.index("--layers TEXT")


def test_steps_come_from_a_file(capsys, tmp_path):
    file = write_json(tmp_path / "recipe.json", STEPS)
    options = ["--network", "lenet5", "--dataset", "digits", "--calibration", "64"]
    content = run_json(capsys, "prune", *options, "--steps", file)
    assert [unit["method"] for unit in content["units"]] == ["layer", "filter", "weight"]
    assert content["recipe"]["calibration"] == 64
    assert len(content["recipe"]["steps"]) == 3

    write_json(tmp_path / "recipe.json", content["recipe"])  # the output is an input, too
    again = run_json(capsys, "prune", "--steps", file)
    del content["seconds"], again["seconds"]
    assert again == content


def test_options_replace_fields_of_a_recipe_file(capsys, tmp_path):
    recipe = {"network": "lenet300", "dataset": "digits", "criterion": "random", "seed": 3}
    file = write_json(tmp_path / "recipe.json", recipe)
    assert run_json(capsys, "prune", "--steps", file)["recipe"]["seed"] == 3
    content = run_json(capsys, "prune", "--steps", file, "--seed", "4", "--images", "90")
    assert (content["recipe"]["seed"], content["recipe"]["images"]) == (4, 90)
    assert content["recipe"]["network"] == "lenet300"


@pytest.mark.parametrize(
    "content, options, message",
    [
        ("[", (), "is not JSON"),
        ("3", (), "must hold a list of steps or a recipe"),
        ("[]", (), "steps must be a list of 1 to 6 steps"),
        ("[3]", (), "a step is an object"),
        ('[{"amount": 0.5}]', (), "unknown step field 'amount': choose from criterion"),
        ('[{"value": 2}]', (), "sparsity must be between 0 and 1, not 2"),
        ('{"steps": {}}', (), "steps must be a list"),
        ('[{"layers": ["fc1"], "value": 0.5}]', ("--sparsity", "0.5"), "leave out --sparsity"),
        ("[{}]", ("--scope", "layer", "--n-m", "2:4"), "leave out --n-m, --scope"),
        ('[{"value": [1]}]', (), "sparsity must be"),
        ('[{"value": NaN}]', (), "is not JSON"),
        ('[{"value": 1e999}]', (), "sparsity must be a finite number"),
        ('[{"method": ["x"]}]', (), "unknown method"),
        ('[{"values": 5}]', (), "values must be an object"),
        ('[{"scope": "custom", "values": {"fc1": "a"}}]', (), "sparsity must be"),
    ],
)
def test_bad_file_of_steps_is_one_line(capsys, tmp_path, content, options, message):
    file = tmp_path / "recipe.json"
    file.write_text(content)
    assert message in error_of(capsys, *PRUNE_SMALL, "--steps", str(file), *options)


@pytest.mark.parametrize(
    "options, message",
    [
        (["--sparsity", "1.5"], "sparsity must be between 0 and 1, not 1.5"),
        (["--sparsity", "nan"], "sparsity must be between 0 and 1, not nan"),
        (["--threshold", "nan"], "threshold must be a number, not nan"),
        (["--threshold", "-1"], "threshold must be a number, 0 or more, not -1.0"),
        (["--sigma", "-1"], "sigma must be a number, 0 or more, not -1.0"),
        (["--max-over-n", "0.5"], "max_over_n must be a number, 1 or more, not 0.5"),
        (["--n-m", "4:2"], "n_m must be like 2:4, 4:8, 1:2, not '4:2'"),
        (
            ["--sparsity", "0.5", "--sigma", "1"],
            "give one of --sparsity, --threshold, --relative, --sigma, --mean-std",
        ),
        (
            ["--method", "filter", "--n-m", "2:4"],
            "rule 'n_m' does not go with filters: it counts consecutive input weights",
        ),
        (
            ["--method", "filter", "--sparsity", "0.5", "--scope", "erk"],
            "scope 'erk' does not go with rule 'sparsity' for filters",
        ),
        (
            ["--method", "filter", "--sparsity", "0.5", "--criterion", "wanda"],
            "criterion 'wanda' does not score filters",
        ),
        (
            ["--method", "filter", "--sparsity", "0.5", "--criterion", "bn_scale"],
            "needs a batch norm for every convolution, which lenet300 does not have",
        ),
        (
            ["--method", "neuron", "--criterion", "loss_change", "--relative", "0.5"],
            "its scores can be negative",
        ),
        (
            ["--sparsity", "0.5", "--measure", "l2"],
            "there is no measure to choose: leave out 'l2'",
        ),
        (
            ["--method", "filter", "--sparsity", "0.5", "--measure", "l3"],
            "unknown measure 'l3': choose from l1, l2",
        ),
        (
            ["--sparsity", "0.5", "--values", "fc1=0.3"],
            "values of single layers go with the scope 'custom'",
        ),
        (
            ["--sparsity", "0.5", "--scope", "custom", "--values", "fc1=x"],
            "the value of fc1 must be a number, not 'x'",
        ),
        (
            ["--sparsity", "0.5", "--scope", "custom", "--values", "fc9=1"],
            "unknown layer 'fc9' of lenet300",
        ),
        (
            ["--sparsity", "0.5", "--calibration", "0"],
            "calibration must be a whole number from 1 to 1150, not 0",
        ),
        ([], "give one of --sparsity"),
        (["--sparsity", "much"], "'much' is not a valid float"),
        (["--sparsity", "0.5", "--layers", ""], "no layer chosen: choose from fc1, fc2, fc3"),
        (
            ["--sparsity", "0.5", "--layers", "conv1"],
            "unknown layer 'conv1' of lenet300: choose from fc1, fc2, fc3",
        ),
        (["--sparsity", "0.5", "--network", "vgg"], "unknown network 'vgg': choose from lenet300"),
        (["--sparsity", "0.5", "--images", "0"], "images must be a whole number from 1 to 360"),
        (
            ["--sparsity", "0.5", "--criterion", "l3"],
            "unknown criterion 'l3': choose from magnitude",
        ),
        (["--sparsty", "0.5"], "No such option"),
    ],
)
def test_bad_input_is_one_line_and_status_2(capsys, options, message):
    assert message in error_of(capsys, *PRUNE_SMALL, *options)


@pytest.mark.parametrize("option", ["--masks", "--weights", "--program"])
def test_output_never_replaces_what_is_not_a_regular_file(capsys, tmp_path, option):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    message = error_of(capsys, *PRUNE_SMALL, "--sparsity", "0.5", option, str(fifo), code=1)
    assert f"{fifo} is not a regular file" in message
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_output_into_a_file_as_folder_is_status_1(capsys, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    masks = str(tmp_path / "file" / "m.safetensors")
    message = error_of(capsys, *PRUNE_SMALL, "--sparsity", "0.5", "--masks", masks, code=1)
    assert str(tmp_path / "file") in message
    assert "Errno" not in message

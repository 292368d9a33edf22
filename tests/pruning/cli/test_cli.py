import json
import subprocess
import sys
import urllib.request

import pytest
import torch
from safetensors.torch import load_file

from pruning.cli.main import run
from pruning.data import datasets
from pruning.engine import prune as experiment
from pruning.methods.criteria import CRITERIA
from pruning.models import checkpoints, layer_names
from pruning.recipe.recipe import Recipe

BASE = ["prune", "--network", "lenet300", "--dataset", "digits"]


def call(capsys, *arguments: str) -> dict:
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_prune_prints_what_the_page_shows(capsys):
    told = call(
        capsys,
        *BASE,
        "--method",
        "weight",
        "--criterion",
        "magnitude",
        "--scope",
        "global",
        "--sparsity",
        "0.9",
    )
    outcome = experiment.run(Recipe("lenet300", "digits", value=0.9))
    assert set(told) == {"recipe", "dense", "pruned", "units", "layers", "warnings", "seconds"}
    assert Recipe.from_dict(told["recipe"]) == outcome.recipe
    assert told["dense"] == {
        "accuracy": outcome.dense_accuracy,
        "parameters": 266_610,
        "prunable_weights": 266_200,
        "macs": 266_200,
    }
    assert told["pruned"] == {
        "accuracy": outcome.accuracy.value,
        "accuracy_low": outcome.accuracy.value,
        "accuracy_high": outcome.accuracy.value,
        "images": 360,
        "sparsity": outcome.sparsity,
        "parameters": outcome.parameters,
        "macs": outcome.macs,
    }
    assert [set(layer) for layer in told["layers"]] == [
        {"name", "weights", "kept", "sparsity", "threshold"}
    ] * 3
    assert told["warnings"] == [] and told["seconds"] > 0


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
    told = call(capsys, *BASE, f"--{rule}", value, "--images", "50")
    assert told["recipe"]["rule"] == rule.replace("-", "_") and 0 < told["pruned"]["sparsity"] < 1
    assert told["pruned"]["images"] == 50
    assert told["pruned"]["accuracy_low"] < told["pruned"]["accuracy_high"] <= 1
    assert (
        told["pruned"]["accuracy_low"]
        <= told["pruned"]["accuracy"]
        <= told["pruned"]["accuracy_high"]
    )


def test_layers_that_do_not_take_part_have_no_threshold(capsys):
    told = call(capsys, *BASE, "--sparsity", "0.5", "--layers", "fc3,fc1")
    assert told["recipe"]["layers"] == ["fc1", "fc3"]
    assert [layer["threshold"] is None for layer in told["layers"]] == [False, True, False]


def test_text_has_the_numbers_and_the_warnings(capsys):
    assert run([*BASE, "--sparsity", "1"]) == 0
    text = capsys.readouterr().out
    assert (
        "100.00% of 266,200 prunable weights" in text and "warning: fc1, fc2, fc3 have lost" in text
    )


@pytest.mark.parametrize("network", ["lenet300", "lenet5", "resnet20"])
def test_files_hold_the_masked_network(capsys, tmp_path, network):
    masks, weights, program = (
        tmp_path / name for name in ("m.safetensors", "w.safetensors", "p.pt2")
    )
    some = ",".join(layer_names(network)[1:])
    told = call(
        capsys,
        "prune",
        "--network",
        network,
        "--dataset",
        "digits",
        "--sparsity",
        "0.7",
        "--layers",
        some,
        "--masks",
        str(masks),
        "--weights",
        str(weights),
        "--program",
        str(program),
    )
    check_files(told, network, "digits", masks, weights, program)


def check_files(told, network, dataset, masks, weights, program):
    model = checkpoints.load(network, dataset)
    kept, state = load_file(masks), load_file(weights)
    assert list(kept) and set(kept) == {f"{layer['name']}.weight" for layer in told["layers"]}
    assert all(
        mask.dtype == torch.uint8 and set(mask.unique().tolist()) <= {0, 1}
        for mask in kept.values()
    )
    assert {name: int(mask.sum()) for name, mask in kept.items()} == {
        f"{layer['name']}.weight": layer["kept"] for layer in told["layers"]
    }
    dense = model.state_dict()
    assert set(state) == set(dense)
    for name, tensor in dense.items():
        assert torch.equal(
            state[name], torch.where(kept[name].bool(), tensor, 0) if name in kept else tensor
        )
    images = datasets.load(dataset, "test")
    count = told["pruned"]["images"]
    module = torch.export.load(program).module()
    predicted = torch.cat(
        [module(images.pixels[i : i + 500].float() / 255).argmax(1) for i in range(0, count, 500)]
    )
    assert float((predicted == images.labels[:count]).float().mean()) == pytest.approx(
        told["pruned"]["accuracy"], abs=1e-6
    )
    assert module(images.pixels[:1].float() / 255).shape == (1, 10)


@pytest.mark.parametrize(
    "network, dataset, images", [("lenet5", "mnist", 10_000), ("resnet20", "cifar10", 1_000)]
)
def test_the_program_file_gives_the_accuracy_of_the_page_on_real_data(
    capsys, tmp_path, real, network, dataset, images
):
    real(dataset)
    masks, weights, program = (
        tmp_path / name for name in ("m.safetensors", "w.safetensors", "p.pt2")
    )
    told = call(
        capsys,
        "prune",
        "--network",
        network,
        "--dataset",
        dataset,
        "--sparsity",
        "0.6",
        "--images",
        str(images),
        "--masks",
        str(masks),
        "--weights",
        str(weights),
        "--program",
        str(program),
    )
    check_files(told, network, dataset, masks, weights, program)


STEPS = [
    {"method": "layer", "criterion": "loss_change", "value": 0.34},
    {"method": "filter", "value": 0.3},
    {"value": 0.8},
]


def test_steps_come_from_a_file(capsys, tmp_path):
    file = tmp_path / "recipe.json"
    file.write_text(json.dumps(STEPS))
    told = call(
        capsys,
        "prune",
        "--network",
        "lenet5",
        "--dataset",
        "digits",
        "--steps",
        str(file),
        "--calibration",
        "64",
    )
    assert [unit["method"] for unit in told["units"]] == ["layer", "filter", "weight"]
    assert told["recipe"]["calibration"] == 64 and len(told["recipe"]["steps"]) == 3
    file.write_text(json.dumps(told["recipe"]))  # what was printed is a recipe, too
    again = call(capsys, "prune", "--steps", str(file))
    del told["seconds"], again["seconds"]
    assert again == told


@pytest.mark.parametrize(
    "content, more, message",
    [
        ("[", (), "is not JSON"),
        ("3", (), "must hold a list of steps or a recipe"),
        ("[]", (), "steps must be a list of 1 to 6 steps"),
        ("[3]", (), "a step is an object"),
        ('[{"amount": 0.5}]', (), "unknown step field 'amount': choose from criterion"),
        ('[{"value": 2}]', (), "sparsity must be between 0 and 1, not 2"),
        ('{"steps": {}}', (), "steps must be a list"),
        ('[{"layers": ["fc1"], "value": 0.5}]', ("--sparsity", "0.5"), "leave out --sparsity"),
        ('[{"value": [1]}]', (), "sparsity must be"),
        ('[{"method": ["x"]}]', (), "unknown method"),
        ('[{"values": 5}]', (), "values must be an object"),
        ('[{"scope": "custom", "values": {"fc1": "a"}}]', (), "sparsity must be"),
    ],
)
def test_a_file_of_steps_that_is_wrong_is_one_line(capsys, tmp_path, content, more, message):
    file = tmp_path / "recipe.json"
    file.write_text(content)
    assert run([*BASE, "--steps", str(file), *more]) == 2
    assert message in (err := capsys.readouterr().err) and err.count("\n") == 1


@pytest.mark.parametrize(
    "network, options",
    [
        ("lenet300", ["--method", "feature", "--sparsity", "0.4"]),
        ("lenet5", ["--method", "layer", "--sparsity", "0.7"]),
        ("resnet20", ["--method", "layer", "--sparsity", "0.3"]),
        (
            "resnet20",
            ["--method", "filter", "--grouping", "across", "--scope", "layer", "--sparsity", "0.2"],
        ),
    ],
)
def test_files_hold_what_every_method_leaves(capsys, tmp_path, network, options):
    masks, weights, program = (
        tmp_path / name for name in ("m.safetensors", "w.safetensors", "p.pt2")
    )
    told = call(
        capsys,
        "prune",
        "--network",
        network,
        "--dataset",
        "digits",
        *options,
        "--masks",
        str(masks),
        "--weights",
        str(weights),
        "--program",
        str(program),
    )
    images, module = datasets.load("digits", "test"), torch.export.load(program).module()
    predicted = module(images.pixels.float() / 255).argmax(1)
    assert float((predicted == images.labels).float().mean()) == pytest.approx(
        told["pruned"]["accuracy"], abs=1e-6
    )
    kept, state = load_file(masks), load_file(weights)
    assert set(kept) <= set(state) and all(
        mask.shape[-2:] == state[name].shape[-2:] for name, mask in kept.items()
    )
    assert all((state[name][mask == 0] == 0).all() for name, mask in kept.items())
    assert ("input" in kept) == ("feature" in options)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--sparsity", "1.5"], "sparsity must be between 0 and 1, not 1.5"),
        (["--sparsity", "nan"], "sparsity must be between 0 and 1, not nan"),
        (["--threshold", "nan"], "threshold must be a number, not nan"),
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
            "needs batch norms, and lenet300 has none",
        ),
        (
            ["--method", "neuron", "--criterion", "loss_change", "--relative", "0.5"],
            "its scores can be negative",
        ),
        (
            ["--sparsity", "0.5", "--measure", "l2"],
            "there is no measure to choose here, not even 'l2'",
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
def test_bad_input_is_one_line_and_status_2(capsys, arguments, message):
    assert run([*BASE, *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and message in err and err.count("\n") == 1


def test_what_is_missing_outside_is_one_line_and_status_1(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_DATA", "unused")
    monkeypatch.setattr(
        urllib.request, "_opener", None
    )  # it remembers the proxies of its first use
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (
        run(
            [
                "prune",
                "--network",
                "lenet5",
                "--dataset",
                "mnist",
                "--sparsity",
                "0.5",
                "--data-dir",
                str(tmp_path),
            ]
        )
        == 1
    )
    assert (
        "check the connection" in (err := capsys.readouterr().err) and err.strip().count("\n") == 0
    )
    assert run(["prune", "--network", "resnet56", "--dataset", "digits", "--sparsity", "0.5"]) == 1
    assert "python -m pruning train resnet56 digits" in capsys.readouterr().err
    (tmp_path / "file").write_text("not a folder")
    assert (
        run([*BASE, "--sparsity", "0.5", "--masks", str(tmp_path / "file" / "m.safetensors")]) == 1
    )
    assert str(tmp_path / "file") in (err := capsys.readouterr().err) and err.count("\n") == 1


def test_list_names_everything(capsys):
    told = call(capsys, "list")
    assert list(told) == ["networks", "datasets", "methods", "criteria", "rules", "scopes"]
    assert list(told["networks"]) == ["lenet300", "lenet5", "lenet5-caffe", "resnet20", "resnet56"]
    assert told["criteria"]["magnitude"]["applies_to"] == ["weight", "filter", "layer"]
    assert run(["list", "criteria"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert len(CRITERIA) == 14
    for name, criterion in CRITERIA.items():
        assert f"[{', '.join(criterion.applies_to)}]" in lines[name]
    assert set(call(capsys, "list", "rules")["rules"]) >= {
        "sparsity",
        "threshold",
        "relative",
        "sigma",
    }
    assert run(["list"]) == 0 and "LeNet-300-100" in capsys.readouterr().out
    assert run(["list", "colours"]) == 2 and "choose from networks" in capsys.readouterr().err


def test_as_a_command_stdout_is_json_alone():
    told = subprocess.run(
        [sys.executable, "-m", "pruning", *BASE, "--sparsity", "0.5", "--json"], capture_output=True
    )
    assert (
        told.returncode == 0
        and json.loads(told.stdout)["pruned"]["sparsity"] == 0.5
        and told.stderr == b""
    )


def test_a_torchvision_that_does_not_fit_is_said_in_one_sentence(capsys, monkeypatch):
    from pruning.runtime import installation as environment

    versions = {"torch": "2.13.0+cpu", "torchvision": "0.29.2"}
    monkeypatch.setattr(environment, "version", versions.__getitem__)
    monkeypatch.setitem(sys.modules, "torchvision", None)  # its import fails
    assert run(["list"]) == 1
    err = capsys.readouterr().err
    assert (
        "torch 2.13.0+cpu and torchvision 0.29.2 do not work together" in err
        and "torch==2.15.0" in err
    )
    assert err.count("\n") == 1

"""``prune``: its result as JSON and as text."""

import json

import pytest

from pruning.cli.main import run
from pruning.engine.evaluate import evaluate
from pruning.engine.prune import prune
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_from_dict
from tests.pruning.cli.common import (
    PRUNE_SMALL,
    run_json,
    run_text,
)


def test_json_holds_the_evaluation(capsys):
    options = ["--method", "weight", "--criterion", "magnitude", "--scope", "global"]
    content = run_json(capsys, *PRUNE_SMALL, *options, "--sparsity", "0.9")
    recipe = Recipe.one_step("lenet300", "digits", value=0.9)
    [evaluation] = evaluate([recipe])
    assert list(content) == ["recipe", "dense", "pruned", "units", "layers", "warnings", "seconds"]
    assert recipe_from_dict(content["recipe"]) == recipe
    assert content["dense"] == {
        "accuracy": evaluation.dense_accuracy,
        "parameters": 266_610,
        "prunable_weights": 266_200,
        "macs": 266_200,
    }
    assert content["pruned"] == {
        "accuracy": evaluation.accuracy.value,
        "accuracy_low": evaluation.accuracy.value,
        "accuracy_high": evaluation.accuracy.value,
        "images": 360,
        "sparsity": evaluation.sparsity,
        "parameters": evaluation.masked.parameters,
        "macs": evaluation.masked.macs,
        "effective_parameters": evaluation.effective.parameters,
        "effective_macs": evaluation.effective.macs,
    }
    for layer in content["layers"]:
        assert list(layer) == ["name", "weights", "kept", "sparsity", "threshold"]
    assert content["units"] == [
        {"method": "weight", "total": 266_200, "removed": 239_580, "note": None}
    ]
    assert content["warnings"] == []
    assert content["seconds"] > 0


def test_layers_that_take_no_part_have_no_threshold(capsys):
    content = run_json(capsys, *PRUNE_SMALL, "--sparsity", "0.5", "--layers", "fc3,fc1")
    assert content["recipe"]["layers"] == ["fc1", "fc3"]
    assert [layer["threshold"] is None for layer in content["layers"]] == [False, True, False]


def test_text_names_masked_and_effective_costs_and_warnings(capsys):
    text = run_text(capsys, *PRUNE_SMALL, "--sparsity", "1")
    assert "100.00% of 266,200 prunable weights" in text
    assert "410 of 266,610 left (masks), 650.27x smaller; 10 effective" in text
    assert "0 of 266,200 left (masks); 0 effective" in text
    assert "warning: fc1, fc2, fc3 have lost" in text
    assert "95% interval" not in text
    text = run_text(capsys, *PRUNE_SMALL, "--sparsity", "0.5", "--images", "100")
    assert "of 100 test images (95% interval" in text


@pytest.mark.slow
def test_remove_reports_the_compact_network(capsys, tmp_path):
    from safetensors.torch import load_file

    weights, program = tmp_path / "w.safetensors", tmp_path / "p.pt2"
    options = ["--method", "filter", "--scope", "layer", "--sparsity", "0.7", "--remove"]
    outputs = ["--weights", str(weights), "--program", str(program)]
    base = ["prune", "--network", "lenet5-caffe", "--dataset", "digits", *options]
    content = run_json(capsys, *base, *outputs)
    assert (content["pruned"]["parameters"], content["pruned"]["macs"]) == (40_081, 267_900)
    removed = content["removed"]
    assert list(removed) == [
        *("max_logit_difference", "images_compared", "bytes", "encoding", "latency_ms"),
    ]
    assert removed["max_logit_difference"] < 1e-4
    assert removed["bytes"]["removed"] < removed["bytes"]["masked"]
    assert set(removed["encoding"]) == {"dense", "masked", "removed"}
    assert set(removed["latency_ms"]) == {"batch_1", "batch_64"}
    for latency in removed["latency_ms"].values():
        for measured in (latency["dense"], latency["removed"]):
            assert 0 < measured["low"] <= measured["median"] <= measured["high"]
            assert measured["runs"] > 0
    assert sum(tensor.numel() for tensor in load_file(weights).values()) == 40_081
    assert program.stat().st_size > 0
    assert run(base) == 0
    assert "logits of masked and removed: the same" in capsys.readouterr().out


def test_notes_on_steps_are_shown(capsys):
    options = ["--method", "layer", "--sparsity", "0.7", "--calibration", "64"]
    base = ["prune", "--network", "lenet5", "--dataset", "digits", *options]
    [unit] = run_json(capsys, *base)["units"]
    recipe = Recipe.one_step("lenet5", "digits", method="layer", value=0.7, calibration=64)
    [result] = prune(recipe).step_results
    assert unit["note"] == result.note != ""
    assert f"2 of 3 removed; {result.note}" in run_text(capsys, *base)


def test_json_is_valid_for_other_programs(capsys):
    def refuse(name: str) -> None:
        raise AssertionError(name)

    assert run([*PRUNE_SMALL, "--sparsity", "1", "--json"]) == 0
    json.loads(capsys.readouterr().out, parse_constant=refuse)


def test_a_recovery_is_told_with_the_accuracy_before_it(capsys):
    options = ["--method", "filter", "--scope", "layer", "--sparsity", "0.5"]
    content = run_json(capsys, *PRUNE_SMALL, *options, "--recovery", "reconstruct")
    recipe = recipe_from_dict(content["recipe"])
    assert recipe.recovery == ("reconstruct",)
    [recovered] = evaluate([recipe])
    [masked] = evaluate([recipe.without_recovery])
    assert content["pruned"]["accuracy"] == recovered.accuracy.value
    assert content["masked"]["accuracy"] == masked.accuracy.value < recovered.accuracy.value
    seconds = recovered.recovery_seconds
    assert content["recovery"] == {"names": ["reconstruct"], "images": 1024, "seconds": seconds}
    text = run_text(capsys, *PRUNE_SMALL, *options, "--recovery", "reconstruct")
    assert "reconstruct on 1,024 training images" in text
    assert f"before it {masked.accuracy.value:.2%}" in text

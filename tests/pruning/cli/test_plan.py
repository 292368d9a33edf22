"""``plan``: a sparsity for each layer."""

import json
import re

import pytest

from pruning.recipe.serialization import recipe_from_dict
from tests.pruning.cli.common import SMALL, error_of, run_json, run_text

PLAN_KEYS = [
    *("plan", "effective_parameters", "compression", "effective_macs"),
    *("validation_accuracy", "test_accuracy"),
]


@pytest.mark.slow
def test_plan_is_a_recipe_for_prune(capsys, tmp_path):
    out = tmp_path / "plan.json"
    options = ["--lose", "2", "--levels", "4"]
    content = run_json(capsys, "plan", *SMALL, *options, "--out", str(out))
    assert list(content) == ["lose", "dense_validation", "recipe", "plans"]
    planned, *baselines = content["plans"]
    assert planned["plan"].startswith("plan: ")
    names = [baseline["plan"].partition(":")[0] for baseline in baselines]
    assert names == ["global", "uniform", "ERK", "LAMP"]
    assert [list(plan) for plan in content["plans"]] == [PLAN_KEYS] * 5
    size = planned["effective_parameters"]
    assert size < 66_026  # of the scan alone
    for baseline in baselines:
        assert baseline["effective_parameters"] == pytest.approx(size, rel=0.01)
        assert baseline["validation_accuracy"] <= planned["validation_accuracy"]
    assert planned["validation_accuracy"] >= content["dense_validation"] - 0.02
    recipe = recipe_from_dict(json.loads(out.read_text()))
    assert recipe == recipe_from_dict(content["recipe"])
    pruned = run_json(capsys, "prune", "--steps", str(out))["pruned"]
    assert pruned["effective_parameters"] == size
    text = run_text(capsys, "plan", *SMALL, *options)
    assert re.search(r"sparsities  fc1=0\.\d+, fc2=0\.\d+, fc3=0\.\d+", text)
    header = text.splitlines()[0].split()
    assert "effective_compression" in header and "compression" not in header


@pytest.mark.slow
def test_the_recovery_is_a_part_of_the_plan(capsys):
    options = ["--method", "filter", "--levels", "2", "--lose", "3", "--recovery", "reconstruct"]
    content = run_json(capsys, "plan", *SMALL, *options)
    assert content["recipe"]["recovery"] == ["reconstruct"]
    planned, *baselines = content["plans"]
    assert [baseline["plan"].partition(":")[0] for baseline in baselines] == ["global", "uniform"]
    assert planned["validation_accuracy"] >= content["dense_validation"] - 0.03


@pytest.mark.parametrize(
    "options, message",
    [
        (["--lose", "101"], "from 0 to 100"),
        (["--lose", "-1"], "from 0 to 100"),
        (["--lose", "nan"], "from 0 to 100"),
        ([], "Missing option '--lose'"),
    ],
)
def test_bad_input_is_one_line(capsys, options, message):
    assert message in error_of(capsys, "plan", *SMALL, "--levels", "2", *options)

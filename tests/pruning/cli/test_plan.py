"""``plan``: a sparsity for each layer."""

import json

import pytest

from pruning.recipe.serialization import recipe_from_dict
from tests.pruning.cli.common import SMALL, error_of, run_json, run_text

PLAN_KEYS = [
    *("plan", "effective_parameters", "compression", "effective_macs"),
    *("validation_accuracy", "test_accuracy"),
]


def test_plan_is_a_recipe_for_prune(capsys, tmp_path):
    out = tmp_path / "plan.json"
    options = ["--lose", "2", "--levels", "4"]
    content = run_json(capsys, "plan", *SMALL, *options, "--out", str(out))
    assert list(content) == ["lose", "dense_validation", "recipe", "plans"]
    assert content["recipe"]["values"] == {"fc1": 0.75, "fc2": 0.75, "fc3": 0.75}
    assert [list(plan) for plan in content["plans"]] == [PLAN_KEYS] * 3
    assert [plan["effective_parameters"] for plan in content["plans"]] == [66_026, 66_017, 66_026]
    assert content["plans"][0]["validation_accuracy"] >= content["dense_validation"] - 0.02
    recipe = recipe_from_dict(json.loads(out.read_text()))
    assert recipe == recipe_from_dict(content["recipe"])
    pruned = run_json(capsys, "prune", "--steps", str(out))["pruned"]
    assert pruned["effective_parameters"] == 66_026
    text = run_text(capsys, "plan", *SMALL, *options)
    assert "sparsities  fc1=0.75, fc2=0.75, fc3=0.75" in text
    header = text.splitlines()[0].split()
    assert "effective_compression" in header and "compression" not in header


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

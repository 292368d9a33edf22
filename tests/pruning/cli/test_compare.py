"""``compare``: recipes at a budget."""

import pytest

from pruning.engine.evaluate import evaluate
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_from_dict, recipe_to_dict
from tests.pruning.cli.common import error_of, run_json, run_text, write_json

RECIPES = [
    Recipe.one_step("lenet300", "digits", value=0.8),
    Recipe.one_step(
        "lenet300", "digits", method="filter", criterion="random", scope="layer", seed=3
    ),
    Recipe.one_step(
        "lenet300", "digits", method="neuron", criterion="taylor", calibration=128, value=0.5
    ),
]
COLUMN_KEYS = [
    *("recipe", "column", "name", "value", "accuracy", "accuracy_low", "accuracy_high"),
    *("images", "sparsity", "effective_parameters", "effective_macs"),
    *("effective_compression", "theoretical_speed_up", "problem"),
]


@pytest.fixture
def files(tmp_path) -> list[str]:
    paths = []
    for index, recipe in enumerate(RECIPES):
        paths.append(write_json(tmp_path / f"{index}.json", recipe_to_dict(recipe)))
    return paths


def test_recipes_as_they_are(capsys, files):
    content = run_json(capsys, "compare", *files)
    assert list(content) == ["budget", "dense", "columns"]
    assert content["budget"] == {"kind": "own", "share": None}
    assert content["dense"] == {
        "accuracy": 0.9861111111111112,
        "parameters": 266_610,
        "macs": 266_200,
    }
    columns = content["columns"]
    assert [recipe_from_dict(column["recipe"]) for column in columns] == RECIPES
    for column in columns:
        assert list(column) == COLUMN_KEYS
        assert column["problem"] is None
    assert [column["effective_parameters"] for column in columns] == [53_440, 125_810, 117_578]
    assert [column["effective_macs"] for column in columns] == [53_038, 125_600, 117_368]
    text = run_text(capsys, "compare", *files)
    assert "Weights by Magnitude   96.94%   80.00%" in text
    assert "Neurons by Taylor, 128 calibration images   87.22%" in text


def test_an_equal_budget(capsys, files, tmp_path):
    csv = tmp_path / "table.csv"
    content = run_json(capsys, "compare", *files, "--budget", "macs=0.5", "--csv", str(csv))
    assert content["budget"] == {"kind": "macs", "share": 0.5}
    recipes = [recipe_from_dict(column["recipe"]) for column in content["columns"]]
    for column, evaluation in zip(content["columns"], evaluate(recipes), strict=True):
        assert column["effective_macs"] == evaluation.effective.macs
        assert column["effective_macs"] == pytest.approx(133_100, rel=0.03)
        assert column["accuracy"] == evaluation.accuracy.value
    assert csv.read_text().startswith("column,name,value,accuracy")
    assert len(csv.read_text().splitlines()) == 4

    again = write_json(tmp_path / "comparison.json", content)  # the output is an input, too
    repeated = run_json(capsys, "compare", again)
    assert [column["accuracy"] for column in repeated["columns"]] == [
        column["accuracy"] for column in content["columns"]
    ]


def test_fewer_images(capsys, files):
    content = run_json(capsys, "compare", *files[:2], "--images", "90")
    for column in content["columns"]:
        assert column["images"] == 90
        assert column["accuracy_low"] < column["accuracy"] < column["accuracy_high"]


def test_a_list_of_steps_has_the_default_network(capsys, tmp_path, files):
    steps = write_json(tmp_path / "steps.json", [{"value": 0.5}])
    message = error_of(capsys, "compare", files[0], steps)
    assert "only recipes of one network" in message
    assert "lenet300 on digits, lenet5 on mnist" in message


@pytest.mark.parametrize(
    "options, message",
    [
        (["--budget", "macs=2"], "macs must be between 0 and 1"),
        (["--budget", "size=1"], "must be like macs=0.5"),
        (["--images", "0"], "images must be"),
    ],
)
def test_bad_options_are_one_line(capsys, files, options, message):
    assert message in error_of(capsys, "compare", files[0], *options)


def test_files_are_needed(capsys, tmp_path):
    assert "Missing argument" in error_of(capsys, "compare")
    missing = tmp_path / "nowhere.json"
    message = error_of(capsys, "compare", str(missing), code=1)
    assert message == f"error: {missing}: no such file or directory\n"

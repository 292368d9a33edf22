"""``curve``: accuracy at many strengths."""

import pytest

from pruning.cli.curve import curve
from pruning.experiments.curve_request import DEFAULT_POINTS, DEFAULT_SEEDS
from pruning.recipe.serialization import recipe_from_dict
from tests.pruning.cli.common import SMALL, error_of, run_json, run_text, write_json

POINT_KEYS = [
    *("recipe", "sparsity", "effective_parameters", "effective_macs", "compression"),
    *("accuracy", "accuracy_low", "accuracy_high", "loss", "images", "of"),
]


def test_default_recipes(capsys):
    content = run_json(capsys, "curve", *SMALL, "--points", "3", "--seeds", "2")
    assert list(content) == ["points", "seeds", "precision", "curves"]
    assert (content["points"], content["seeds"], content["precision"]) == (3, 2, None)
    magnitude, random = content["curves"]
    assert list(magnitude) == ["name", "area", "runs"]
    assert (magnitude["name"], random["name"]) == ("Weights by Magnitude", "Weights by Random")
    assert [len(magnitude["runs"]), len(random["runs"])] == [1, 2]
    for run in (*magnitude["runs"], *random["runs"]):
        assert [list(point) for point in run] == [POINT_KEYS] * 3
        assert run[0]["accuracy"] == 0.9861111111111112
    assert [recipe_from_dict(run[0]["recipe"]).seed for run in random["runs"]] == [0, 1]


def test_compression_ratios_as_text(capsys):
    text = run_text(capsys, "curve", *SMALL, "--points", "0", "--seeds", "1")
    assert "area under Weights by Magnitude: 0.9714" in text
    assert "area under Weights by Random, seed 0: 0.6366" in text
    assert len(text.splitlines()) == 1 + 2 * 6 + 2
    header = text.splitlines()[0].split()
    assert "effective_compression" in header and "compression" not in header


def test_defaults_are_those_of_a_request():
    defaults = {parameter.name: parameter.default for parameter in curve.params}
    assert (defaults["points"], defaults["seeds"]) == (DEFAULT_POINTS, DEFAULT_SEEDS)


def test_csv_replaces_the_text(capsys, tmp_path):
    csv = tmp_path / "curve.csv"
    assert run_text(capsys, "curve", *SMALL, "--points", "2", "--csv", str(csv)) == ""
    header, *rows = csv.read_text().splitlines()
    assert header.startswith("name,seed,value,sparsity,effective_parameters")
    assert len(rows) == 2 * (1 + 3)


def test_options_replace_the_network_of_files(capsys, tmp_path):
    recipe = {"network": "lenet300", "dataset": "digits", "method": "filter", "scope": "layer"}
    file = write_json(tmp_path / "r.json", recipe)
    options = ["--points", "2", "--precision", "0.05", "--images", "300"]
    content = run_json(capsys, "curve", "--recipe", file, "--network", "lenet5", *options)
    assert content["precision"] == 0.05
    [[first, _]] = content["curves"][0]["runs"]
    assert first["recipe"]["network"] == "lenet5"
    assert first["recipe"]["dataset"] == "digits"


@pytest.mark.parametrize(
    "options, message",
    [
        (["--precision", "x"], "must be full or a number such as 0.01, not 'x'"),
        (["--precision", "3"], "between 0 and 1"),
        (["--precision", "nan"], "between 0 and 1"),
        (["--points", "1"], "points must be"),
        (["--seeds", "0"], "seeds must be"),
    ],
)
def test_bad_input_is_one_line(capsys, options, message):
    assert message in error_of(capsys, "curve", *SMALL, *options)


def test_a_missing_file_is_named(capsys):
    message = error_of(capsys, "curve", *SMALL, "--recipe", "nowhere.json", code=1)
    assert "nowhere.json" in message

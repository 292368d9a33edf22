"""``sensitivity``: each layer pruned alone."""

import pytest

from tests.pruning.cli.common import SMALL, error_of, run_json, run_text

POINT_KEYS = [
    *("layer", "level", "sparsity", "effective_parameters", "effective_macs", "compression"),
    *("accuracy", "accuracy_low", "accuracy_high", "loss", "images", "of"),
]


def test_json_and_csv(capsys, tmp_path):
    csv = tmp_path / "scan.csv"
    content = run_json(capsys, "sensitivity", *SMALL, "--levels", "3", "--csv", str(csv))
    assert list(content) == ["recipe", "dense", "order", "points"]
    assert content["dense"] == 0.975609756097561
    assert content["order"] == ["fc3", "fc1", "fc2"]
    assert [list(point) for point in content["points"]] == [POINT_KEYS] * 9
    assert [point["level"] for point in content["points"][:3]] == [1 / 3, 2 / 3, 1.0]
    assert content["points"][2]["effective_parameters"] == 10
    assert len(csv.read_text().splitlines()) == 10


def test_text(capsys):
    text = run_text(capsys, "sensitivity", *SMALL, "--levels", "3")
    assert "fc3      0.9756    0.9721    0.1220" in text
    assert "most sensitive first: fc3, fc1, fc2" in text


@pytest.mark.parametrize(
    "options, message",
    [
        (["--method", "layer"], "layer by layer"),
        (["--method", "feature"], "feature has no layers to choose from"),
        (["--levels", "0"], "levels must be a whole number from 1 to 100, not 0"),
        (
            ["--criterion", "bn_scale", "--method", "filter"],
            "needs a batch norm for every convolution",
        ),
        (["--calibration", "0", "--criterion", "taylor"], "calibration must be"),
    ],
)
def test_bad_input_is_one_line(capsys, options, message):
    assert message in error_of(capsys, "sensitivity", *SMALL, *options)

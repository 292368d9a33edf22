"""``train``."""

import json

import pytest

from pruning.models import checkpoints
from tests.pruning.cli.common import error_of, run_json, run_text

CARD_KEYS = {"network", "dataset", "test_accuracy", "validation_accuracy", "epochs", "seed"}


def test_card_is_printed_and_written(capsys, tmp_path):
    base = ["train", "lenet300", "digits", "--epochs", "1", "--seed", "5", "--out", str(tmp_path)]
    content = run_json(capsys, *base)
    assert content.keys() >= CARD_KEYS
    assert (content["epochs"], content["seed"]) == (1, 5)
    assert content == json.loads((tmp_path / "lenet300-digits.json").read_text())
    assert checkpoints.load("lenet300", "digits", tmp_path) is not None
    text = run_text(capsys, *base)
    assert text.startswith("lenet300 on digits: test accuracy ")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["lenet300", "digits", "--epochs", "0"], "'--epochs'"),
        (["lenet300", "digits", "--seed", "-1"], "'--seed'"),
        (["vgg", "digits"], "unknown network 'vgg'"),
        (["lenet300", "nope"], "unknown dataset 'nope'"),
        (["lenet300"], "Missing argument 'DATASET'"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, message):
    assert message in error_of(capsys, "train", *arguments)

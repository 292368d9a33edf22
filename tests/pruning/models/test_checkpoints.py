import hashlib
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.inference.classify import accuracy_of
from pruning.models import checkpoints
from pruning.runtime.errors import CheckpointError

NOT_JSON = "it is not JSON: it holds a number that JSON does not have"
FLOORS = {  # of the full test set
    ("lenet300", "mnist"): 0.982,
    ("lenet5", "mnist"): 0.990,
    ("lenet5-caffe", "mnist"): 0.992,
    ("mlpnet", "mnist"): 0.975,
    ("resnet20", "cifar10"): 0.905,
    ("lenet300", "digits"): 0.97,
    ("lenet5", "digits"): 0.98,
    ("lenet5-caffe", "digits"): 0.98,
    ("mlpnet", "digits"): 0.97,
    ("resnet20", "digits"): 0.98,
}


SLOW = {("resnet20", "cifar10"), ("lenet5-caffe", "mnist")}
SHIPPED = [pytest.param(*pair, marks=[pytest.mark.slow] if pair in SLOW else []) for pair in FLOORS]


def test_all_checkpoints_with_a_required_accuracy_are_shipped():
    assert set(checkpoints.shipped()) >= set(FLOORS)


@pytest.mark.parametrize("network, dataset", SHIPPED)
def test_a_shipped_checkpoint_reaches_its_cards_accuracy_and_its_floor(network, dataset, real):
    real(dataset)
    card, model, data = (
        checkpoints.card(network, dataset),
        checkpoints.load(network, dataset),
        DATASETS[dataset],
    )
    measured = accuracy_of(model, datasets.load(dataset, "test"), data)
    # Another processor may round another way and tip an image that lies between two classes.
    assert abs(measured - card.test_accuracy) <= 2 / card.test_images
    assert card.test_accuracy == card.test_correct / card.test_images >= FLOORS[network, dataset]
    assert card.test_images == data.test_images
    assert accuracy_of(model, datasets.load(dataset, "validation"), data) == pytest.approx(
        card.validation_accuracy, abs=2 / data.validation_images
    )


@pytest.mark.parametrize("network, dataset", SHIPPED)
def test_a_card_has_the_fingerprint_of_its_training_data(network, dataset, real):
    real(dataset)
    assert checkpoints.card(network, dataset).train_data_sha256 == datasets.fingerprint(
        datasets.load(dataset, "train")
    )


@pytest.fixture
def copy(tmp_path):
    for suffix in (".json", ".safetensors"):
        shutil.copy(checkpoints.FOLDER / f"lenet300-digits{suffix}", tmp_path)
    return tmp_path


def test_weights_come_back_bit_for_bit_and_frozen(copy):
    model = checkpoints.load("lenet300", "digits", copy)
    again = checkpoints.load("lenet300", "digits")
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True)
    )
    assert not model.training and not any(p.requires_grad for p in model.parameters())


def test_a_changed_byte_is_refused_by_name(copy):
    path = copy / "lenet300-digits.safetensors"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        CheckpointError,
        match=r"lenet300-digits.safetensors is not the file that its card describes",
    ):
        checkpoints.load("lenet300", "digits", copy)


@pytest.mark.parametrize(
    "content, message",
    [(b"no safetensors", "cannot be read"), (b"", "cannot be read"), (None, "cannot be read")],
)
def test_a_file_that_is_no_safetensors_is_refused_even_with_a_fitting_hash(copy, content, message):
    path = copy / "lenet300-digits.safetensors"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    card = json.loads((copy / "lenet300-digits.json").read_text())
    card["weights_sha256"] = hashlib.sha256(content or b"").hexdigest()
    (copy / "lenet300-digits.json").write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match=message) as caught:
        checkpoints.load("lenet300", "digits", copy)
    assert "lenet300-digits.safetensors" in str(caught.value) and "\n" not in str(caught.value)


def test_another_networks_weights_are_refused(copy):
    other = checkpoints.FOLDER / "lenet5-digits.safetensors"
    shutil.copy(other, copy / "lenet300-digits.safetensors")
    card = json.loads((copy / "lenet300-digits.json").read_text())
    card["weights_sha256"] = checkpoints.card("lenet5", "digits").weights_sha256
    (copy / "lenet300-digits.json").write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match="does not hold a lenet300"):
        checkpoints.load("lenet300", "digits", copy)


def test_a_broken_card_is_refused_by_name(copy):
    for text in ("{", "[]", '{"network": "lenet300"}'):
        (copy / "lenet300-digits.json").write_text(text)
        with pytest.raises(CheckpointError, match=r"lenet300-digits.json is not a readable card"):
            checkpoints.load("lenet300", "digits", copy)


def change_card(folder, **changes):
    """Replace fields of the card; NaN and infinity are written as Python's json does."""
    path = folder / "lenet300-digits.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refusal(read) -> str:
    """The message with which a reader refuses the checkpoint: one sentence, no exception's name."""
    with pytest.raises(CheckpointError) as caught:
        read("lenet300", "digits")
    message = str(caught.value)
    assert "\n" not in message and "Error" not in message
    return message


@pytest.mark.parametrize(
    "changes, problem",
    [
        ({"test_accuracy": float("nan")}, NOT_JSON),
        ({"validation_accuracy": float("inf")}, NOT_JSON),
        ({"seconds": float("-inf")}, NOT_JSON),
        ({"seconds": 10**400}, "seconds is not a finite number"),
        ({"test_accuracy": "0.98"}, "test_accuracy is not a finite number"),
        ({"test_accuracy": True}, "test_accuracy is not a finite number"),
        ({"test_accuracy": 98.6}, "test_accuracy is not between 0 and 1"),
        ({"validation_accuracy": -0.1}, "validation_accuracy is not between 0 and 1"),
        ({"test_correct": 361}, "test_correct is greater than test_images"),
        ({"test_correct": 100}, "test_accuracy is not test_correct / test_images"),
        ({"test_correct": -1}, "test_correct is negative"),
        ({"test_correct": 355.0}, "test_correct is not a whole number"),
        ({"test_images": 0}, "test_images is less than 1"),
        ({"epochs": None}, "epochs is not a whole number"),
        ({"optimizer": 1}, "optimizer is not text"),
        ({"weights_sha256": ["0"]}, "weights_sha256 is not text"),
        ({"versions": []}, "versions is not a JSON object"),
        ({"versions": {"torch": 2}}, "versions has a value that is not text"),
    ],
)
def test_an_impossible_card_is_refused(copy, changes, problem):
    change_card(copy, **changes)
    for read in (checkpoints.card, checkpoints.load):
        message = refusal(lambda network, dataset, read=read: read(network, dataset, copy))
        assert f"lenet300-digits.json is not a readable card ({problem})" in message


@pytest.mark.parametrize(
    "content, problem",
    [
        (b"{", "it is not JSON (line 1, column 2)"),
        (b"", "it is not JSON (line 1, column 1)"),
        (b"[]", "it is not a JSON object"),
        (b"[" * 51 + b"]" * 51, "it is nested too deeply"),
        (b"[" * 990 + b"]" * 990, "it is nested too deeply"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b'{"network": ' * 100_000 + b"1" + b"}" * 100_000, "it is nested too deeply"),
        (b"\xff\xfe", "it is not UTF-8 text"),
        (b'{"network": "lenet300"}', "dataset is missing"),
        (b'{"seed": ' + b"1" * 5_000 + b"}", NOT_JSON),
    ],
)
def test_a_file_that_is_no_card_is_refused(copy, content, problem):
    (copy / "lenet300-digits.json").write_bytes(content)
    message = refusal(lambda network, dataset: checkpoints.card(network, dataset, copy))
    assert f"lenet300-digits.json is not a readable card ({problem})" in message


def test_a_card_that_cannot_be_opened_is_refused(copy):
    (copy / "lenet300-digits.json").unlink()
    (copy / "lenet300-digits.json").mkdir()
    message = refusal(lambda network, dataset: checkpoints.card(network, dataset, copy))
    assert "lenet300-digits.json is not a readable card (is a directory)" in message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_refused(copy, value):
    path = copy / "lenet300-digits.safetensors"
    state = load_file(path)
    state["fc2.bias"][3] = value
    save_file(state, path)
    change_card(copy, weights_sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    message = refusal(lambda network, dataset: checkpoints.load(network, dataset, copy))
    assert "lenet300-digits.safetensors has NaN or infinite values in fc2.bias" in message


def test_no_checkpoint_says_how_to_make_one():
    with pytest.raises(CheckpointError, match="python -m pruning train resnet56 digits"):
        checkpoints.load("resnet56", "digits")
    with pytest.raises(ValueError, match="unknown network"):
        checkpoints.load("../lenet5", "digits")

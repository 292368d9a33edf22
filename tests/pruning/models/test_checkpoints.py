import json
import shutil

import pytest
import torch

from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.inference.classify import accuracy
from pruning.models import checkpoints
from pruning.runtime.errors import CheckpointError

FLOORS = {  # of the full test set
    ("lenet300", "mnist"): 0.982,
    ("lenet5", "mnist"): 0.990,
    ("lenet5-caffe", "mnist"): 0.992,
    ("resnet20", "cifar10"): 0.905,
    ("lenet300", "digits"): 0.97,
    ("lenet5", "digits"): 0.98,
    ("lenet5-caffe", "digits"): 0.98,
    ("resnet20", "digits"): 0.98,
}


def test_these_are_shipped():
    assert set(checkpoints.shipped()) >= set(FLOORS)


@pytest.mark.parametrize("network, dataset", FLOORS)
def test_a_shipped_checkpoint_reaches_its_cards_accuracy_and_its_floor(network, dataset, real):
    real(dataset)
    card, model, data = (
        checkpoints.card(network, dataset),
        checkpoints.load(network, dataset),
        DATASETS[dataset],
    )
    measured = accuracy(model, datasets.load(dataset, "test"), data)
    # Another processor may round another way and tip an image that lies between two classes.
    assert abs(measured - card.test_accuracy) <= 2 / card.test_images
    assert card.test_accuracy == card.test_correct / card.test_images >= FLOORS[network, dataset]
    assert card.test_images == data.test_images
    assert accuracy(model, datasets.load(dataset, "validation"), data) == pytest.approx(
        card.validation_accuracy, abs=2 / data.validation_images
    )


@pytest.mark.parametrize("network, dataset", FLOORS)
def test_a_card_knows_its_training_data(network, dataset, real):
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
        CheckpointError, match="lenet300-digits.safetensors is not the file that its card describes"
    ):
        checkpoints.load("lenet300", "digits", copy)


@pytest.mark.parametrize(
    "content, message",
    [(b"no safetensors", "cannot be read"), (b"", "cannot be read"), (None, "cannot be read")],
)
def test_a_file_that_is_no_safetensors_is_refused_even_with_a_fitting_hash(copy, content, message):
    import hashlib

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
        with pytest.raises(CheckpointError, match="lenet300-digits.json is not a readable card"):
            checkpoints.load("lenet300", "digits", copy)


def test_no_checkpoint_says_how_to_make_one():
    with pytest.raises(CheckpointError, match="python -m pruning train resnet56 digits"):
        checkpoints.load("resnet56", "digits")
    with pytest.raises(ValueError, match="unknown network"):
        checkpoints.load("../lenet5", "digits")

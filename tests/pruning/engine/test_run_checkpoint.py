import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from pruning.engine.prune import prune
from pruning.engine.run_checkpoint import (
    CARD,
    WEIGHTS,
    load_checkpoint,
    network_from_tensors,
    network_to_tensors,
    read_card,
    save_checkpoint,
)
from pruning.models import checkpoints
from pruning.recipe.recipe import Recipe
from pruning.runtime.atomic_write import sha256
from pruning.runtime.errors import CheckpointError

RECIPE = Recipe.one_step("lenet300", "digits", value=0.7)


def about() -> dict:
    card = vars(checkpoints.card("lenet300", "digits")).copy()
    del card["weights_sha256"]
    return card


@pytest.fixture
def folder(tmp_path):
    save_checkpoint(tmp_path, prune(RECIPE).network, **about())
    return tmp_path


@pytest.mark.parametrize(
    "recipe",
    [
        RECIPE,
        Recipe.one_step("lenet5", "digits", method="filter", value=0.5),
        Recipe.one_step("lenet5", "digits", method="layer", criterion="random", value=0.5),
        Recipe.one_step("resnet20", "digits", method="layer", value=0.5),
        Recipe.one_step("resnet20", "digits", method="layer", grouping="subnetwork", value=0.5),
        Recipe.one_step("lenet300", "digits", method="feature", criterion="random", value=0.5),
    ],
    ids=lambda recipe: f"{recipe.network}-{recipe.last_step.method}",
)
def test_a_network_comes_back_from_its_tensors(recipe):
    network = prune(recipe).network
    again = network_from_tensors(
        recipe.network,
        recipe.dataset,
        network_to_tensors(network),
        network.removed_layers,
        network.removed_blocks,
    )
    x = torch.rand(4, 1, 28, 28)
    if network.input_mask is not None:
        x = x * network.input_mask
    assert torch.equal(network.copy()(x), again.model(x))
    assert network.masks.keys() == again.masks.keys()
    for name, mask in network.masks.items():
        assert torch.equal(mask, again.masks[name])


def test_a_checkpoint_is_read_as_it_was_written(folder):
    checkpoint = load_checkpoint(folder)
    assert checkpoint.card == read_card(folder)
    assert not any(parameter.requires_grad for parameter in checkpoint.network.model.parameters())


def test_a_missing_run_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="the run gone is not on this machine"):
        load_checkpoint(tmp_path / "gone")
    (tmp_path / "begun").mkdir()
    with pytest.raises(CheckpointError, match="the run begun is not finished"):
        load_checkpoint(tmp_path / "begun")


def damage(folder, problem: str) -> None:
    """Damage a checkpoint in one way; the card keeps the hash of what is there."""
    weights = folder / WEIGHTS
    tensors = load_file(weights)
    metadata = {"removed_layers": "[]", "removed_blocks": "[]"}
    if problem == "shape":
        tensors["model.fc1.weight"] = torch.zeros(3, 3)
    elif problem == "nan":
        tensors["model.fc1.weight"][0, 0] = float("nan")
    elif problem == "mask":
        tensors["mask.fc1.weight"] = torch.ones(2, dtype=torch.uint8)
    elif problem == "names":
        metadata["removed_layers"] = "{}"
    if problem == "no safetensors":
        weights.write_bytes(b"hello")
    else:
        save_file(tensors, weights, metadata)
    content = json.loads((folder / CARD).read_text())
    content["weights_sha256"] = sha256(weights)
    (folder / CARD).write_text(json.dumps(content))


@pytest.mark.parametrize("problem", ["shape", "nan", "mask", "names", "no safetensors"])
def test_a_damaged_file_is_refused_in_one_sentence(folder, problem):
    damage(folder, problem)
    with pytest.raises(CheckpointError, match="delete the run, or retrain") as caught:
        load_checkpoint(folder)
    assert "\n" not in str(caught.value)


def test_weights_of_another_card_are_refused(folder):
    with (folder / WEIGHTS).open("ab") as file:
        file.write(b"x")
    with pytest.raises(CheckpointError, match="not the file that the card describes"):
        load_checkpoint(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "\xff"])
def test_a_damaged_card_is_refused(folder, text):
    (folder / CARD).write_bytes(text.encode("latin-1"))
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_card(folder)

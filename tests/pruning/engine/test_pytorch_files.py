"""Files that PyTorch loads by itself, in a process that cannot import this package."""

import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from pruning.engine.prune import prune
from pruning.engine.pytorch_files import save_for_pytorch
from pruning.models.own_network import register_network
from pruning.recipe.recipe import Recipe
from tests.small_network import SmallNetwork

PROGRAM = """
import sys
class Refused:
    def find_spec(self, name, path=None, target=None):
        assert not name.startswith("pruning"), name
sys.meta_path.insert(0, Refused())
import torch
from safetensors.torch import load_file, save_file
from load import network
with torch.no_grad():
    save_file({"logits": network(load_file("images.safetensors")["images"])}, "logits.safetensors")
"""


def logits_elsewhere(folder, images: torch.Tensor) -> torch.Tensor:
    save_file({"images": images}, folder / "images.safetensors")
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=folder, check=True, env={}, timeout=120)
    return load_file(folder / "logits.safetensors")["logits"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe",
    [
        Recipe.one_step("lenet5", "digits", method="filter", scope="layer", value=0.4),
        Recipe.one_step("lenet5", "digits", method="feature", criterion="random", value=0.5),
        Recipe.one_step("resnet20", "digits", method="filter", grouping="across", value=0.3),
    ],
)
def test_a_removed_network_gives_the_same_logits(recipe, tmp_path):
    model = prune(recipe).compact_model
    save_for_pytorch(model, (1, 28, 28), tmp_path)
    images = torch.rand(4, 1, 28, 28)
    with torch.no_grad():
        torch.testing.assert_close(logits_elsewhere(tmp_path, images), model(images))


@pytest.mark.slow
def test_a_network_of_the_user_gives_the_same_logits(tmp_path):
    model = SmallNetwork().eval()
    registered = register_network(model, (1, 8, 8)).own
    assert registered is not None
    save_for_pytorch(registered.model, (1, 8, 8), tmp_path)
    images = torch.rand(4, 1, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(logits_elsewhere(tmp_path, images), model(images))

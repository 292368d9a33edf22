"""Files that are made by a process of its own."""

import io
import json
import subprocess
import sys
import threading
import zipfile

import numpy as np
import pytest
import torch

from pruning.data import datasets
from pruning.data.datasets import DATASETS, normalise
from pruning.data.own_dataset import register_dataset
from pruning.engine.network_file import FILE_KINDS, make_file
from pruning.engine.prune import prune
from pruning.models.own_network import register_network
from pruning.recipe.recipe import Recipe
from tests.small_network import SmallNetwork

pytestmark = pytest.mark.slow
RECIPE = Recipe.one_step("lenet5", "digits", method="filter", scope="layer", value=0.3)
PROGRAM = """
import sys, numpy as np, torch
from load import network
np.save("logits.npy", network(torch.from_numpy(np.load("images.npy"))).detach().numpy())
assert not [name for name in sys.modules if name.startswith("pruning")]
"""


def nothing() -> None:
    """Let the work go on."""


@pytest.fixture
def own_recipe() -> Recipe:
    """Of a network and data that are not listed, and that another process does not know."""
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(60, 1, 8, 8, generator=generator)
    torch.manual_seed(2)
    network = register_network(SmallNetwork().eval(), (1, 8, 8), "Mine")
    data = register_dataset((images, torch.arange(60) % 10))
    return Recipe.one_step(network.name, data.name, method="filter", scope="layer", value=0.3)


def test_onnx_agrees_on_every_image():
    onnx = pytest.importorskip("onnx")
    made = make_file(RECIPE, "ONNX", remove=True, check=nothing)
    check = made.result["onnx"]
    assert check["agreeing"] == check["images"] == 360
    weights = onnx.load_from_string(made.content).graph.initializer
    numbers = sum(int(np.prod(weight.dims)) for weight in weights)
    smaller = prune(RECIPE).compact_model
    expected = sum(parameter.numel() for parameter in smaller.parameters())
    assert numbers == pytest.approx(expected, abs=100)  # and shapes and constants


def test_a_network_of_a_visitor_is_known_to_the_process(own_recipe, tmp_path):
    made = make_file(own_recipe, "PyTorch", remove=True, check=nothing)
    zipfile.ZipFile(io.BytesIO(made.content)).extractall(tmp_path)
    images = normalise(
        datasets.load(own_recipe.dataset, "test").pixels, DATASETS[own_recipe.dataset]
    )
    np.save(tmp_path / "images.npy", images.contiguous().numpy())
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, check=True)
    with torch.inference_mode():
        expected = prune(own_recipe).compact_model(images).numpy()
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), expected, atol=1e-5)
    assert json.loads((tmp_path / "recipe.json").read_text())["network"] == own_recipe.network


def test_a_report_names_the_recipe():
    made = make_file(RECIPE, "Report", remove=True, check=nothing)
    page = made.content.decode()
    assert "LeNet-5 on Digits" in page and "Share removed of each unit" in page


def test_a_file_is_cancelled_and_leaves_no_process(monkeypatch):
    started = []
    popen = subprocess.Popen

    def remember(*arguments, **options):
        started.append(popen(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", remember)
    is_wanted = threading.Event()
    threading.Timer(1.0, is_wanted.set).start()

    def check() -> None:
        if is_wanted.is_set():
            raise InterruptedError

    with pytest.raises(InterruptedError):
        make_file(RECIPE, "Report", remove=True, check=check)
    [process] = started
    assert process.poll() is not None


def test_every_kind_is_an_option_of_the_command():
    from pruning.cli.prune import prune as command

    options = {option for parameter in command.params for option in parameter.opts}
    assert {kind.option for kind in FILE_KINDS.values()} <= options

"""The command ``app``: a module of the owner's code, and an archive of images."""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from pruning.cli.app import prepare_own
from pruning.cli.main import main
from pruning.data.datasets import DATASETS
from pruning.engine.own_files import load_own, load_own_from_environment
from pruning.models import NETWORKS
from pruning.models.graph import UnsupportedNetworkError
from pruning.runtime.defaults import OWN_FOLDER_VARIABLE, OWN_IS_TEMPORARY_VARIABLE
from tests.pruning.cli.common import error_of

CODE = """
from tests.small_network import SmallNetwork
number = 3

def network():
    return SmallNetwork()

def text():
    return "no network"
"""


@pytest.fixture
def owner(tmp_path, monkeypatch):
    """A folder with a module of the owner, and images."""
    (tmp_path / "networks_of_the_owner.py").write_text(CODE)
    images, labels = load_digits(return_X_y=True)
    np.savez(tmp_path / "data.npz", x=images.reshape(-1, 8, 8).astype(np.float32), y=labels)
    (tmp_path / "data.npz.onnx").write_bytes((tmp_path / "data.npz").read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("networks_of_the_owner", None)


def test_network_and_data_are_written_for_the_application(owner):
    folder = owner / "own"
    folder.mkdir()
    prepare_own("networks_of_the_owner:network", "data.npz", folder)
    network, dataset = load_own(folder)
    try:
        assert NETWORKS[network].label == "SmallNetwork"
        assert network in list(NETWORKS) and dataset in list(DATASETS)
        assert DATASETS[dataset].test_images == 360
    finally:
        NETWORKS.discard(network)
        DATASETS.discard(dataset)


@pytest.mark.parametrize(
    "model, data, message, code",
    [
        ("nothing.onnx", "data.npz", "nothing.onnx cannot be read", 1),
        ("data.npz.onnx", "data.npz", "it is not an ONNX file", 1),
        ("networks", "data.npz", "--model is MODULE:FUNCTION", 2),
        ("nothing:network", "data.npz", "there is no module nothing", 1),
        ("networks_of_the_owner:nothing", "data.npz", "has no function nothing", 1),
        ("networks_of_the_owner:number", "data.npz", "has no function number", 1),
        ("networks_of_the_owner:text", "data.npz", "text returns an object of type str", 1),
        ("networks_of_the_owner:network", "nothing.npz", "nothing.npz does not exist", 1),
        ("networks_of_the_owner:network", "mnist", "does not accept images of shape", 1),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(
    capsys, owner, monkeypatch, model, data, message, code
):
    monkeypatch.setattr(tempfile, "tempdir", str(owner))
    assert message in error_of(capsys, "app", "--model", model, "--data", data, code=code)
    assert not list(owner.glob("prunescope-*"))


def test_the_server_reads_the_folder_and_deletes_it(owner, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(owner))
    started = []
    monkeypatch.setattr(os, "execve", lambda *arguments: started.append(arguments))
    arguments = ["app", "--model", "networks_of_the_owner:network", "--data", "data.npz"]
    main(arguments, standalone_mode=False)
    [(_, command, environment)] = started
    assert command[1].endswith("serve.py")
    for name in (OWN_FOLDER_VARIABLE, OWN_IS_TEMPORARY_VARIABLE):
        monkeypatch.setenv(name, environment[name])
    assert list(owner.glob("prunescope-*")) == [Path(environment[OWN_FOLDER_VARIABLE])]
    names = load_own_from_environment()
    try:
        assert NETWORKS[names[0]].label == "SmallNetwork"
    finally:
        NETWORKS.discard(names[0])
        DATASETS.discard(names[1])
    assert not list(owner.glob("prunescope-*"))
    assert OWN_FOLDER_VARIABLE not in os.environ
    assert load_own_from_environment() is None


def test_model_and_data_go_together(capsys):
    assert "go together" in error_of(capsys, "app", "--model", "a:b")


@pytest.mark.parametrize("about", ["[]", "{}", '{"label": "a", "dataset": {"mean": [0]}}', "3"])
def test_a_folder_with_another_content_is_refused(tmp_path, about):
    np.savez(tmp_path / "data.npz", x=np.zeros((10, 2, 2), np.float32), y=np.zeros(10, int))
    (tmp_path / "own.json").write_text(about)
    with pytest.raises(UnsupportedNetworkError, match="needs label and dataset"):
        load_own(tmp_path)

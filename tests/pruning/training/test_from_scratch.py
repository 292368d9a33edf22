import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pruning.cli.main import run
from pruning.data import datasets
from pruning.models import checkpoints
from pruning.runtime.atomic_write import atomic_write
from pruning.runtime.errors import CheckpointError
from pruning.training.from_scratch import train
from pruning.training.plans import TrainingPlan

SHORT = TrainingPlan(epochs=3, learning_rate=0.05, batch_size=64)


class Stop(Exception):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("network", ["lenet300", "lenet5"])
def test_an_interrupted_run_has_the_same_result_as_an_uninterrupted_one(network, tmp_path):
    train(network, "digits", SHORT, tmp_path / "whole")

    def stop(epoch, epochs, step, steps, loss):
        if (epoch, step) == (2, 5):
            raise Stop

    with pytest.raises(Stop):
        train(network, "digits", SHORT, tmp_path / "broken", stop)
    epochs = []
    card = train(
        network, "digits", SHORT, tmp_path / "broken", lambda epoch, *_: epochs.append(epoch)
    )
    assert min(epochs) == 2
    one, other = (
        load_file(tmp_path / place / f"{network}-digits.safetensors")
        for place in ("whole", "broken")
    )
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert (
        card.test_accuracy == checkpoints.card(network, "digits", tmp_path / "whole").test_accuracy
    )
    assert sorted(p.suffix for p in (tmp_path / "broken").iterdir()) == [".json", ".safetensors"]


@pytest.mark.slow
def test_a_killed_training_is_resumed(tmp_path, capsys):
    command = [
        sys.executable,
        "-m",
        "pruning",
        "train",
        "lenet300",
        "digits",
        "--epochs",
        "40",
        "--json",
        "--out",
        str(tmp_path),
    ]
    partial = tmp_path / "lenet300-digits.partial"
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    deadline = time.time() + 60
    while not partial.exists() and process.poll() is None and time.time() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert partial.exists() and not (tmp_path / "lenet300-digits.json").exists()
    with safe_open(partial, "pt") as file:
        done = int(file.metadata()["done"])
    assert 1 <= done < 40
    assert run(command[3:]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card["epochs"] == 40 and card["test_accuracy"] > 0.9
    assert {p.name for p in tmp_path.iterdir() if not p.name.startswith(".")} == {
        "lenet300-digits.json",
        "lenet300-digits.safetensors",
    }
    checkpoints.load("lenet300", "digits", tmp_path)


def test_a_partial_run_of_another_plan_is_not_continued(tmp_path):
    def stop(epoch, *_):
        if epoch == 2:
            raise Stop

    with pytest.raises(Stop):
        train("lenet300", "digits", SHORT, tmp_path, stop)
    epochs = []
    train(
        "lenet300",
        "digits",
        replace(SHORT, seed=1),
        tmp_path,
        lambda epoch, *_: epochs.append(epoch),
    )
    assert min(epochs) == 1


def test_the_test_images_are_not_read_before_the_last_epoch(tmp_path, monkeypatch):
    order, plain = [], datasets.load
    monkeypatch.setattr(
        datasets, "load", lambda name, split: order.append(split) or plain(name, split)
    )
    train(
        "lenet300",
        "digits",
        replace(SHORT, epochs=2),
        tmp_path,
        lambda epoch, *_: order.append(epoch),
    )
    assert order.index("test") > max(i for i, entry in enumerate(order) if entry == 2)


def corrupt(problem: str, partial) -> None:
    """Damage the file of an interrupted training in one way."""
    if problem == "no safetensors":
        partial.write_bytes(b"hello")
    elif problem == "no metadata":
        save_file({"x": torch.zeros(1)}, partial)
    elif problem == "plan is no JSON":
        save_file({"x": torch.zeros(1)}, partial, {"plan": "{", "done": "1", "seconds": "1"})
    elif problem == "plan is nested deeply":
        plan = "[" * 100_000
        save_file({"x": torch.zeros(1)}, partial, {"plan": plan, "done": "1", "seconds": "1"})
    elif problem == "no tensors":
        plan = json.dumps(asdict(SHORT))
        save_file({"x": torch.zeros(1)}, partial, {"plan": plan, "done": "1", "seconds": "1"})


@pytest.mark.parametrize(
    "problem",
    ["no safetensors", "no metadata", "plan is no JSON", "plan is nested deeply", "no tensors"],
)
def test_a_damaged_partial_file_is_refused_by_name(problem, tmp_path):
    partial = tmp_path / "lenet300-digits.partial"
    corrupt(problem, partial)
    with pytest.raises(CheckpointError, match="delete it to start over") as caught:
        train("lenet300", "digits", SHORT, tmp_path)
    assert str(partial) in str(caught.value) and "\n" not in str(caught.value)


def test_files_are_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(Stop), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise Stop
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["file.txt"]
    with atomic_write(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"

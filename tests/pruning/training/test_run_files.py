import json
import os
import signal
import subprocess
import sys
import time

import filelock
import pytest
from safetensors import SafetensorError

from pruning.cli.main import run
from pruning.engine.run_checkpoint import CARD, WEIGHTS
from pruning.runtime.errors import CheckpointError
from pruning.training import run_files
from pruning.training.retrain import retrain
from pruning.training.run_files import RECORDS, SPEC, STATE, RunError, RunFiles, list_runs, read_run
from tests.pruning.training.common import Stop, small_spec, stop_after

SPEC_OF_TESTS = small_spec("iterative", epochs=1, rounds=3)


@pytest.fixture
def paused(tmp_path) -> RunFiles:
    """A run that was interrupted in its second epoch."""
    with pytest.raises(Stop):
        retrain(SPEC_OF_TESTS, folder=tmp_path, device="cpu", report=stop_after(1))
    return RunFiles(SPEC_OF_TESTS.name, tmp_path)


@pytest.fixture
def finished(tmp_path) -> RunFiles:
    retrain(SPEC_OF_TESTS, folder=tmp_path, device="cpu")
    return RunFiles(SPEC_OF_TESTS.name, tmp_path)


def test_lists_name_every_state(paused, tmp_path):
    other = small_spec("finetune", epochs=1)
    retrain(other, folder=tmp_path, device="cpu")
    damaged = RunFiles("lenet300-digits-finetune-00000000", tmp_path)
    damaged.folder.mkdir()
    (damaged.folder / SPEC).write_text("{")
    (tmp_path / "Not a run").mkdir()
    states = {run.name: (run.state, run.epochs) for run in list_runs(tmp_path)}
    assert states == {
        paused.name: ("paused", 1),
        other.name: ("finished", 1),
        damaged.name: ("damaged", 0),
    }
    with paused.locked():
        assert read_run(paused.name, tmp_path).state == "running"
    paused.save_problem("the loss is nan")
    assert read_run(paused.name, tmp_path).state == "failed"


def test_a_folder_that_is_not_there_has_no_runs(tmp_path):
    assert list_runs(tmp_path / "nowhere") == []
    with pytest.raises(RunError, match="there is no run"):
        read_run("lenet300", tmp_path)


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "x" * 81, "-x"])
def test_names_that_are_no_runs_are_refused(name, tmp_path):
    with pytest.raises(ValueError, match="is not the name of a run"):
        RunFiles(name, tmp_path)


def test_two_trainings_of_one_run_are_refused(paused, tmp_path):
    with paused.locked(), pytest.raises(RunError, match="is being trained by another process"):
        retrain(SPEC_OF_TESTS, folder=tmp_path, device="cpu")
    with paused.locked(), pytest.raises(RunError, match="is being trained"):
        paused.delete()


@pytest.mark.slow
def test_a_second_process_is_refused(paused, tmp_path):
    command = [sys.executable, "-m", "pruning", "retrain", "--network", "lenet300"]
    command += ["--dataset", "digits", "--schedule", "iterative", "--target", "0.8"]
    command += ["--epochs", "1", "--rounds", "3", "--out", str(tmp_path), "--device", "cpu"]
    with paused.locked():
        done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and "is being trained by another process" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_finished_run_keeps_no_state_and_is_not_trained_again(finished, tmp_path):
    names = {path.name for path in finished.folder.iterdir()}
    assert names >= {SPEC, RECORDS, CARD, WEIGHTS} and STATE not in names
    calls = []
    retrain(SPEC_OF_TESTS, folder=tmp_path, device="cpu", report=calls.append)
    assert calls == []


def test_a_run_is_deleted_whole(finished, tmp_path):
    finished.delete()
    assert list_runs(tmp_path) == [] and list(tmp_path.iterdir()) == []
    with pytest.raises(RunError, match="there is no run"):
        finished.delete()


def test_only_finished_runs_are_exported(paused, tmp_path):
    with pytest.raises(CheckpointError, match="is not finished"):
        paused.export(tmp_path / "run.zip")
    assert not (tmp_path / "run.zip").exists()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SafetensorError("full")])
def test_a_full_disk_keeps_the_state_before(error, paused, tmp_path, monkeypatch):
    before = (paused.folder / STATE).read_bytes()

    def fail(*args: object) -> None:
        raise error

    monkeypatch.setattr(run_files, "save_file", fail)
    with pytest.raises(RunError, match=r"epoch 2 cannot be saved .* as it was after epoch 1"):
        retrain(SPEC_OF_TESTS, folder=tmp_path, device="cpu")
    assert (paused.folder / STATE).read_bytes() == before
    assert read_run(paused.name, tmp_path).state == "failed"
    monkeypatch.undo()
    assert retrain(SPEC_OF_TESTS, folder=tmp_path, device="cpu").epochs == 3
    assert read_run(paused.name, tmp_path).problem == ""


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_a_damaged_state_is_refused_by_name(content, paused, tmp_path):
    (paused.folder / STATE).write_bytes(content)
    with pytest.raises(RunError, match="delete the run to start over") as caught:
        retrain(SPEC_OF_TESTS, folder=tmp_path, device="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"spec": {}}', '{"spec": {"epochs": 1}}'])
def test_a_damaged_specification_is_listed_as_damaged(content, paused, tmp_path):
    (paused.folder / SPEC).write_text(content)
    [info] = list_runs(tmp_path)
    assert info.state == "damaged" and "delete it" in info.problem


@pytest.mark.slow
def test_a_run_that_is_killed_at_any_moment_goes_on(tmp_path, capsys):
    arguments = ["retrain", "--network", "lenet300", "--dataset", "digits"]
    arguments += ["--schedule", "iterative", "--target", "0.9", "--epochs", "3", "--rounds", "4"]
    arguments += ["--device", "cpu", "--json", "--out"]
    assert run([*arguments, str(tmp_path / "whole")]) == 0
    whole = json.loads(capsys.readouterr().out)
    interrupted = [sys.executable, "-m", "pruning", *arguments, str(tmp_path / "killed")]
    for delay in (0.05, 0.3, 0.7):
        process = subprocess.Popen(interrupted, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        state = tmp_path / "killed" / whole["name"] / STATE
        deadline = time.monotonic() + 60
        while not state.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert run([*arguments, str(tmp_path / "killed")]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["final"] == whole["final"]
    for one, other in zip(done["epochs"], whole["epochs"], strict=True):
        one.pop("seconds")
        other.pop("seconds")
        assert one == other


def test_a_run_that_is_deleted_while_it_is_locked_is_said(tmp_path, monkeypatch):
    files = RunFiles("lenet300-digits-finetune-0", tmp_path)

    def vanish(self, **options):
        raise FileNotFoundError

    monkeypatch.setattr(filelock.FileLock, "acquire", vanish)
    with pytest.raises(RunError, match="was deleted meanwhile"), files.locked():
        pass


def test_a_run_of_a_network_that_is_not_loaded_is_unavailable(finished, tmp_path):
    path = finished.folder / SPEC
    content = json.loads(path.read_text())
    content["spec"]["recipe"]["network"] = "own-0123456789abcdef"
    content["owner"] = "somebody"
    path.write_text(json.dumps(content))
    [run] = list_runs(tmp_path)
    assert (run.state, run.owner, run.spec) == ("unavailable", "somebody", None)
    assert "a user's network that is not loaded (own-0123456789abcdef)" in run.problem
    assert run.created > 0

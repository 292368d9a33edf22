"""``benchmark NAME`` of retraining."""

from dataclasses import replace

import pytest

from pruning.cli.benchmark_retraining import HELPS
from pruning.experiments.retrained import read_results
from pruning.experiments.retraining import RETRAINING_BENCHMARKS, sparsify
from pruning.recipe.recipe import Recipe
from tests.pruning.cli.common import error_of, run_json, run_text


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_RUNS", str(tmp_path / "runs"))


@pytest.fixture
def small(monkeypatch):
    """Penalties with two short runs on the built-in digits."""
    one_step = Recipe.one_step

    def on_digits(network, dataset, **step):
        return one_step(network, "digits", **step)

    monkeypatch.setattr(Recipe, "one_step", on_digits)
    monkeypatch.setattr(sparsify, "EPOCHS", 1)
    monkeypatch.setattr(sparsify, "SETTINGS", (("l1", 0.0), ("l2", 1e-3)))


def test_every_benchmark_has_a_command():
    assert set(HELPS) == set(RETRAINING_BENCHMARKS)


@pytest.mark.parametrize("name", list(HELPS))
def test_help_and_missing_runs(capsys, name):
    assert "--finished-only" in run_text(capsys, "benchmark", name, "--help")
    content = run_json(capsys, "benchmark", name, "--finished-only", "--seeds", "2")
    specs = RETRAINING_BENCHMARKS[name].specs(2)
    assert content["missing"] == [spec.name for spec in specs]
    assert (content["runs"], content["seeds"]) == ([], 2)


@pytest.mark.usefixtures("small")
def test_runs_are_trained_once_and_written(capsys, tmp_path):
    document = tmp_path / "results.md"
    command = ["benchmark", "sparsify", "--seeds", "1", "--device", "cpu"]
    content = run_json(capsys, *command, "--write", str(document))
    assert content["missing"] == [] and len(content["runs"]) == 2
    folders = sorted((tmp_path / "runs").iterdir())
    cards = [(folder / "card.json").stat().st_mtime_ns for folder in folders]
    text = run_text(capsys, *command)
    assert [(folder / "card.json").stat().st_mtime_ns for folder in folders] == cards
    assert text.startswith("Penalties: LeNet-300-100 on MNIST\n")
    written = document.read_text()
    assert "Measured by `python -m pruning benchmark sparsify --seeds 1`." in written
    assert "| L2 | 1e-03 |" in written


@pytest.mark.usefixtures("small")
def test_the_text_names_what_is_missing(capsys):
    text = run_text(capsys, "benchmark", "sparsify", "--seeds", "1", "--finished-only")
    assert text.count("missing, as it is not finished: lenet300-digits-sparsify-") == 2


@pytest.mark.usefixtures("small")
def test_results_for_curves(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(RETRAINING_BENCHMARKS, "_entries", dict(RETRAINING_BENCHMARKS))
    benchmark = replace(RETRAINING_BENCHMARKS["sparsify"], has_curves=True)
    RETRAINING_BENCHMARKS._entries["sparsify"] = benchmark
    path = tmp_path / "retrained.csv"
    options = ("--seeds", "1", "--device", "cpu", "--data", str(path))
    content = run_json(capsys, "benchmark", "sparsify", *options)
    results = read_results(path)
    accuracies = [run["test_accuracy"] for run in content["runs"]]
    assert [result.accuracy for result in results] == accuracies
    assert {result.benchmark for result in results} == {"sparsify"}


def test_bad_input_is_one_line(capsys):
    message = error_of(capsys, "benchmark", "lottery", "--data", "results.csv")
    assert "the runs of lottery have no place on curves: leave out --data" in message
    message = error_of(capsys, "benchmark", "lottery", "--seeds", "0")
    assert "seeds must be a whole number from 1 to 20, not 0" in message

"""Networks that were pruned and trained here."""

import statistics
from dataclasses import replace

import pytest

from pruning.cost.macs import dense_cost
from pruning.engine.evaluate import evaluate
from pruning.experiments import retrained
from pruning.experiments.retrained import (
    RetrainedNetwork,
    benchmark_result,
    curves_of_runs,
    read_results,
    shipped_curves,
    write_results,
)
from pruning.experiments.retraining import RETRAINING_BENCHMARKS
from pruning.recipe.recipe import Recipe
from pruning.training.retrain import recipe_of_run, retrain
from pruning.training.run_files import RunFiles
from pruning.training.spec import default_spec

RESULT = RetrainedNetwork(
    "one", "weights", "lenet300", "digits", "weight", 0, 2, 0.9, 9.5, 0.1, 350, 360
)


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_RUNS", str(tmp_path / "runs"))


@pytest.fixture
def own_file(tmp_path, monkeypatch):
    path = tmp_path / "retrained.csv"
    monkeypatch.setattr(retrained, "FILE", path)
    retrained._shipped_results.cache_clear()
    yield path
    retrained._shipped_results.cache_clear()


def test_results_of_a_benchmark_replace_its_earlier_ones_only(tmp_path):
    path = tmp_path / "results.csv"
    other = replace(RESULT, benchmark="two")
    write_results("one", [RESULT, replace(RESULT, seed=1)], path)
    write_results("two", [other], path)
    write_results("one", [replace(RESULT, correct=340)], path)
    assert read_results(path) == [other, replace(RESULT, correct=340)]


def test_the_seeds_of_a_setting_are_one_point(own_file):
    seeds = [replace(RESULT, seed=seed, correct=350 + seed) for seed in range(3)]
    less = replace(RESULT, sparsity=0.5, compression=2.0, correct=355)
    elsewhere = replace(RESULT, network="lenet5")
    write_results("one", [*seeds, less, elsewhere], own_file)
    [curve] = shipped_curves("lenet300", "digits")
    first, second = curve.points
    assert curve.is_joined and (curve.name, curve.method) == ("weights", "weight")
    assert first.networks == (less,) and first.deviation is None
    accuracies = [350 / 360, 351 / 360, 352 / 360]
    assert second.accuracy == pytest.approx(351 / 360)
    assert second.deviation == pytest.approx(statistics.stdev(accuracies))
    assert first.position("compression") == 2.0 and second.position("macs") == pytest.approx(0.1)
    assert shipped_curves("lenet5", "mnist") == []


@pytest.mark.usefixtures("own_folder")
def test_the_costs_of_a_run_are_those_of_its_network():
    recipe = Recipe.one_step("lenet300", "digits", method="filter", scope="layer", value=0.5)
    spec = default_spec(recipe, "finetune", epochs=1, seed=3)
    card = retrain(spec, device="cpu")
    result = benchmark_result("name", spec, card)
    [evaluation] = evaluate([recipe_of_run(spec)])
    dense = dense_cost("lenet300", "digits")
    assert result.accuracy == card.test_accuracy == evaluation.accuracy.value
    assert result.sparsity == pytest.approx(evaluation.sparsity)
    assert result.macs == evaluation.effective.macs / dense.macs < 1
    assert result.compression == pytest.approx(evaluation.effective_compression)
    assert (result.seed, result.epochs, result.run) == (3, 1, "")
    assert result.series == "Filters by Magnitude, layerwise, fine-tune"


@pytest.mark.usefixtures("own_folder")
def test_finished_runs_are_points_of_their_own():
    specs = []
    for seed in range(2):
        spec = default_spec(Recipe.one_step("lenet300", "digits"), "finetune", epochs=1, seed=seed)
        retrain(spec, device="cpu")
        specs.append(spec)
    [curve] = curves_of_runs("lenet300", "digits", 10)
    names = [network.run for point in curve.points for network in point.networks]
    assert set(names) == {spec.name for spec in specs}
    assert not curve.is_joined and all(point.deviation is None for point in curve.points)
    [newest] = curves_of_runs("lenet300", "digits", 1)
    assert len(newest.points) == 1
    assert curves_of_runs("lenet5", "digits", 10) == []


@pytest.mark.usefixtures("own_folder")
def test_a_damaged_run_is_left_out():
    spec = default_spec(Recipe.one_step("lenet300", "digits"), "finetune", epochs=1, seed=8)
    retrain(spec, device="cpu")
    (RunFiles(spec.name).folder / "network.safetensors").write_bytes(b"damaged")
    assert curves_of_runs("lenet300", "digits", 10) == []


def test_shipped_results_are_those_of_the_benchmarks():
    with_curves = {name for name, item in RETRAINING_BENCHMARKS.items() if item.has_curves}
    results = read_results()
    assert {result.benchmark for result in results} <= with_curves
    assert results
    for result in results:
        dense = dense_cost(result.network, result.dataset)
        assert 1 <= result.compression <= dense.parameters
        assert 0 < result.macs < 1 and 0 < result.sparsity < 1
        assert 0 < result.correct < result.images == 10_000
    settings = [
        (result.benchmark, result.network, result.series, result.seed, result.sparsity)
        for result in results
    ]
    assert len(set(settings)) == len(settings)

import pytest

from pruning.engine.prune import prune
from pruning.experiments.retraining import RETRAINING_BENCHMARKS
from pruning.experiments.retraining.base import (
    MISSING,
    check_seeds,
    mean_and_deviation,
    of_seeds,
    read_finished,
)
from pruning.recipe.recipe import Recipe
from pruning.training.retrain import retrain
from pruning.training.spec import default_spec
from tests.pruning.experiments.retraining.common import finished


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_RUNS", str(tmp_path / "runs"))


def filter_spec(seed: int = 0):
    recipe = Recipe.one_step(
        "lenet300", "digits", method="filter", scope="custom", value=0.5, values=(("fc1", 0.9),)
    )
    return default_spec(recipe, "finetune", epochs=1, seed=seed)


@pytest.mark.usefixtures("own_folder")
def test_finished_runs_are_read_and_others_left_out():
    spec, other = filter_spec(), filter_spec(1)
    card = retrain(spec, device="cpu")
    runs = read_finished([other, spec])
    assert list(runs) == [spec]
    run = runs[spec]
    assert run.card == card and run.test_error == 1 - card.test_accuracy
    assert len(run.records) == 1
    assert run.units_left() == {"fc1": 30, "fc2": 50}
    effective = prune(spec.recipe).effective
    assert run.effective.macs == effective.macs == 784 * 30 + 30 * 50 + 50 * 10
    kept = 784 * 30 + 300 * 50 + 100 * 10  # masks of a filter are those of its own weights
    assert run.sparsity == pytest.approx(1 - kept / (784 * 300 + 300 * 100 + 100 * 10))


def test_mean_and_sample_deviation_are_percentages():
    assert mean_and_deviation([0.5, 0.6]) == "55.00 ± 7.07"  # 10 / sqrt(2)
    assert mean_and_deviation([0.12345], decimals=1) == "12.3"
    assert mean_and_deviation([]) == MISSING


def test_runs_come_in_the_order_of_their_seeds():
    specs = [filter_spec(seed) for seed in range(3)]
    runs = {specs[2]: finished(specs[2]), specs[0]: finished(specs[0])}
    assert of_seeds(runs, specs) == [runs[specs[0]], runs[specs[2]]]


@pytest.mark.parametrize("seeds", [0, -1, 21])
def test_a_number_of_seeds_out_of_range_is_refused(seeds):
    with pytest.raises(ValueError, match="seeds must be a whole number from 1 to 20"):
        check_seeds(seeds)


@pytest.mark.parametrize("name", list(RETRAINING_BENCHMARKS))
def test_runs_differ_and_seeds_add_runs(name):
    benchmark = RETRAINING_BENCHMARKS[name]
    one, two = benchmark.specs(1), benchmark.specs(2)
    assert len(set(two)) == len(two) == 2 * len(one)
    assert set(one) <= set(two)
    assert {spec.seed for spec in two} == {0, 1}


@pytest.mark.parametrize("name", list(RETRAINING_BENCHMARKS))
def test_a_run_comes_after_the_run_that_it_starts_from(name):
    earlier = set()
    for spec in RETRAINING_BENCHMARKS[name].specs(2):
        assert not spec.recipe.checkpoint or spec.recipe.checkpoint in earlier
        earlier.add(spec.name)


@pytest.mark.parametrize("name", list(RETRAINING_BENCHMARKS))
def test_tables_without_runs_say_that_they_are_missing(name):
    parts = RETRAINING_BENCHMARKS[name].function({}, 1)
    tables = [part for part in parts if not isinstance(part, str)]
    assert tables
    for table in tables:
        assert MISSING in table.frame.to_numpy()

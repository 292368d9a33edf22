"""A study from its file to its table: controls, seeds, intervals, and what is measured once."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from pruning.engine.evaluate import evaluate
from pruning.experiments.study import measurement
from pruning.experiments.study.expansion import DENSE, expand
from pruning.experiments.study.measurement import estimate_time, measure
from pruning.experiments.study.results import curves_by_pair, results_table
from pruning.experiments.study.study_file import StudyError, parse_study
from pruning.figures.study_report import study_report
from pruning.recipe.recipe import Recipe

TEXT = """title = "A <small> study"
networks = "lenet300"
datasets = "digits"
values = [0.5, 0.6, 0.7, 0.8, 0.9]
seeds = [3, 4, 5]

[[recipes]]
criterion = ["magnitude", "random"]
scope = "layer"

[[runs]]
label = "trained"
schedule = "finetune"
epochs = 1
values = 0.8
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("PRUNESCOPE_STORE", str(tmp_path / "store.sqlite"))
    return parse_study(TEXT)


def test_every_combination_is_there_once_with_its_controls(study):
    points = expand(study)
    count = {}
    for point in points:
        count[point.curve] = count.get(point.curve, 0) + 1
    assert count == {
        DENSE: 1,
        "Weights by Magnitude, layerwise": 5,
        "Weights by Random, layerwise": 5 * 3,
        "trained": 3,
        "random control, weight": 5 * 3,
    }
    assert len(set(points)) == len(points)
    runs = [point.run for point in points if point.run is not None]
    assert [run.seed for run in runs] == [3, 4, 5]
    assert all(run.epochs == 1 and run.recipe.last_step.value == 0.8 for run in runs)


def test_what_does_not_go_together_is_named_with_the_line_of_its_table():
    text = TEXT.replace('"magnitude", "random"', '"magnitude", "apoz"')
    with pytest.raises(StudyError, match=r"my\.toml, line 7: criterion 'apoz' does not"):
        expand(parse_study(text), "my.toml")


@pytest.mark.slow
def test_means_and_intervals_are_over_the_seeds(study):
    points = expand(study)
    evaluations = measure(study, points)
    table = results_table(points, evaluations)
    rows = table.set_index(["curve", "value"])
    recipes = []
    for seed in study.seeds:
        step = {"criterion": "random", "scope": "layer", "value": 0.5}
        recipes.append(replace(Recipe.one_step("lenet300", "digits", **step), seed=seed))
    accuracies = np.array([each.accuracy.value for each in evaluate(recipes)])
    row = rows.loc[("Weights by Random, layerwise", 0.5)]
    assert row.seeds == 3 and row.interval == "over seeds"
    assert row.accuracy == pytest.approx(accuracies.mean())
    low, high = stats.t.interval(0.95, 2, accuracies.mean(), accuracies.std(ddof=1) / math.sqrt(3))
    assert (row.accuracy_low, row.accuracy_high) == pytest.approx((low, high))
    magnitude = rows.loc[("Weights by Magnitude, layerwise", 0.9)]
    assert magnitude.seeds == 1 and magnitude.interval == "over images"
    assert magnitude.accuracy_low < magnitude.accuracy < magnitude.accuracy_high
    assert rows.loc[("trained", 0.8)].trained and rows.loc[("trained", 0.8)].seeds == 3
    assert rows.loc[("trained", 0.8)].sparsity == pytest.approx(0.8, abs=1e-4)
    assert rows.loc[(DENSE, 0.0)].sparsity == 0

    curves = curves_by_pair(points, evaluations)
    [named] = curves.values()
    assert [len(each.curve.runs) for each in named] == [1, 3, 3, 3]
    page = study_report(study, TEXT, curves, table)
    assert "<h1>A &lt;small&gt; study</h1>" in page
    assert page.count("LeNet-300-100 on Digits: accuracy") == 2


@pytest.mark.slow
def test_a_study_goes_on_where_it_stopped(study, monkeypatch):
    points = expand(study)
    assert estimate_time(study, points).unknown == len(points)

    def stop(share: float) -> None:
        if share > 0.1:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        measure(study, points, stop)
    trained = []
    retrain = measurement.retrain

    def count(run, **options):
        trained.append(run)
        return retrain(run, **options)

    measure(study, points)
    monkeypatch.setattr(measurement, "retrain", count)
    known = estimate_time(study, points)
    assert (known.points, known.unknown, known.seconds) == (len(points), 0, 0.0)
    measure(study, points)
    assert len(trained) == 3  # each returns its card at once


def test_a_study_of_runs_has_a_random_control_too():
    text = TEXT[: TEXT.index("[[recipes]]")] + TEXT[TEXT.index("[[runs]]") :]
    curves = {point.curve for point in expand(parse_study(text))}
    assert curves == {DENSE, "trained", "random control, weight"}

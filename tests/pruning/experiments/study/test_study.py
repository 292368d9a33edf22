"""A study from its file to its table: controls, seeds, intervals, and what is measured once."""

import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pruning.engine.evaluate import evaluate
from pruning.experiments.budgets import remaining_share
from pruning.experiments.curves import Curve
from pruning.experiments.study import measurement
from pruning.experiments.study.expansion import expand, match_budgets
from pruning.experiments.study.measurement import estimate_time, measure
from pruning.experiments.study.results import (
    NamedCurve,
    curves_by_pair,
    dense_accuracies,
    results_table,
)
from pruning.experiments.study.study_file import CONTROL, DENSE, StudyError, parse_study
from pruning.figures.parts import CURVE_COLOURS
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
        "random control, weight, fine-tune, epochs 1": 3,
    }
    assert len(set(points)) == len(points)
    runs = [point.run for point in points if point.run is not None]
    assert [run.seed for run in runs] == [3, 4, 5] * 2
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
    assert set(table.budget) == {"units"} and set(table.problem) == {""}
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
    assert [len(each.curve.runs) for each in named] == [1, 3, 3, 3, 3]
    dense = dense_accuracies(points, evaluations)
    assert dense == {("lenet300", "digits"): rows.loc[(DENSE, 0.0)].accuracy}
    page = study_report(study, TEXT, curves, dense, table)
    assert page.count(f"dense {rows.loc[(DENSE, 0.0)].accuracy:.2%}") == 2
    assert "<h1>A &lt;small&gt; study</h1>" in page
    assert page.count("LeNet-300-100 on Digits: accuracy") == 2
    assert "Fewer have: trained; random control, weight, fine-tune, epochs 1.</p>" in page


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
    assert len(trained) == 6  # each returns its card at once


def test_a_study_of_runs_has_a_random_control_too():
    text = TEXT[: TEXT.index("[[recipes]]")] + TEXT[TEXT.index("[[runs]]") :]
    curves = {point.curve for point in expand(parse_study(text))}
    assert curves == {DENSE, "trained", "random control, weight, fine-tune, epochs 1"}


def one_entry(fields: str, top: str = "") -> str:
    """A study of one table of recipes."""
    head = 'networks = "lenet300"\ndatasets = "digits"\nseeds = [7, 8, 9]\n'
    return f"{head}{top}\n[[recipes]]\n{fields}\n"


def test_seeds_are_draws_of_calibration_images_where_there_are_several():
    fields = 'criterion = "taylor"\nvalues = 0.5\ncalibration = '
    points = [point for point in expand(parse_study(one_entry(f"{fields}200"))) if point.seed]
    taylor = [point for point in points if point.recipe.last_step.criterion == "taylor"]
    assert [(point.seed, point.recipe.draw) for point in taylor] == [(7, 0), (8, 1), (9, 2)]
    whole = expand(parse_study(one_entry(f"{fields}1024")))
    assert [point.recipe.draw for point in whole if "Taylor" in point.curve] == [0]


def test_kept_layers_take_part_in_nothing():
    top = 'kept_layers = "fc3"'
    points = expand(parse_study(one_entry('criterion = "magnitude"\nvalues = 0.5', top)))
    chosen = {point.recipe.chosen_layers for point in points if point.curve != DENSE}
    assert chosen == {("fc1", "fc2")}
    with pytest.raises(StudyError, match=r"line 5: .*no layer 'conv9' for weight: choose from fc1"):
        expand(parse_study(one_entry("values = 0.5", 'kept_layers = "conv9"')), "my.toml")


@pytest.mark.usefixtures("study")
def test_budgets_are_met_or_the_table_says_why():
    fields = 'method = "filter"\nbudgets = ["macs=0.5", "macs=0.25", "parameters=0.000001"]'
    points = match_budgets(expand(parse_study(one_entry(fields))))
    table = results_table(points, evaluate([point.measured for point in points]))
    rows = table[table.budget == "macs"].set_index(["curve", "value"])
    for value in (0.5, 0.25):
        row = rows.loc[("Filters by Magnitude", value)]
        assert row.speed_up == pytest.approx(1 / value, rel=0.02) and row.problem == ""
        control = rows.loc[("random control, filter", value)]
        assert control.speed_up == pytest.approx(1 / value, rel=0.02) and control.seeds == 3
    impossible = table[table.budget == "parameters"]
    assert len(impossible) == 2
    assert impossible.problem.str.contains("No sparsity|out of reach", regex=True).all()


def test_a_run_is_adapted_to_its_budget_before_it_is_trained():
    text = one_entry("values = 0.5") + '[[runs]]\nschedule = "finetune"\nbudgets = "macs=0.5"\n'
    points = match_budgets(expand(parse_study(text)))
    runs = [point for point in points if point.run is not None]
    assert len(runs) == 6
    for point in runs:
        assert point.run.recipe == point.recipe
        assert remaining_share(point.recipe, "macs") == pytest.approx(0.5, abs=0.01)


def test_runs_stand_after_those_that_they_start_from():
    text = 'benchmark = "lenet-records"\nseeds = [0, 1]\n'
    points = expand(parse_study(text))
    runs = [point.run for point in points if point.run is not None]
    found = measurement.waves(runs)
    assert sum(map(len, found)) == len(runs) == 34
    earlier = {""}
    for wave in found:
        assert all(run.recipe.checkpoint in earlier for run in wave)
        earlier |= {run.name for run in wave}
    compressions = {round(1 / (1 - point.strength.value)) for point in points}
    assert compressions == {1, 2, 4, 12, 20, 50, 60, 70, 100, 200, 300}


@pytest.mark.slow
def test_an_estimate_covers_seeds_and_curves_that_are_not_sampled(study, monkeypatch):
    points = [point for point in expand(study) if point.run is None]
    evaluated = []

    def count(recipes, **options):
        evaluated.extend(recipes)
        return evaluate(recipes, **options)

    monkeypatch.setattr(measurement, "evaluate", count)
    monkeypatch.setattr(measurement, "SAMPLE_S", 0.0)
    expected = estimate_time(study, points)
    curves = {point.curve for point in points}
    assert expected.seconds > 0 and len(evaluated) < 2 * len(curves)
    assert expected.describe().startswith("36 points, 0 of them known; about ")
    assert "cluster" not in expected.describe()


@pytest.mark.parametrize(
    "text",
    [
        'label = "same"\nvalues = 0.5\n[[recipes]]\nlabel = "same"\nvalues = 0.6',
        'values = 0.5\n[[recipes]]\ncriterion = "magnitude"\nvalues = 0.6',
        'label = "a"\nvalues = 0.5\n[[runs]]\nlabel = "a"\nschedule = "finetune"\nvalues = 0.5',
    ],
)
def test_two_curves_cannot_have_one_name(text):
    last = text.count("\n") - (2 if "[[runs]]" not in text else 3) + 6
    with pytest.raises(StudyError, match=f"line {last}: .* is the name of two curves .line 5."):
        expand(parse_study(one_entry(text)), "my.toml")


def test_settings_that_a_schedule_does_not_have_are_refused():
    text = 'values = 0.5\n[[runs]]\nschedule = "finetune"\nrounds = [2, 3]\nvalues = 0.5'
    with pytest.raises(StudyError, match="line 7: finetune has no rounds: leave it out"):
        expand(parse_study(one_entry(text)), "my.toml")


@pytest.mark.parametrize(
    "fields",
    [
        'method = "layer"\nvalues = 0.5',
        'criterion = "random"\nrecovery = "reconstruct"\nvalues = 0.5',
    ],
)
def test_seeds_beyond_the_draws_of_images_use_them_again(fields):
    text = one_entry(fields).replace("lenet300", "lenet5")
    points = expand(parse_study(text))
    assert {point.seed for point in points} >= {7, 8, 9}
    assert all(point.recipe.draw == 0 for point in points)  # digits: one draw of 1,024 images


def test_controls_are_recovered_and_trained_like_what_they_stand_beside():
    text = one_entry('criterion = ["magnitude", "taylor"]\nrecovery = "reconstruct"\nvalues = 0.5')
    text += '[[runs]]\nschedule = ["iterative", "gradient"]\ncriterion = "taylor"\nvalues = 0.5\n'
    points = expand(parse_study(text))
    controls = {}
    for point in points:
        if point.curve.startswith(CONTROL):
            controls[point.curve] = point
    assert list(controls) == [
        "random control, weight, reconstruction",
        "random control, weight, iterative",
        "random control, weight, gradient-based",
    ]
    recovered, trained, _ = controls.values()
    assert recovered.recipe.recovery == ("reconstruct",) and recovered.run is None
    assert trained.run.schedule == "iterative"
    assert all(point.recipe.is_random for point in controls.values())


def test_figures_are_many_and_each_has_the_controls(study):
    points = expand(study)
    control = next(point for point in points if point.curve.startswith(CONTROL))
    evaluations = evaluate([control.recipe, control.recipe])
    curve = Curve(control.recipe, (tuple(evaluations[:1]),))
    named = [NamedCurve(f"curve {number}", curve) for number in range(15)]
    named.append(NamedCurve(control.curve, curve))
    pair = ("lenet300", "digits")
    page = study_report(study, TEXT, {pair: named}, {pair: 0.98}, pd.DataFrame(), ["not met"])
    headings = re.findall("<h2>(.*?)</h2>", page)
    drawn = [heading for heading in headings if "effective compression" in heading]
    most = len(CURVE_COLOURS) - 1
    assert len(drawn) == math.ceil(15 / most)
    assert page.count(f'"name":"{control.curve}"') == 2 * len(drawn)
    assert "<li>not met</li>" in page


def test_points_of_a_benchmark_without_a_share_say_none():
    points = expand(parse_study('benchmark = "lottery"\nseeds = 0\n'))
    assert [point.strength.value for point in points] == [0.0, None]

"""The section of a study in a document."""

import pytest

from pruning.engine.evaluate import evaluate
from pruning.experiments.published_one_shot import published_one_shot
from pruning.experiments.retraining import RETRAINING_BENCHMARKS
from pruning.experiments.study.expansion import expand, match_budgets
from pruning.experiments.study.section import SPREAD, study_section
from pruning.experiments.study.study_file import parse_study

TEXT = """title = "Small"
networks = "mlpnet"
datasets = "digits"
values = [0.5, 0.7, 0.8, 0.9, 0.95]
seeds = [0, 1]
description = '''
What
was done.'''

[[recipes]]
label = "masked"
criterion = "magnitude"

[[recipes]]
label = "recovered"
criterion = "magnitude"
recovery = "reconstruct"
calibration = 100
values = 0.9
"""


def section(text: str) -> str:
    study = parse_study(text)
    points = expand(study)
    evaluations = evaluate([point.measured for point in points])
    return study_section(study, points, evaluations, "studies/small.toml")


@pytest.mark.usefixtures("empty_store")
def test_tables_have_means_over_the_seeds_and_blanks():
    text = section(TEXT)
    assert text.startswith(
        "Measured by `python -m pruning study studies/small.toml`.\n\nWhat was done."
    )
    assert SPREAD in text and "Published" not in text
    points = expand(parse_study(TEXT))
    accuracies = []
    for point, evaluation in zip(points, evaluate([each.measured for each in points]), strict=True):
        if point.curve == "recovered":
            accuracies.append(100 * evaluation.accuracy.value)
    first, second = accuracies
    deviation = abs(first - second) / 2**0.5
    cell = f"{(first + second) / 2:.2f} ± {deviation:.2f}"
    [header, _, *rows] = [line for line in text.splitlines() if line.startswith("|")]
    assert header == (
        "| removed | masked | recovered | random control, weight | "
        "random control, weight, reconstruction, calibration 100 |"
    )
    assert [row.split(" | ")[0] for row in rows] == ["| 0.5", "| 0.7", "| 0.8", "| 0.9", "| 0.95"]
    assert rows[3].split(" | ")[2] == cell and rows[0].split(" | ")[2] == ""
    assert "±" not in rows[0].split(" | ")[1] and "±" in rows[0].split(" | ")[3]


@pytest.mark.usefixtures("empty_store")
def test_published_losses_stand_beside_the_measured_ones(monkeypatch):
    published = published_one_shot("mlpnet", "mnist")
    monkeypatch.setattr(
        "pruning.experiments.study.section.published_one_shot", lambda *pair: published
    )
    text = section(TEXT.replace("seeds =", 'published = true\ndifferences = "many."\nseeds ='))
    assert "(published: 93.97%)" in text and "Published: Benbaki et al. 2023" in text
    assert text.endswith("Differences of protocol: many.")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| 0.9 ")]
    accuracy, loss = rows
    assert loss[-1] == "-1.58 |"  # CHITA++: 93.97 - 95.55
    [dense] = evaluate([expand(parse_study(TEXT))[0].measured])
    assert float(accuracy[1]) + float(loss[1]) == pytest.approx(
        100 * dense.accuracy.value, abs=0.011
    )


def test_a_benchmark_has_its_own_tables():
    study = parse_study('benchmark = "sparsify"\nseeds = [0, 1]\n')
    text = study_section(study, [], [], "studies/penalties.toml")
    assert text.startswith("Measured by `python -m pruning study studies/penalties.toml`.")
    assert RETRAINING_BENCHMARKS["sparsify"].protocol in text and "Not finished" in text


@pytest.mark.usefixtures("empty_store")
def test_budgets_that_are_not_met_are_named():
    text = TEXT.replace("values = 0.9", 'budgets = ["macs=0.5", "parameters=0.000001"]')
    study = parse_study(text)
    points = match_budgets(expand(study))
    evaluations = evaluate([point.measured for point in points])
    written = study_section(study, points, evaluations, "studies/small.toml")
    assert "| to 0.5 of macs |" in written
    [line] = [line for line in written.splitlines() if line.startswith("- mlpnet on digits, recov")]
    assert line.startswith("- mlpnet on digits, recovered, parameters=1e-06: ")
    assert "Budgets that are not met:" in written
    assert "Budgets" not in section(TEXT)

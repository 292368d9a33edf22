"""The section of a study in a Markdown document: command, tables of means, published accuracies."""

from collections.abc import Mapping, Sequence

import pandas as pd

from pruning.data.datasets import DATASETS
from pruning.engine.evaluation import Evaluation
from pruning.experiments.published_one_shot import SOURCE, PublishedOneShot, published_one_shot
from pruning.experiments.results_document import to_markdown
from pruning.experiments.retraining import RETRAINING_BENCHMARKS
from pruning.experiments.retraining.base import mean_and_deviation, read_finished
from pruning.experiments.retraining.section import section_body
from pruning.experiments.study.expansion import StudyPoint, in_order
from pruning.experiments.study.results import unmet_budgets
from pruning.experiments.study.study_file import DENSE, Strength, Study
from pruning.models import NETWORKS

SPREAD = (
    "Mean ± standard deviation over the seeds: of random criteria, of disjoint draws of "
    "calibration images, and of training; a mean without it is of one measurement, which no seed "
    "changes."
)
Cells = Mapping[tuple[str, Strength], Sequence[Evaluation]]
"""Evaluations of all seeds, by curve and strength."""


def study_section(
    study: Study,
    points: Sequence[StudyPoint],
    evaluations: Sequence[Evaluation],
    file_name: str,
) -> str:
    """Describe the results of a study in Markdown.

    Parameters
    ----------
    study : Study
        The study.
    points : sequence of StudyPoint
        Its points.
    evaluations : sequence of Evaluation
        One for each point.
    file_name : str
        Name of its file, with the folder.

    Returns
    -------
    str
        The section without its title.
    """
    command = f"python -m pruning study {file_name}"
    if study.benchmark:
        benchmark = RETRAINING_BENCHMARKS[study.benchmark]
        runs = read_finished(benchmark.specs(len(study.seeds)))
        return section_body(benchmark, runs, len(study.seeds), command)
    paragraphs = [f"Measured by `{command}`.", _in_one_line(study.description)]
    if len(study.seeds) > 1:
        paragraphs.append(SPREAD)
    for (network, dataset), cells in _cells_by_pair(points, evaluations).items():
        paragraphs += _paragraphs_of_pair(study, network, dataset, cells)
    unmet = unmet_budgets(points)
    if unmet:
        paragraphs += ["Budgets that are not met:", "\n".join(f"- {line}" for line in unmet)]
    if study.shows_published:
        paragraphs.append(f"Published: {SOURCE}.")
    if study.differences:
        paragraphs.append(f"Differences of protocol: {_in_one_line(study.differences)}")
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _in_one_line(text: str) -> str:
    """A paragraph of a file, whose lines have ends where they become too long."""
    return " ".join(text.split())


def _cells_by_pair(
    points: Sequence[StudyPoint], evaluations: Sequence[Evaluation]
) -> dict[tuple[str, str], dict[tuple[str, Strength], list[Evaluation]]]:
    cells: dict[tuple[str, str], dict[tuple[str, Strength], list[Evaluation]]] = {}
    for point, evaluation in zip(points, evaluations, strict=True):
        pair = (point.recipe.network, point.recipe.dataset)
        of_pair = cells.setdefault(pair, {})
        of_pair.setdefault((point.curve, point.strength), []).append(evaluation)
    return cells


def _paragraphs_of_pair(study: Study, network: str, dataset: str, cells: Cells) -> list[str]:
    [dense] = cells[DENSE, Strength(0.0)]
    subject = f"{NETWORKS[network].label} on {DATASETS[dataset].label}"
    paragraphs = [
        f"{subject}: dense test accuracy {100 * dense.accuracy.value:.2f}% "
        f"({dense.tally.images:,} images).",
        "Test accuracy in percent, by what is removed:",
        to_markdown(_table(cells, 0.0, 1)),
    ]
    published = published_one_shot(network, dataset) if study.shows_published else None
    if published is None:
        return paragraphs
    losses = _table(cells, dense.accuracy.value, -1)
    return [
        *paragraphs,
        "Percentage points lost, each relative to its own dense network (published: "
        f"{100 * published.dense:.2f}%):",
        to_markdown(losses.join(_published_losses(published, _strengths(cells)))),
    ]


def _table(cells: Cells, origin: float, sign: int) -> pd.DataFrame:
    """A row for each strength, a column for each curve; accuracies, or losses from an origin."""
    strengths = _strengths(cells)
    columns = {"removed": [_describe(strength) for strength in strengths]}
    for curve in dict.fromkeys(curve for curve, _ in cells):
        if curve == DENSE:
            continue
        column = []
        for strength in strengths:
            members = cells.get((curve, strength), [])
            values = [sign * (each.accuracy.value - origin) for each in members]
            column.append(mean_and_deviation(values) if values else "")
        columns[curve] = column
    return pd.DataFrame(columns)


def _strengths(cells: Cells) -> list[Strength]:
    """Shares of the units, then budgets, the least removal first."""
    strengths = dict.fromkeys(strength for curve, strength in cells if curve != DENSE)
    return list(in_order(strengths))


def _describe(strength: Strength) -> str:
    if strength.value is None:
        return ""
    if strength.budget:
        return f"to {strength.value:.6g} of {strength.budget}"
    return f"{strength.value:.6g}"


def _published_losses(published: PublishedOneShot, strengths: Sequence[Strength]) -> pd.DataFrame:
    columns = {}
    for method, accuracies in published.accuracies.items():
        losses = {}
        for sparsity, accuracy in zip(published.sparsities, accuracies, strict=True):
            losses[Strength(sparsity)] = f"{100 * (published.dense - accuracy):.2f}"
        columns[method] = [losses.get(strength, "") for strength in strengths]
    return pd.DataFrame(columns)

"""Measuring the points of a study: what is known is read, everything else is stored at once."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pruning.data.datasets import DATASETS
from pruning.engine import store
from pruning.engine.cluster import cluster_address
from pruning.engine.evaluate import EvaluationProgress, evaluate
from pruning.engine.evaluation import Evaluation
from pruning.experiments.study.expansion import StudyPoint
from pruning.experiments.study.study_file import Study
from pruning.runtime.progress import ShareReport, ignore_progress, part_of
from pruning.training.cluster_runs import retrain_on_cluster
from pruning.training.probe import measure_speed
from pruning.training.retrain import retrain
from pruning.training.run import RunProgress
from pruning.training.run_files import RunFiles
from pruning.training.spec import RunSpec

SAMPLE = 3
"""Points of a pair that are measured for the estimate of the time."""


@dataclass(frozen=True)
class StudyTime:
    """How much there is to do.

    Parameters
    ----------
    points : int
        All points.
    unknown : int
        Points that are not measured yet.
    seconds : float
        Estimate of the time that they take on this machine.
    """

    points: int
    unknown: int
    seconds: float


def estimate_time(study: Study, points: Sequence[StudyPoint]) -> StudyTime:
    """Estimate how long the points take, from a few of them.

    Parameters
    ----------
    study : Study
        The study.
    points : sequence of StudyPoint
        Its points.

    Returns
    -------
    StudyTime
        The sample is measured, and stored.
    """
    unknown = [point for point in points if not _is_known(study, point)]
    seconds = 0.0
    runs = [point for point in unknown if point.run is not None]
    speeds = {}
    for point in runs:
        assert point.run is not None
        key = (point.recipe.network, point.recipe.dataset, point.run.batch_size)
        if key not in speeds:
            speeds[key] = measure_speed(point.run)
        seconds += speeds[key].seconds(point.run)
    groups: dict[tuple[str, str], list[StudyPoint]] = {}
    for point in unknown:
        if point.run is None:
            groups.setdefault((point.recipe.network, point.recipe.dataset), []).append(point)
    for group in groups.values():
        sample = [point.recipe for point in group[:: max(1, len(group) // SAMPLE)][:SAMPLE]]
        began = time.perf_counter()
        evaluate(sample, precision=study.precision)
        seconds += (time.perf_counter() - began) / len(sample) * (len(group) - len(sample))
    return StudyTime(len(points), len(unknown), seconds)


def _is_known(study: Study, point: StudyPoint) -> bool:
    if point.run is not None:
        return RunFiles(point.run.name).is_finished
    images = DATASETS[point.recipe.dataset].test_images
    stored = store.get(point.recipe, "test", images)
    is_estimate_enough = study.precision is not None
    return stored is not None and (is_estimate_enough or stored.tally.images == images)


def measure(
    study: Study,
    points: Sequence[StudyPoint],
    report: ShareReport = ignore_progress,
    describe: Callable[[str], None] = ignore_progress,
) -> list[Evaluation]:
    """Measure every point; an interrupted study goes on where it stopped.

    Parameters
    ----------
    study : Study
        The study.
    points : sequence of StudyPoint
        Its points.
    report : callable
        Called with the share of the points that are done.
    describe : callable
        Called with what is being done.

    Returns
    -------
    list of Evaluation
        One for each point, on test images.
    """
    runs = {point.run.name: point.run for point in points if point.run is not None}
    trained_share = len(runs) / max(1, len(points))
    train = part_of(report, 0.0, trained_share)
    if cluster_address():
        describe(f"{len(runs)} runs on the cluster")
        retrain_on_cluster(list(runs.values()), train)
    else:
        _train_here(list(runs.values()), train, describe)
    describe("points")
    rest = part_of(report, trained_share, 1.0)

    def report_points(progress: EvaluationProgress) -> None:
        rest(progress.share)

    recipes = [point.measured for point in points]
    return list(evaluate(recipes, precision=study.precision, report=report_points))


def _train_here(
    runs: Sequence[RunSpec], report: ShareReport, describe: Callable[[str], None]
) -> None:
    for index, run in enumerate(runs):
        describe(f"run {index + 1} of {len(runs)}")
        part = part_of(report, index / len(runs), (index + 1) / len(runs))

        def report_run(progress: RunProgress, part: ShareReport = part) -> None:
            part(progress.share)

        retrain(run, report=report_run)

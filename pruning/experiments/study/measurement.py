"""Measuring the points of a study: what is known is read, everything else is stored at once."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pruning.data.datasets import DATASETS
from pruning.engine import store
from pruning.engine.cluster import MIN_RECIPES, cluster_address, count_workers
from pruning.engine.evaluate import EvaluationProgress, evaluate
from pruning.engine.evaluation import Evaluation
from pruning.experiments.study.expansion import StudyPoint
from pruning.experiments.study.study_file import Study
from pruning.runtime.progress import ShareReport, describe_seconds, ignore_progress, part_of
from pruning.training.cluster_runs import retrain_on_cluster
from pruning.training.probe import Speed, measure_speed
from pruning.training.retrain import retrain
from pruning.training.run import RunProgress
from pruning.training.run_files import RunFiles
from pruning.training.spec import RunSpec

SAMPLE_S = 60.0
"""Seconds after which no further curve is measured for the estimate of the time."""
SAMPLE_PER_WORKER, MOST_SAMPLED = 2, 64
"""Points that are measured on a cluster for it."""


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
    cluster_seconds : float or None
        Estimate of the time that they take on the cluster; None without one.
    """

    points: int
    unknown: int
    seconds: float
    cluster_seconds: float | None = None

    def describe(self) -> str:
        """Describe it in a line.

        Returns
        -------
        str
            Such as ``1,260 points, 20 of them known; about 40 minutes on this machine``.
        """
        known = self.points - self.unknown
        here = describe_seconds(self.seconds)
        text = f"{self.points:,} points, {known:,} of them known; about {here} on this machine"
        if self.cluster_seconds is None:
            return text
        return f"{text}, {describe_seconds(self.cluster_seconds)} on the cluster"


def estimate_time(
    study: Study, points: Sequence[StudyPoint], report: ShareReport = ignore_progress
) -> StudyTime:
    """Estimate how long the points take, from a few of them.

    Parameters
    ----------
    study : Study
        The study.
    points : sequence of StudyPoint
        Its points.
    report : callable
        Called with the share of the sample that is measured.

    Returns
    -------
    StudyTime
        The sample is measured, and stored. Workers are assumed to train as fast as this machine.
    """
    unknown = [point for point in points if not _is_known(study, point)]
    runs = _runs_of(unknown)
    durations = _durations(runs)
    here = sum(durations.values())
    there = None
    recipes = [point for point in unknown if point.run is None]
    if cluster_address():
        workers = count_workers()
        seconds, recipes = _sample_cluster(study, recipes, workers)
        there = seconds + _shared_duration(runs, durations, workers)
    here += _sample_here(study, recipes, report)
    return StudyTime(len(points), len(unknown), here, there)


def _sample_cluster(
    study: Study, points: Sequence[StudyPoint], workers: int
) -> tuple[float, list[StudyPoint]]:
    """Measure some points; return the seconds of the others there, and the others."""
    count = min(MOST_SAMPLED, max(MIN_RECIPES, SAMPLE_PER_WORKER * workers))
    sample = points[:: max(1, len(points) // count)][:count]
    if not sample:
        return 0.0, []
    seconds = _measure(study, sample) / len(sample)
    measured = set(sample)
    others = [point for point in points if point not in measured]
    return seconds * len(others), others


def _sample_here(study: Study, points: Sequence[StudyPoint], report: ShareReport) -> float:
    """Measure some points of each curve; return the seconds of the others here.

    The first point of a curve is scored, and so is that of every other seed.
    """
    curves: dict[tuple[str, str, str], list[StudyPoint]] = {}
    for point in points:
        key = (point.recipe.network, point.recipe.dataset, point.curve)
        curves.setdefault(key, []).append(point)
    seconds, sampled, others = 0.0, 0, 0
    began = time.perf_counter()
    for number, curve in enumerate(curves.values()):
        report(number / len(curves))
        if time.perf_counter() - began > SAMPLE_S:
            others += len(curve)
            continue
        seconds += _seconds_of_curve(study, curve)
        sampled += len(curve)
    per_point = (seconds + time.perf_counter() - began) / max(1, sampled)
    return seconds + per_point * others


def _seconds_of_curve(study: Study, curve: Sequence[StudyPoint]) -> float:
    """Seconds of the points of a curve that are not measured for this estimate."""
    seeds = len({point.seed for point in curve})
    of_first_seed = [point for point in curve if point.seed == curve[0].seed]
    # As many as are evaluated together on a GPU, and fewer than would be sent to a cluster.
    count = MIN_RECIPES - 1 if cluster_address() else MIN_RECIPES
    first, rest = of_first_seed[:1], of_first_seed[1:]
    rest = rest[:: max(1, len(rest) // count)][:count]
    with_scores = _measure(study, first)
    if not rest:
        return with_scores * (len(curve) - 1)
    alone = _measure(study, rest) / len(rest)
    return with_scores * (seeds - 1) + alone * (len(curve) - seeds - len(rest))


def _measure(study: Study, points: Sequence[StudyPoint]) -> float:
    """Seconds of the evaluation of some points, which is stored."""
    began = time.perf_counter()
    evaluate([point.recipe for point in points], precision=study.precision)
    return time.perf_counter() - began


def _runs_of(points: Sequence[StudyPoint]) -> list[RunSpec]:
    """The runs of points, each once."""
    runs = {point.run.name: point.run for point in points if point.run is not None}
    return list(runs.values())


def _durations(runs: Sequence[RunSpec]) -> dict[str, float]:
    """Estimates of the seconds of runs on this machine, by name."""
    speeds: dict[tuple[object, ...], Speed] = {}
    durations = {}
    for run in runs:
        # As fast as from the dense network: what a run starts from may not be there yet.
        from_dense = replace(run, recipe=replace(run.recipe, checkpoint=""))
        key = (run.recipe.network, run.recipe.dataset, run.batch_size)
        if key not in speeds:
            speeds[key] = measure_speed(from_dense)
        durations[run.name] = speeds[key].seconds(from_dense)
    return durations


def _shared_duration(
    runs: Sequence[RunSpec], durations: Mapping[str, float], workers: int
) -> float:
    """Seconds of runs that several workers share, wave by wave."""
    seconds = 0.0
    for wave in waves(runs):
        own = [durations[run.name] for run in wave]
        seconds += max(max(own), sum(own) / workers)
    return seconds


def waves(runs: Sequence[RunSpec]) -> list[list[RunSpec]]:
    """Sort runs so that each stands in a later wave than the run that it starts from.

    Parameters
    ----------
    runs : sequence of RunSpec
        Each after the run that it starts from.

    Returns
    -------
    list of list of RunSpec
        Runs of a wave do not depend on each other.
    """
    wave_of: dict[str, int] = {}
    result: list[list[RunSpec]] = []
    for run in runs:
        number = wave_of.get(run.recipe.checkpoint, -1) + 1
        wave_of[run.name] = number
        if number == len(result):
            result.append([])
        result[number].append(run)
    return result


def _is_known(study: Study, point: StudyPoint) -> bool:
    if point.run is not None:
        return RunFiles(point.run.name).is_finished
    images = DATASETS[point.recipe.dataset].test_images
    stored = store.get(point.recipe, "test", images)
    if stored is None:
        return False
    half_width = stored.tally.accuracy(stored.total).half_width
    return stored.tally.images == images or half_width < (study.precision or 0)


def measure(
    study: Study,
    points: Sequence[StudyPoint],
    report: ShareReport = ignore_progress,
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

    Returns
    -------
    list of Evaluation
        One for each point, on test images.
    """
    runs = _runs_of(points)
    trained_share = len(runs) / max(1, len(points))
    train = part_of(report, 0.0, trained_share)
    if cluster_address():
        _train_on_cluster(runs, train)
    else:
        _train_here(runs, train)
    rest = part_of(report, trained_share, 1.0)

    def report_points(progress: EvaluationProgress) -> None:
        rest(progress.share)

    recipes = [point.measured for point in points]
    return list(evaluate(recipes, precision=study.precision, report=report_points))


def _train_on_cluster(runs: Sequence[RunSpec], report: ShareReport) -> None:
    first = 0
    for wave in waves(runs):
        last = first + len(wave)
        retrain_on_cluster(wave, part_of(report, first / len(runs), last / len(runs)))
        first = last


def _train_here(runs: Sequence[RunSpec], report: ShareReport) -> None:
    for index, run in enumerate(runs):
        part = part_of(report, index / len(runs), (index + 1) / len(runs))

        def report_run(progress: RunProgress, part: ShareReport = part) -> None:
            part(progress.share)

        retrain(run, report=report_run)

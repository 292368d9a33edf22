"""How long a run takes on this machine, measured with a few of its own steps."""

import time
from dataclasses import dataclass

import torch

from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.engine.apply_step import score_units
from pruning.engine.prune import input_network
from pruning.inference.classify import classify
from pruning.inference.device import choose_device
from pruning.runtime.progress import ShareReport, ignore_progress
from pruning.training.batches import Augmentation, Batches
from pruning.training.loop import make_optimizer, train_epoch
from pruning.training.losses import Distillation, cross_entropy
from pruning.training.plans import default_plan
from pruning.training.schedules.base import PruningSteps
from pruning.training.spec import RunSpec

PROBE_SECONDS = 1.5
"""Duration of the measured steps, if there are not fewer in an epoch."""
WARM_UP_STEPS = 3
"""First steps, which are slower than the others and are not measured."""


@dataclass(frozen=True)
class Speed:
    """Durations on this machine.

    Parameters
    ----------
    step : float
        Seconds of a step of the optimizer.
    steps_per_epoch : int
        Steps of an epoch.
    validation : float
        Seconds to classify the validation images.
    scoring : float
        Seconds to score the units once.
    test : float
        Seconds to classify validation and test images at the end.
    """

    step: float
    steps_per_epoch: int
    validation: float
    scoring: float
    test: float = 0.0

    def seconds(self, spec: RunSpec) -> float:
        """Estimate the duration of a run.

        Parameters
        ----------
        spec : RunSpec
            A run of the same network, dataset, batch size and criterion.

        Returns
        -------
        float
            Seconds, if nothing else uses the machine.
        """
        epochs = spec.total_epochs
        prunings = self._prunings(spec)
        training = epochs * (self.steps_per_epoch * self.step + self.validation)
        return training + prunings * self.scoring + self.test

    def _prunings(self, spec: RunSpec) -> int:
        if "interval" not in dict(spec.options):
            return spec.rounds
        return PruningSteps.of(spec, self.steps_per_epoch).count


def speed_key(spec: RunSpec, device: str) -> tuple[object, ...]:
    """Return what the speed of a run depends on.

    Parameters
    ----------
    spec : RunSpec
        Settings of the run.
    device : str
        As of `choose_device`.

    Returns
    -------
    tuple
        Hashable.
    """
    recipe = spec.recipe.scoring_key
    return (recipe, spec.batch_size, bool(spec.distillation), device)


def measure_speed(
    spec: RunSpec, device: str | None = None, report: ShareReport = ignore_progress
) -> Speed:
    """Measure some steps of a run on a copy of its network.

    Parameters
    ----------
    spec : RunSpec
        Settings of the run.
    device : str, optional
        As of `choose_device`.
    report : callable
        Called with the share of the work that is done; its time is not measured.

    Returns
    -------
    Speed
        Seconds of a step, of a validation and of a scoring.

    Raises
    ------
    DeviceError
        If the device is not there.
    """
    chosen = choose_device(device)
    recipe, data = spec.recipe, DATASETS[spec.recipe.dataset]
    plan = default_plan(recipe.network, recipe.dataset)
    images = datasets.load(recipe.dataset, "train")
    augmentation = Augmentation(plan.max_shift, plan.flip)
    batches = Batches(images, data, spec.batch_size, augmentation, spec.seed, chosen)
    network = input_network(recipe)
    stopwatch = _Stopwatch(report)
    _train_some_steps(spec, network.copy(), batches, chosen, stopwatch)

    start = time.perf_counter()
    validation_images = datasets.load(recipe.dataset, "validation")
    for _ in classify(network.model, [network.masked_parameters()], validation_images, data):
        pass
    validation = time.perf_counter() - start
    report(0.9)
    start = time.perf_counter()
    score_units(network, recipe)
    scoring = time.perf_counter() - start
    report(1.0)
    images_at_the_end = data.validation_images + data.test_images
    test = validation * images_at_the_end / data.validation_images
    return Speed(stopwatch.seconds_per_step, len(batches), validation, scoring, test)


class _EnoughSteps(Exception):
    """The measurement is long enough."""


class _Stopwatch:
    """Measures the time between two steps, that of their batches included, without reports."""

    def __init__(self, report: ShareReport) -> None:
        self._report = report
        self._started = time.perf_counter()
        self._durations: list[float] = []

    def report(self, step: int, mean_loss: float) -> None:
        self._durations.append(time.perf_counter() - self._started)
        measured = sum(self._durations[WARM_UP_STEPS:])
        self._report(min(0.7, 0.7 * measured / PROBE_SECONDS))
        if measured >= PROBE_SECONDS:
            raise _EnoughSteps
        self._started = time.perf_counter()

    @property
    def seconds_per_step(self) -> float:
        durations = self._durations[WARM_UP_STEPS:] or self._durations
        return sum(durations) / max(1, len(durations))


def _train_some_steps(
    spec: RunSpec,
    model: torch.nn.Module,
    batches: Batches,
    device: torch.device,
    stopwatch: _Stopwatch,
) -> None:
    loss_function = cross_entropy
    if spec.distillation:
        teacher = input_network(spec.recipe).copy().to(device)
        loss_function = Distillation(teacher, spec.distillation, spec.temperature)  # type: ignore
    model.requires_grad_(True)
    model.to(device).to(memory_format=torch.channels_last)
    optimizer = make_optimizer(model, learning_rate=1e-6, weight_decay=spec.weight_decay)
    try:
        train_epoch(
            model,
            optimizer,
            batches.epoch(0),
            [1e-6] * len(batches),
            loss_function,
            report=stopwatch.report,
        )
    except _EnoughSteps:
        return

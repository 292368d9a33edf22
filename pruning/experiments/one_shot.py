"""Benchmark of one-shot pruning: what recovery without training brings back."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import nn

from pruning.data import datasets
from pruning.data.datasets import DATASETS, Images
from pruning.engine.apply_step import prune_network, rank_network
from pruning.engine.masked_network import MaskedNetwork
from pruning.engine.recover import recover_network
from pruning.experiments.published_one_shot import published_one_shot
from pruning.inference.classify import accuracy_of
from pruning.recipe.compatibility import layers_for, recoveries_for
from pruning.recipe.recipe import Recipe
from pruning.runtime.defaults import DEFAULT_CALIBRATION
from pruning.runtime.progress import ShareReport, ignore_progress

USUAL_SPARSITIES = (0.5, 0.6, 0.7, 0.8, 0.9)
"""Sparsities of networks without published accuracies."""
DEFAULT_DRAWS = 5


@dataclass(frozen=True)
class Variant:
    """A way to prune and recover.

    Parameters
    ----------
    name : str
        Name of its column.
    criterion : str
        Name in ``CRITERIA``: decides which weights are removed, all layers together.
    recovery : str, optional
        Name in ``RECOVERIES``.
    measure : str
        Variant of the criterion; empty for its default one.
    """

    name: str
    criterion: str
    recovery: str | None = None
    measure: str = ""


VARIANTS = (
    Variant("masked", "magnitude"),
    Variant("batch_norm", "magnitude", "batch_norm"),
    Variant("reconstruct", "magnitude", "reconstruct"),
    Variant("obs + reconstruct", "obs", "reconstruct"),
    Variant("obs greedy + reconstruct", "obs", "reconstruct", "greedy"),
)


def usual_sparsities(network: str, dataset: str) -> tuple[float, ...]:
    """Return the sparsities at which a network is measured by default.

    Parameters
    ----------
    network, dataset : str
        Names in ``NETWORKS`` and ``DATASETS``.

    Returns
    -------
    tuple of float
        The published ones, or `USUAL_SPARSITIES`.
    """
    published = published_one_shot(network, dataset)
    return published.sparsities if published else USUAL_SPARSITIES


@dataclass(frozen=True)
class OneShotPlan:
    """What is measured.

    Parameters
    ----------
    network, dataset : str
        Names in ``NETWORKS`` and ``DATASETS``.
    draws : int
        Number of disjoint draws of calibration images, each of which gives one accuracy.
    calibration : int
        Training images of each draw.
    max_test_images : int, optional
        Number of test images to classify, the first ones; all of them by default.
    sparsities : tuple of float, optional
        Shares of the weights that take part; `usual_sparsities` by default.

    Raises
    ------
    ValueError
        A number is out of range, or the dataset is too small for so many draws.
    """

    network: str
    dataset: str
    draws: int = DEFAULT_DRAWS
    calibration: int = DEFAULT_CALIBRATION
    max_test_images: int | None = None
    sparsities: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.sparsities:
            sparsities = usual_sparsities(self.network, self.dataset)
            object.__setattr__(self, "sparsities", sparsities)
        for variant in self.variants:
            for sparsity in self.sparsities:
                self.recipe(variant, sparsity)  # raises what is not valid
        available = DATASETS[self.dataset].train_images - DATASETS[self.dataset].validation_images
        most = available // self.calibration
        if not 1 <= self.draws <= most:
            raise ValueError(
                f"draws must be a whole number from 1 to {most} with {self.calibration} "
                f"calibration images of {self.dataset}, not {self.draws}"
            )

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Ways to prune and recover that change the network."""
        offered = recoveries_for(self.network)
        return tuple(
            variant
            for variant in VARIANTS
            if variant.recovery is None or variant.recovery in offered
        )

    def recipe(self, variant: Variant, sparsity: float, draw: int = 0) -> Recipe:
        """Return the recipe of one measurement.

        Parameters
        ----------
        variant : Variant
            A way to prune and recover.
        sparsity : float
            Share of the weights that take part.
        draw : int
            Which draw of calibration images is used.

        Returns
        -------
        Recipe
            Without the layers that are not pruned in the published benchmark.
        """
        published = published_one_shot(self.network, self.dataset)
        kept = published.kept_layers if published else ()
        names = layers_for(self.network, "weight", "")
        return Recipe.one_step(
            self.network,
            self.dataset,
            criterion=variant.criterion,
            layers=tuple(name for name in names if name not in kept),
            value=sparsity,
            calibration=self.calibration,
            max_test_images=self.max_test_images,
            recovery=(variant.recovery,) if variant.recovery else (),
            variant=variant.measure,
            draw=draw,
        )


@dataclass(frozen=True)
class Measured:
    """Test accuracies of one variant at one sparsity.

    Parameters
    ----------
    accuracies : tuple of float
        One for each draw of calibration images; a single one if no images are used.
    """

    accuracies: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean over the draws."""
        return statistics.fmean(self.accuracies)

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation over the draws; None if there is only one accuracy."""
        return statistics.stdev(self.accuracies) if len(self.accuracies) > 1 else None


@dataclass(frozen=True)
class OneShotResult:
    """Accuracies of one network.

    Parameters
    ----------
    plan : OneShotPlan
        What was measured.
    dense : float
        Test accuracy before pruning.
    measured : mapping of str to sequence of Measured
        By the name of the variant, one for each sparsity.
    """

    plan: OneShotPlan
    dense: float
    measured: Mapping[str, Sequence[Measured]]


def measure_one_shot(
    plan: OneShotPlan, model: nn.Module, report: ShareReport = ignore_progress
) -> OneShotResult:
    """Prune a network once at each sparsity, recover it, and measure the test accuracy.

    Nothing is chosen by the test images, and nothing is stored.

    Parameters
    ----------
    plan : OneShotPlan
        What to measure.
    model : nn.Module
        The trained network; it is not modified.
    report : callable
        Called with the share of the work that is done.

    Returns
    -------
    OneShotResult
        One accuracy for each variant, sparsity and draw.

    Raises
    ------
    DatasetError
        The data are missing or broken.
    """
    return _Measurement(plan, model, report).run()


class _Measurement:
    """Accuracies so far, draw by draw."""

    def __init__(self, plan: OneShotPlan, model: nn.Module, report: ShareReport) -> None:
        self._plan = plan
        self._dense = MaskedNetwork(model)
        self._report = report
        self._finished = 0
        self._accuracies: dict[tuple[str, float], list[float]] = {}

    @cached_property
    def _images(self) -> Images:
        images = datasets.load(self._plan.dataset, "test")
        count = self._plan.max_test_images
        return Images(images.pixels[:count], images.labels[:count])

    @property
    def _total(self) -> int:
        draws = [self._draws(variant) for variant in self._plan.variants]
        return sum(draws) * len(self._plan.sparsities)

    def _draws(self, variant: Variant) -> int:
        """Number of draws that can give different accuracies."""
        recipe = self._plan.recipe(variant, self._plan.sparsities[0])
        return self._plan.draws if recipe.uses_calibration else 1

    def run(self) -> OneShotResult:
        """Measure everything."""
        for draw in range(self._plan.draws):  # outermost: a draw of images is read once
            for variant in self._plan.variants:
                if draw < self._draws(variant):
                    self._measure_sparsities(variant, draw)
        measured = {}
        for variant in self._plan.variants:
            measured[variant.name] = [
                Measured(tuple(self._accuracies[variant.name, sparsity]))
                for sparsity in self._plan.sparsities
            ]
        return OneShotResult(self._plan, self._accuracy(self._dense), measured)

    def _measure_sparsities(self, variant: Variant, draw: int) -> None:
        first = self._plan.recipe(variant, self._plan.sparsities[0], draw)
        ranking = rank_network(first, self._dense)
        for sparsity in self._plan.sparsities:
            recipe = self._plan.recipe(variant, sparsity, draw)
            network = prune_network(recipe, self._dense, ranking)
            if recipe.recovery:
                dense = self._dense.model
                network = recover_network(recipe, network, dense).network
            accuracies = self._accuracies.setdefault((variant.name, sparsity), [])
            accuracies.append(self._accuracy(network))
            self._finished += 1
            self._report(self._finished / self._total)

    def _accuracy(self, network: MaskedNetwork) -> float:
        return accuracy_of(network.copy(), self._images, DATASETS[self._plan.dataset])

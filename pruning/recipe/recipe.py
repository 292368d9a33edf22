"""What to prune and how, as one frozen value: cache key, link, file and argument of experiments."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pruning.data.datasets import DATASETS, DEFAULT_DATASET
from pruning.methods.criteria import CRITERIA
from pruning.methods.units import METHODS
from pruning.models import DEFAULT_NETWORK, NETWORKS
from pruning.recipe.compatibility import (
    canonical_recovery,
    canonical_step,
    criteria_for,
    layers_for,
    methods_for,
    recoveries_for,
    rules_for,
)
from pruning.recipe.step import Step
from pruning.runtime.defaults import DEFAULT_CALIBRATION, MAX_SEED

MAX_STEPS = 6
MAX_CALIBRATION = 10_000
"""More calibration images cost time and memory, and hardly change the scores."""
RUN_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")
"""Names of runs, which are also names of folders."""


@dataclass(frozen=True)
class Recipe:
    """A pruning of a network: one step or several, each applied to what the previous ones left.

    A recipe is canonical from its construction on: fields that make no difference to the result
    take their default (the seed without a random criterion, the number of calibration images and
    their draw without a criterion that needs data), so that recipes with the same result are equal.

    Parameters
    ----------
    network, dataset : str
        Names in ``NETWORKS`` and ``DATASETS``.
    steps : tuple of Step
        One to six steps.
    calibration : int
        Number of training images that criteria, refits and recoveries may use.
    max_test_images : int, optional
        Number of test images to classify, the first ones; all of them by default.
    seed : int
        Seed of random criteria.
    recovery : tuple of str
        What happens to the remaining parameters after the last step: names in ``RECOVERIES``,
        which are brought into the order of the registry.
    checkpoint : str
        Name of the retraining run whose network is pruned; empty for the shipped checkpoint.
        Whether the run is on this machine is checked when its network is read.
    draw : int
        Which of the disjoint draws of calibration images is used, from 0. Like a limit on the test
        images, it is part of files and not of links.

    Raises
    ------
    ValueError
        A name that is not registered, names that do not go together, or a number out of range.
    """

    network: str = DEFAULT_NETWORK
    dataset: str = DEFAULT_DATASET
    steps: tuple[Step, ...] = (Step(),)
    calibration: int = DEFAULT_CALIBRATION
    max_test_images: int | None = None
    seed: int = 0
    recovery: tuple[str, ...] = ()
    checkpoint: str = ""
    draw: int = 0

    def __post_init__(self) -> None:
        _check_images(self.network, self.dataset)
        test_images = DATASETS[self.dataset].test_images
        if not 1 <= len(self.steps) <= MAX_STEPS:
            raise ValueError(f"a recipe has 1 to {MAX_STEPS} steps, not {len(self.steps)}")
        steps = tuple(canonical_step(step, self.network) for step in self.steps)
        object.__setattr__(self, "steps", steps)
        recovery = canonical_recovery(self.recovery, self.network)
        object.__setattr__(self, "recovery", recovery)
        _check_checkpoint(self.checkpoint)
        if self.max_test_images is not None:
            _check_whole_number("images", self.max_test_images, 1, test_images)
        if self.max_test_images == test_images:
            object.__setattr__(self, "max_test_images", None)
        limit = max_calibration_images(self.dataset)
        usual = min(DEFAULT_CALIBRATION, limit)
        if self.calibration != DEFAULT_CALIBRATION:
            _check_whole_number("calibration", self.calibration, 1, limit)
        if self.calibration == DEFAULT_CALIBRATION or not self.uses_calibration:
            object.__setattr__(self, "calibration", usual)
        if not self.uses_calibration:
            object.__setattr__(self, "draw", 0)
        if self.draw != 0:
            _check_whole_number("draw", self.draw, 0, draws_of(self.dataset, self.calibration) - 1)
        _check_whole_number("seed", self.seed, 0, MAX_SEED)
        if not self.is_random:
            object.__setattr__(self, "seed", 0)

    @classmethod
    def one_step(
        cls,
        network: str = DEFAULT_NETWORK,
        dataset: str = DEFAULT_DATASET,
        *,
        calibration: int = DEFAULT_CALIBRATION,
        max_test_images: int | None = None,
        seed: int = 0,
        recovery: tuple[str, ...] = (),
        checkpoint: str = "",
        draw: int = 0,
        **step: Any,
    ) -> "Recipe":
        """Make a recipe of one step.

        Parameters
        ----------
        network, dataset, calibration, max_test_images, seed, recovery, checkpoint, draw
            As of `Recipe`.
        **step
            Fields of `Step`.

        Returns
        -------
        Recipe
            The recipe.
        """
        steps = (Step(**step),)
        return cls(
            network,
            dataset,
            steps,
            calibration,
            max_test_images,
            seed,
            recovery,
            checkpoint,
            draw,
        )

    @property
    def last_step(self) -> Step:
        """The last step."""
        return self.steps[-1]

    @property
    def previous_steps(self) -> tuple[Step, ...]:
        """All steps but the last."""
        return self.steps[:-1]

    @property
    def without_last_step(self) -> "Recipe | None":
        """The recipe of the previous steps, without recovery; None if there is only one step."""
        if not self.previous_steps:
            return None
        return replace(self, steps=self.previous_steps, recovery=())

    @property
    def without_recovery(self) -> "Recipe":
        """The same steps without recovery."""
        return replace(self, recovery=()) if self.recovery else self

    @property
    def unpruned(self) -> "Recipe":
        """The recipe that removes nothing from the same network."""
        return Recipe.one_step(self.network, self.dataset, checkpoint=self.checkpoint, value=0.0)

    @property
    def chosen_layers(self) -> tuple[str, ...]:
        """Names of the groups that take part in the last step."""
        step = self.last_step
        return step.layers or layers_for(self.network, step.method, step.grouping)

    @property
    def is_random(self) -> bool:
        """Whether a criterion depends on the seed."""
        return any(CRITERIA[step.criterion].is_random for step in self.steps)

    @property
    def uses_calibration(self) -> bool:
        """Whether a criterion, the removal itself or a recovery uses calibration images."""
        return bool(self.recovery) or any(_needs_data(step) for step in self.steps)

    @property
    def on_all_images(self) -> "Recipe":
        """The same recipe without a limit on the test images."""
        return replace(self, max_test_images=None)

    @property
    def scoring_key(self) -> "Recipe":
        """The recipe by which the scores of the last step are cached, whatever it then removes."""
        return self.on_all_images.without_recovery.with_last_step(
            rule="sparsity", value=0.0, values=(), scope="global", layers=None
        )

    def prefixes(self) -> Iterator["Recipe"]:
        """Iterate over the recipes of the first step, the first two steps, and so on.

        Yields
        ------
        Recipe
            The last one is this recipe.
        """
        for count in range(1, len(self.steps) + 1):
            steps = self.steps[:count]
            yield self if steps == self.steps else replace(self, steps=steps, recovery=())

    def with_steps(self, steps: tuple[Step, ...]) -> "Recipe":
        """Return the recipe with other steps.

        Parameters
        ----------
        steps : tuple of Step
            One to six steps.

        Returns
        -------
        Recipe
            The new recipe.
        """
        return replace(self, steps=tuple(steps))

    def with_last_step(self, **changes: Any) -> "Recipe":
        """Return the recipe with some fields of its last step replaced.

        Parameters
        ----------
        **changes
            Fields of `Step`.

        Returns
        -------
        Recipe
            The new recipe.
        """
        last = replace(self.last_step, **changes)
        return replace(self, steps=(*self.previous_steps, last))

    def moved_to(self, network: str, dataset: str) -> "Recipe":
        """Move the steps to another network.

        Criteria and rules that the network does not offer are replaced by the first one offered;
        on another network all layers take part.

        Parameters
        ----------
        network, dataset : str
            Names in ``NETWORKS`` and ``DATASETS``.

        Returns
        -------
        Recipe
            With at most as many calibration images as the dataset has. A run stays the checkpoint
            only if network and dataset stay the same.
        """
        keep_layers = network == self.network
        steps = tuple(_moved_step(step, network, keep_layers) for step in self.steps)
        calibration = min(self.calibration, max_calibration_images(dataset))
        offered = recoveries_for(network)
        recovery = tuple(name for name in self.recovery if name in offered)
        stays = (network, dataset) == (self.network, self.dataset)
        return Recipe(
            network,
            dataset,
            steps,
            calibration,
            seed=self.seed,
            recovery=recovery,
            checkpoint=self.checkpoint if stays else "",
        )


def max_calibration_images(dataset: str) -> int:
    """Return the largest number of calibration images that a recipe may ask for.

    Parameters
    ----------
    dataset : str
        Name in ``DATASETS``.

    Returns
    -------
    int
        At most 10,000, and at most the training images that are not held out for validation.
    """
    data = DATASETS[dataset]
    return min(MAX_CALIBRATION, data.train_images - data.validation_images)


def draws_of(dataset: str, calibration: int) -> int:
    """Return how many disjoint draws of calibration images there are.

    Parameters
    ----------
    dataset : str
        Name in ``DATASETS``.
    calibration : int
        Images of each draw, at most `max_calibration_images`.

    Returns
    -------
    int
        At least 1.
    """
    data = DATASETS[dataset]
    return (data.train_images - data.validation_images) // calibration


def _moved_step(step: Step, network: str, keep_layers: bool) -> Step:
    if step.method not in methods_for(network):
        step = replace(step, method=methods_for(network)[0], grouping="", layers=None, values=())
    criteria = criteria_for(network, step.method)
    if step.criterion not in criteria:
        step = replace(step, criterion=criteria[0], variant="")
    if step.rule not in rules_for(step.method, step.criterion):
        step = replace(step, rule="sparsity", value=0.5, values=())
    if not keep_layers:
        step = replace(step, layers=None, values=())
    return step


def _needs_data(step: Step) -> bool:
    return CRITERIA[step.criterion].needs_data or METHODS[step.method].needs_data


def _check_checkpoint(name: object) -> None:
    if name == "" or (isinstance(name, str) and RUN_NAME.fullmatch(name)):
        return
    raise ValueError(
        f"checkpoint must be the name of a run (lower-case letters, digits and hyphens), "
        f"not {repr(name)[:30]}"
    )


def _check_images(network: str, dataset: str) -> None:
    """Check that a user's network accepts the images of a dataset, and knows their classes."""
    own, data = NETWORKS[network].own, DATASETS[dataset]
    if own is None:
        return
    shape = (data.channels, data.size, data.size)
    if own.model.shape != shape:
        raise ValueError(
            f"the network takes images of shape {own.model.shape}, but those of {data.label} "
            f"have the shape {shape}"
        )
    outputs = own.model.steps[-1].shape[0]
    if outputs != len(data.classes):
        raise ValueError(
            f"the network has {outputs} outputs, but {data.label} has {len(data.classes)} classes"
        )


def _check_whole_number(name: str, value: object, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        given = repr(value)[:30]
    elif abs(value) > 10**18:  # Python refuses to print integers of more than 4,300 digits
        given = "a number of more than 18 digits"
    elif least <= value <= most:
        return
    else:
        given = str(value)
    raise ValueError(f"{name} must be a whole number from {least} to {most}, not {given}")

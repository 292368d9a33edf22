"""What to retrain and how, as one frozen value."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from pruning.methods.units import METHODS
from pruning.models import NETWORKS
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_from_dict, recipe_to_dict
from pruning.runtime.defaults import MAX_SEED
from pruning.training.plans import default_plan
from pruning.training.schedules import SCHEDULES
from pruning.training.schedules.base import OptionValue, Schedule

MAX_EPOCHS = 1_000
MAX_ROUNDS = 100
MAX_BATCH = 4_096
EPOCHS, ROUND_EPOCHS = 10, 2
"""Usual epochs of a run without rounds, and of each round."""
NAME_DIGITS = 8
"""Hexadecimal digits of the hash in the name of a run."""


@dataclass(frozen=True)
class RunSpec:
    """What to prune, and how it is trained: the identity of a run.

    Like a recipe it is canonical from its construction on: settings without effect take their
    default, so that runs with the same result have the same name.

    Parameters
    ----------
    recipe : Recipe
        What to prune. A limit on the test images is dropped.
    schedule : str
        Name in ``SCHEDULES``.
    epochs : int
        Epochs of each round, or of the run.
    rounds : int
        Number of rounds, for schedules that have them.
    learning_rate : float
        Peak of the learning rate of each round.
    batch_size : int
        Images of a step.
    weight_decay : float
        L2 penalty of all parameters.
    seed : int
        Seed of the order of the images, their augmentation and new initial weights.
    rewind_rate : bool
        Whether each round repeats the last learning rates of the training from scratch instead of
        a cosine (Renda et al. 2020).
    distillation : float
        Share of the dense network's outputs in the loss, from 0 to 1 (Hinton et al. 2015).
    temperature : float
        Of the distillation.
    options : tuple of (str, float or str)
        Settings of the schedule; those that are missing take their default.

    Raises
    ------
    ValueError
        A name that is not registered, or a value out of range.
    """

    recipe: Recipe
    schedule: str
    epochs: int
    rounds: int = 1
    learning_rate: float = 0.02
    batch_size: int = 128
    weight_decay: float = 5e-4
    seed: int = 0
    rewind_rate: bool = False
    distillation: float = 0.0
    temperature: float = 4.0
    options: tuple[tuple[str, OptionValue], ...] = ()

    def __post_init__(self) -> None:
        schedule = SCHEDULES[self.schedule]
        _check_number("epochs", self.epochs, 1, MAX_EPOCHS, is_whole=True)
        _check_number("rounds", self.rounds, 1, MAX_ROUNDS, is_whole=True)
        _check_number("learning_rate", self.learning_rate, 1e-8, 10)
        _check_number("batch_size", self.batch_size, 2, MAX_BATCH, is_whole=True)
        _check_number("weight_decay", self.weight_decay, 0, 1)
        _check_number("seed", self.seed, 0, MAX_SEED, is_whole=True)
        _check_number("distillation", self.distillation, 0, 1)
        _check_number("temperature", self.temperature, 0.1, 100)
        if not isinstance(self.rewind_rate, bool):
            raise ValueError("rewind_rate must be true or false")
        self._check_combination(schedule)
        recipe = self.recipe.on_all_images
        object.__setattr__(self, "recipe", recipe)
        object.__setattr__(self, "options", _canonical_options(schedule, self.options))
        for name in ("learning_rate", "weight_decay", "distillation", "temperature"):
            object.__setattr__(self, name, float(getattr(self, name)))
        if not schedule.has_rounds:
            object.__setattr__(self, "rounds", 1)
        if not self.distillation:
            object.__setattr__(self, "temperature", 4.0)
        if self.rewind_rate:  # the learning rates are those of the training from scratch
            plan = default_plan(recipe.network, recipe.dataset)
            object.__setattr__(self, "learning_rate", plan.learning_rate)
        schedule.check(self)

    def _check_combination(self, schedule: Schedule) -> None:
        if self.rewind_rate and not schedule.can_rewind_rate:
            able = [name for name in SCHEDULES if SCHEDULES[name].can_rewind_rate]
            raise ValueError(
                f"{schedule.name} has no learning-rate rewinding: {' and '.join(able)} have it"
            )
        if self.recipe.recovery and not schedule.recovers:
            able = [name for name in SCHEDULES if SCHEDULES[name].recovers]
            raise ValueError(
                f"{schedule.name} does not use recoveries: leave them out, or choose from "
                f"{', '.join(able)}"
            )

        if not schedule.removes_layers and self._removes_plain_layers():
            raise ValueError(
                f"{schedule.name} cannot remove plain layers, because that changes the parameters "
                "of the network: choose finetune, iterative or until"
            )

    def _removes_plain_layers(self) -> bool:
        """Whether a step removes layers and refits the next ones; blocks are masked instead."""
        is_refitted = any(METHODS[step.method].needs_data for step in self.recipe.steps)
        return is_refitted and not NETWORKS[self.recipe.network].residual

    def option(self, name: str) -> Any:
        """Return a setting of the schedule.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        float or str
            Its value.
        """
        return dict(self.options)[name]

    @property
    def total_epochs(self) -> int:
        """Number of epochs, the largest one if it depends on the results."""
        return SCHEDULES[self.schedule].total_epochs(self)

    @property
    def name(self) -> str:
        """Name of the run, the same for equal specifications."""
        text = json.dumps(spec_to_dict(self), sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:NAME_DIGITS]
        return f"{self.recipe.network}-{self.recipe.dataset}-{self.schedule}-{digest}"


def default_spec(recipe: Recipe, schedule: str, **changes: Any) -> RunSpec:
    """Return usual settings for a network.

    Parameters
    ----------
    recipe : Recipe
        What to prune.
    schedule : str
        Name in ``SCHEDULES``.
    **changes
        Fields of `RunSpec` that replace the usual ones.

    Returns
    -------
    RunSpec
        Settings that depend on network and dataset.

    Raises
    ------
    ValueError
        See `RunSpec`.
    """
    plan = default_plan(recipe.network, recipe.dataset)
    is_residual = NETWORKS[recipe.network].residual
    epochs = ROUND_EPOCHS if SCHEDULES[schedule].has_rounds else EPOCHS
    if SCHEDULES[schedule].trains_from_scratch:
        epochs = max(epochs, plan.epochs // 3)
    usual: dict[str, Any] = {
        "epochs": epochs,
        "rounds": 5,
        "learning_rate": plan.learning_rate / (4 if is_residual else 2),
        "batch_size": plan.batch_size,
        "weight_decay": plan.weight_decay,
    }
    return RunSpec(recipe=recipe, schedule=schedule, **(usual | changes))


def spec_to_dict(spec: RunSpec) -> dict[str, Any]:
    """Convert a specification to JSON values.

    Parameters
    ----------
    spec : RunSpec
        Any specification.

    Returns
    -------
    dict
        Every field; ``options`` as an object.
    """
    content = {field.name: getattr(spec, field.name) for field in fields(RunSpec)}
    content["recipe"] = recipe_to_dict(spec.recipe)
    content["options"] = dict(spec.options)
    return content


def spec_from_dict(content: object) -> RunSpec:
    """Read a specification from JSON values, as `spec_to_dict` gives them.

    Parameters
    ----------
    content : object
        What was read; anything that JSON can hold.

    Returns
    -------
    RunSpec
        The specification.

    Raises
    ------
    ValueError
        An unknown or missing field, or what `RunSpec` refuses.
    """
    if not isinstance(content, Mapping):
        raise ValueError("a run is an object with fields like recipe, schedule and epochs")
    known = {field.name for field in fields(RunSpec)}
    for name in content:
        if name not in known:
            raise ValueError(f"unknown field {name[:40]!r}: choose from {', '.join(sorted(known))}")
    for name in ("recipe", "schedule", "epochs"):
        if name not in content:
            raise ValueError(f"{name} is missing")
    values = dict(content)
    values["recipe"] = recipe_from_dict(content["recipe"])
    options = content.get("options", {})
    if not isinstance(options, Mapping):
        raise ValueError("options must be an object of names and values")
    values["options"] = tuple(options.items())
    return RunSpec(**values)


def _canonical_options(
    schedule: Schedule, given: tuple[tuple[str, OptionValue], ...]
) -> tuple[tuple[str, OptionValue], ...]:
    values = {option.name: option.default for option in schedule.options}
    for name, value in given:
        values[name] = schedule.option(name).parse(value)
    return tuple(values.items())


def _check_number(
    name: str, value: object, least: float, most: float, is_whole: bool = False
) -> None:
    kind = "a whole number" if is_whole else "a number"
    valid_types = int if is_whole else int | float
    is_number = isinstance(value, valid_types) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:  # type: ignore[operator]
        shown = repr(value)[:30]
        raise ValueError(f"{name} must be {kind} from {least:g} to {most:g}, not {shown}")

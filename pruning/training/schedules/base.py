"""The registry of schedules: how pruning and training follow each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pruning.runtime.registry import Registry, register

if TYPE_CHECKING:
    from pruning.training.run import Run
    from pruning.training.spec import RunSpec

ScheduleFunction = Callable[["Run"], None]
OptionValue = float | str


@dataclass(frozen=True)
class Option:
    """A setting of a schedule.

    Attributes
    ----------
    name : str
        Name in files and on the command line.
    label, help : str
        Label and help text.
    default : float or str
        Value where none is given.
    least, most : float
        Bounds of a number.
    is_whole : bool
        Whether the number must be a whole number.
    choices : tuple of str
        Valid values of an option that is not a number.
    """

    name: str
    label: str
    help: str
    default: OptionValue
    least: float = 0.0
    most: float = 1.0
    is_whole: bool = False
    choices: tuple[str, ...] = ()

    def parse(self, value: object) -> OptionValue:
        """Check a value.

        Parameters
        ----------
        value : object
            A number, or text as on the command line.

        Returns
        -------
        float or str
            The value.

        Raises
        ------
        ValueError
            If it is not valid.
        """
        if self.choices:
            if value in self.choices:
                return str(value)
            raise ValueError(f"{self.name} must be one of {', '.join(self.choices)}")
        kind = "a whole number" if self.is_whole else "a number"
        message = f"{self.name} must be {kind} from {self.least:g} to {self.most:g}"
        try:
            number = float(value) if isinstance(value, int | float | str) else float("nan")
        except (ValueError, OverflowError):
            raise ValueError(message) from None
        is_valid = self.least <= number <= self.most  # also refuses NaN
        if not is_valid or (self.is_whole and number != int(number)):
            raise ValueError(message)
        return int(number) if self.is_whole else number


def _accept(spec: RunSpec) -> None:
    """Accept all settings.

    Parameters
    ----------
    spec : RunSpec
        Not used.
    """


@dataclass(frozen=True)
class Schedule:
    """An order of pruning and training.

    Attributes
    ----------
    name : str
        Key in ``SCHEDULES``.
    function : callable
        ``function(run)`` prunes and trains; see `Run` for what it may call, and how an interrupted
        run is resumed.
    label, source, help : str
        Label, reference and help text.
    total_epochs : callable
        ``total_epochs(spec)`` gives the number of epochs, the largest one if it depends on the
        results.
    has_rounds : bool
        Whether it consists of rounds of epochs.
    can_rewind_rate : bool
        Whether learning-rate rewinding is an option.
    recovers : bool
        Whether the recoveries of the recipe are applied after each pruning.
    options : tuple of Option
        Settings of its own.
    trains_from_scratch : bool
        Whether each round is a training from scratch, which needs more epochs.
    removes_layers : bool
        Whether plain layers can be removed, which changes the parameters of the network.
    check : callable
        ``check(spec)`` raises ValueError if settings do not go together.
    """

    name: str
    function: ScheduleFunction
    label: str
    source: str
    help: str
    total_epochs: Callable[[RunSpec], int]
    has_rounds: bool = False
    can_rewind_rate: bool = False
    recovers: bool = False
    options: tuple[Option, ...] = ()
    trains_from_scratch: bool = False
    removes_layers: bool = True
    check: Callable[[RunSpec], None] = _accept

    def option(self, name: str) -> Option:
        """Return a setting of the schedule.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        Option
            The setting.

        Raises
        ------
        ValueError
            If the schedule has no such setting.
        """
        for option in self.options:
            if option.name == name:
                return option
        known = ", ".join(option.name for option in self.options) or "none"
        raise ValueError(f"{self.name} has no option {name[:40]!r}: its options are {known}")


MIN_PRUNINGS = 4
"""Prunings of a schedule that prunes while it trains: a longer interval is shortened."""
INTERVAL = Option(
    "interval",
    "Steps between prunings",
    "Steps of the optimizer from one pruning to the next; fewer in a short run, so that "
    "there are at least four prunings.",
    default=100,
    least=1,
    most=100_000,
    is_whole=True,
)
PRUNING_SHARE = Option(
    "pruning_share",
    "Share of the epochs with pruning",
    "The target is reached after this share of the steps, unless pruning stops before; the others "
    "only train.",
    default=0.7,
    least=0.01,
    most=1.0,
)

SCHEDULES: Registry[Schedule] = Registry("schedule")


def schedule(name: str, **info: Any) -> Callable[[ScheduleFunction], ScheduleFunction]:
    """Register the decorated function as a schedule.

    Parameters
    ----------
    name : str
        Key in ``SCHEDULES``.
    **info
        Further fields of `Schedule`.

    Returns
    -------
    callable
        Decorator that returns the function unchanged.
    """
    return register(SCHEDULES, Schedule, name, **info)


@dataclass(frozen=True)
class PruningSteps:
    """Steps of the optimizer at which a schedule prunes while it trains.

    Attributes
    ----------
    interval : int
        Steps from one pruning to the next.
    last : int
        Number of steps that are made when the last pruning is due.
    """

    interval: int
    last: int

    @classmethod
    def of(cls, spec: RunSpec, steps_per_epoch: int) -> PruningSteps:
        """Choose the steps by the options ``interval`` and ``pruning_share``.

        Parameters
        ----------
        spec : RunSpec
            Settings of the run.
        steps_per_epoch : int
            Steps of an epoch.

        Returns
        -------
        PruningSteps
            At least four prunings, if there are so many steps.
        """
        share = float(spec.option("pruning_share"))
        steps = max(1, int(share * spec.epochs * steps_per_epoch))
        interval = min(int(spec.option("interval")), max(1, steps // MIN_PRUNINGS))
        return cls(interval, steps // interval * interval)

    @property
    def count(self) -> int:
        """Number of prunings."""
        return self.last // self.interval

    def progress(self, step: int) -> float | None:
        """Return how much of the pruning is due before a step.

        Parameters
        ----------
        step : int
            Index of the step, from 0.

        Returns
        -------
        float or None
            Up to 1; None if no pruning is due.
        """
        made = step + 1
        if made % self.interval or made > self.last:
            return None
        return made / self.last


def epochs_of_rounds(spec: RunSpec) -> int:
    """Return the number of epochs of all rounds.

    Parameters
    ----------
    spec : RunSpec
        Settings of a run.

    Returns
    -------
    int
        Rounds times epochs.
    """
    return spec.rounds * spec.epochs

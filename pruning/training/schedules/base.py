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

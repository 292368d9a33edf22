"""A study as a TOML file: what it may say, and what is wrong with one, with its line."""

import itertools
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from pruning.data.datasets import DATASETS
from pruning.experiments.budgets import Budget
from pruning.experiments.retraining import RETRAINING_BENCHMARKS
from pruning.experiments.retraining.base import MAX_SEEDS
from pruning.methods.criteria import CRITERIA
from pruning.methods.recovery import RECOVERIES
from pruning.methods.rules import SCOPES
from pruning.methods.units import METHODS
from pruning.models import NETWORKS
from pruning.runtime.defaults import MAX_SEED
from pruning.runtime.errors import PrunescopeError
from pruning.training.schedules import SCHEDULES

MAX_POINTS = 1_000_000
MIN_VALUES = 5
"""Strengths of a curve, as Blalock et al. 2020 recommend."""
MAX_TITLE = 200
MAX_TEXT = 10_000

_DOCUMENT_KEYS = ("title", "seeds", "document", "description", "differences")
_TOP_KEYS = (
    *_DOCUMENT_KEYS,
    "networks",
    "datasets",
    "values",
    "budgets",
    "precision",
    "kept_layers",
    "published",
    "recipes",
    "runs",
)
_BENCHMARK_KEYS = ("benchmark", *_DOCUMENT_KEYS)
_RECIPE_KEYS = (
    "label",
    "method",
    "criterion",
    "measure",
    "grouping",
    "scope",
    "recovery",
    "calibration",
    "values",
    "budgets",
)
_RUN_KEYS = (
    *_RECIPE_KEYS,
    "schedule",
    "epochs",
    "rounds",
    "learning_rate",
    "batch_size",
    "weight_decay",
    "distillation",
)
_NOT_AXES = ("label", "values", "budgets")
_REGISTRIES: dict[str, Mapping[str, Any]] = {
    "networks": NETWORKS,
    "datasets": DATASETS,
    "method": METHODS,
    "criterion": CRITERIA,
    "scope": {name: scope for name, scope in SCOPES.items() if name != "custom"},
    "schedule": SCHEDULES,
}
CONTROL, DENSE = "random control", "dense"
"""Names that controls have; labels cannot begin with them."""
_FORBIDDEN_IN_NAMES = re.compile(r"[\x00-\x1f\x7f|]|-->")
"""What would end a cell, a heading or a comment of a document."""
_WITHOUT = ", without | and -->"
_MULTILINE = re.compile(r'"""(?s:.*?)"""|\'\'\'(?s:.*?)\'\'\'')
_HEADER = re.compile(r"\s*\[\[?\s*([A-Za-z_]+)\s*\]\]?")


class StudyError(PrunescopeError):
    """A study file is not valid; the message names the line."""


@dataclass(frozen=True)
class Strength:
    """How much is removed.

    Parameters
    ----------
    value : float or None
        Share of the units that is removed; with a budget, what remains; None where a run says it
        in another way.
    budget : str
        Name in ``BUDGETS``, of which ``value`` is the share; empty for a share of the units.
    """

    value: float | None
    budget: str = ""


@dataclass(frozen=True)
class Entry:
    """One table of a study, of which every combination is measured.

    Parameters
    ----------
    label : str
        Name for people; empty for the names of what it does.
    axes : dict of str to tuple
        Values of each field.
    strengths : tuple of Strength
        How much is removed, the least first.
    line : int
        Line of the table in the file.
    """

    label: str
    axes: dict[str, tuple[Any, ...]]
    strengths: tuple[Strength, ...]
    line: int

    def combinations(self) -> list[dict[str, Any]]:
        """Return every combination of the values of all fields.

        Returns
        -------
        list of dict
            Value by field.
        """
        names = list(self.axes)
        combinations = []
        for chosen in itertools.product(*self.axes.values()):
            combinations.append(dict(zip(names, chosen, strict=True)))
        return combinations

    @property
    def count(self) -> int:
        """Number of combinations."""
        return math.prod(len(values) for values in self.axes.values())


@dataclass(frozen=True)
class Study:
    """What a study file says.

    Parameters
    ----------
    title : str
        Title of the report.
    networks, datasets : tuple of str
        Names in ``NETWORKS`` and ``DATASETS``; every pair is measured.
    seeds : tuple of int
        Of random criteria, of draws of calibration images, and of retraining.
    precision : float or None
        As of `evaluate`.
    recipes, runs : tuple of Entry
        What is pruned, and what is pruned and trained.
    kept_layers : tuple of str
        Layers of which nothing is removed.
    benchmark : str
        Name in ``RETRAINING_BENCHMARKS``, whose runs are the study; empty for `recipes` and `runs`.
    document : str
        Path of a Markdown document, relative to the file, in which the results are a section.
    description, differences : str
        Paragraphs of this section: what was measured, and what differs from published protocols.
    shows_published : bool
        Whether this section shows the published accuracies of one-shot pruning.
    """

    title: str
    networks: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    precision: float | None = None
    recipes: tuple[Entry, ...] = ()
    runs: tuple[Entry, ...] = ()
    kept_layers: tuple[str, ...] = ()
    benchmark: str = ""
    document: str = ""
    description: str = ""
    differences: str = ""
    shows_published: bool = False

    @property
    def most_points(self) -> int:
        """Upper limit on the number of points, without controls."""
        pairs = len(self.networks) * len(self.datasets)
        total = 0
        for entry in (*self.recipes, *self.runs):
            total += entry.count * len(entry.strengths)
        return pairs * total * len(self.seeds)


def parse_study(text: str, name: str = "study") -> Study:
    """Read a study.

    Parameters
    ----------
    text : str
        Content of a TOML file: ``title``, ``networks``, ``datasets``, ``values`` (shares of the
        units that are removed), ``budgets`` (such as ``"macs=0.5"``), ``seeds``, ``precision``,
        ``kept_layers``, and tables ``[[recipes]]`` and ``[[runs]]``, whose fields are those of a
        recipe and of a run. A list is a grid. Or ``benchmark`` and ``seeds``: the runs of a
        benchmark of retraining. With ``document`` the results are a section of it.
    name : str
        Name of the file, for messages.

    Returns
    -------
    Study
        Its names are registered; what goes together is checked when it is expanded.

    Raises
    ------
    StudyError
        The text is not TOML, a field is unknown or has a wrong value, a grid is empty, or there
        are more than a million points; the message names the line.
    """
    try:
        content = tomllib.loads(text)
    except ValueError as error:  # also of a number with too many digits
        raise StudyError(f"{name} is not TOML: {error}") from None
    return _Reader(content, text, name).study()


class _Reader:
    """Checks the content of a study, and knows where it stands in the file."""

    def __init__(self, content: Mapping[str, Any], text: str, name: str):
        self._content = content
        self._lines = _MULTILINE.sub(_blank, text).splitlines()
        self._name = name

    def study(self) -> Study:
        """Check everything."""
        if "benchmark" in self._content:
            return self._benchmark()
        self._check_keys(self._content, _TOP_KEYS, "", 0)
        networks = self._names("networks")
        datasets = self._names("datasets")
        strengths = self._strengths(self._content, "", 0, MIN_VALUES)
        recipes = self._entries("recipes", _RECIPE_KEYS, strengths)
        runs = self._entries("runs", _RUN_KEYS, strengths)
        if not recipes and not runs:
            raise StudyError(f"{self._name} has no [[recipes]] and no [[runs]]: nothing to measure")
        study = Study(
            networks=networks,
            datasets=datasets,
            precision=self._precision(),
            recipes=recipes,
            runs=runs,
            kept_layers=self._kept_layers(),
            shows_published=self._shows_published(),
            **self._fields_of_document(self._name),
        )
        if study.most_points > MAX_POINTS:
            raise StudyError(
                f"{self._name} has {study.most_points:,} points, more than {MAX_POINTS:,}: choose "
                "fewer values, seeds or combinations"
            )
        return study

    def _benchmark(self) -> Study:
        """Check a study that is a benchmark of retraining."""
        self._check_keys(self._content, _BENCHMARK_KEYS, "", 0)
        name = self._content["benchmark"]
        if not isinstance(name, str) or name not in RETRAINING_BENCHMARKS:
            valid = ", ".join(RETRAINING_BENCHMARKS)
            self._fail("benchmark", "", 0, f"unknown benchmark {name!r}: choose from {valid}")
        fields = self._fields_of_document(RETRAINING_BENCHMARKS[name].title)
        seeds = fields["seeds"]
        are_counted = seeds == tuple(range(len(seeds)))
        if not are_counted or len(seeds) > MAX_SEEDS:
            problem = f"seeds of a benchmark are 0, 1 and so on, at most {MAX_SEEDS}"
            self._fail("seeds", "", 0, problem)
        return Study(benchmark=name, **fields)

    def _fields_of_document(self, usual_title: str) -> dict[str, Any]:
        """Fields that every study has."""
        fields: dict[str, Any] = {"seeds": self._seeds()}
        fields["title"] = self._text("title", usual_title, MAX_TITLE)
        if not fields["title"] or _FORBIDDEN_IN_NAMES.search(fields["title"]):
            self._fail("title", "", 0, f"title is one line of text{_WITHOUT}")
        fields["document"] = self._text("document", "", MAX_TITLE)
        for key in ("description", "differences"):
            fields[key] = self._text(key, "", MAX_TEXT)
        return fields

    def _text(self, key: str, usual: str, longest: int) -> str:
        text = self._content.get(key, usual)
        if not isinstance(text, str) or len(text) > longest:
            self._fail(key, "", 0, f"{key} is a text of at most {longest:,} characters")
        return text.strip()

    def _shows_published(self) -> bool:
        value = self._content.get("published", False)
        if not isinstance(value, bool):
            self._fail("published", "", 0, "published is true or false")
        return value

    def _kept_layers(self) -> tuple[str, ...]:
        names = _as_list(self._content.get("kept_layers", []))
        if not all(isinstance(name, str) for name in names):
            self._fail("kept_layers", "", 0, "kept_layers are names of layers")
        return tuple(names)

    def _fail(self, key: str, table: str, index: int, problem: str) -> NoReturn:
        line = self._line_of(key, table, index)
        raise StudyError(f"{self._name}, line {line}: {problem}")

    def _line_of(self, key: str, table: str, index: int) -> int:
        """Return the line of a key in the ``index``-th table of a name; else that of the table."""
        current, count, header_line = "", -1, 1
        for number, line in enumerate(self._lines, start=1):
            header = _HEADER.match(line)
            if header:
                current = header.group(1)
                count += current == table
                if (current == table and count == index) or (not table and current == key):
                    header_line = number
            if table and re.match(rf"\s*{table}\s*=", line):  # tables in one line
                header_line = number
            is_here = current == table and (not table or count == index)
            if is_here and re.match(rf"\s*{re.escape(key)}\s*=", line):
                return number
        return header_line

    def _check_keys(
        self, content: Mapping[str, Any], known: Sequence[str], table: str, index: int
    ) -> None:
        for key in content:
            if key not in known:
                problem = f"unknown field {key!r}: choose from {', '.join(known)}"
                self._fail(key, table, index, problem)

    def _names(self, key: str) -> tuple[str, ...]:
        if key not in self._content:
            raise StudyError(f"{self._name} needs {key}, such as {next(iter(_REGISTRIES[key]))!r}")
        return self._axis(key, self._content[key], "", 0)

    def _seeds(self) -> tuple[int, ...]:
        seeds = _as_list(self._content.get("seeds", [0]))
        is_valid = seeds and all(type(seed) is int and 0 <= seed <= MAX_SEED for seed in seeds)
        if not is_valid or len(set(seeds)) < len(seeds):
            problem = f"seeds are different whole numbers from 0 to {MAX_SEED}, at least one"
            self._fail("seeds", "", 0, problem)
        return tuple(seeds)

    def _precision(self) -> float | None:
        precision = self._content.get("precision")
        if precision is not None and not (_is_number(precision) and 0 < precision < 1):
            self._fail("precision", "", 0, "precision is a number between 0 and 1, such as 0.01")
        return precision

    def _values(
        self, content: Mapping[str, Any], table: str, index: int, fewest: int
    ) -> tuple[float, ...]:
        """Shares of the units, in ascending order; empty if they are not given."""
        if "values" not in content:
            return ()
        values = _as_list(content["values"])
        for value in values:
            if not _is_number(value) or not 0 < value <= 1:
                problem = f"values are shares of the units above 0, at most 1, not {value!r:.30}"
                self._fail("values", table, index, problem)
        if len(set(values)) < fewest:
            least = "five different values" if fewest > 1 else "a value"
            self._fail("values", table, index, f"values needs at least {least}")
        return tuple(sorted({float(value) for value in values}))

    def _budgets(self, content: Mapping[str, Any], table: str, index: int) -> tuple[Budget, ...]:
        """Budgets, in the order of what they leave; empty if they are not given."""
        budgets = []
        for text in _as_list(content.get("budgets", [])):
            try:
                budget = Budget.from_text(text if isinstance(text, str) else repr(text))
            except ValueError as error:
                self._fail("budgets", table, index, str(error))
            if budget.kind == "own":
                self._fail("budgets", table, index, "a budget is one such as macs=0.5, not own")
            if budget in budgets:
                self._fail("budgets", table, index, f"{budget.to_text()} is given twice")
            budgets.append(budget)
        if "budgets" in content and not budgets:
            self._fail("budgets", table, index, "budgets has no value")
        return tuple(sorted(budgets, key=lambda budget: (budget.kind, -budget.share)))

    def _strengths(
        self, content: Mapping[str, Any], table: str, index: int, fewest: int
    ) -> tuple[Strength, ...]:
        """Values and budgets; empty if neither is given."""
        strengths = [Strength(value) for value in self._values(content, table, index, fewest)]
        for budget in self._budgets(content, table, index):
            strengths.append(Strength(budget.share, budget.kind))
        return tuple(strengths)

    def _entries(
        self, table: str, keys: Sequence[str], strengths: tuple[Strength, ...]
    ) -> tuple[Entry, ...]:
        tables = self._content.get(table, [])
        if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
            self._fail(table, "", 0, f"{table} are tables: write [[{table}]]")
        entries = []
        for index, content in enumerate(tables):
            self._check_keys(content, keys, table, index)
            own = self._strengths(content, table, index, 1) or strengths
            if not own:
                problem = "values or budgets are missing, here or at the top"
                self._fail("values", table, index, problem)
            label = content.get("label", "")
            if not isinstance(label, str) or len(label) > MAX_TITLE:
                self._fail("label", table, index, f"label is at most {MAX_TITLE} characters")
            if _FORBIDDEN_IN_NAMES.search(label):
                self._fail("label", table, index, f"label is one line of text{_WITHOUT}")
            if label == DENSE or label.startswith(CONTROL):
                problem = f"{DENSE} and {CONTROL} are names of the controls: choose another label"
                self._fail("label", table, index, problem)
            axes = {}
            for key, value in content.items():
                if key not in _NOT_AXES:
                    axes[key] = self._axis(key, value, table, index)
            if table == "runs" and "schedule" not in axes:
                self._fail("schedule", table, index, "a run needs a schedule")
            entries.append(Entry(label, axes, own, self._line_of("", table, index)))
        return tuple(entries)

    def _axis(self, key: str, value: Any, table: str, index: int) -> tuple[Any, ...]:
        values = _as_list(value)
        if not values:
            self._fail(key, table, index, f"{key} has no value")
        if len({repr(each) for each in values}) < len(values):
            self._fail(key, table, index, f"{key} has a value twice")
        registry = _REGISTRIES.get(key)
        if key == "recovery":
            values = [self._recovery(each, table, index) for each in values]
        elif registry is not None:
            for each in values:
                if not isinstance(each, str) or each not in registry:
                    names = ", ".join(registry)
                    problem = f"unknown {_singular(key)} {each!r}: choose from {names}"
                    self._fail(key, table, index, problem)
        elif not all(isinstance(each, str | int | float) for each in values):
            self._fail(key, table, index, f"{key} is a text or a number, or a list of them")
        return tuple(values)

    def _recovery(self, value: Any, table: str, index: int) -> tuple[str, ...]:
        """Recoveries that follow each other, with + between them; an empty text for none."""
        names = value.split("+") if isinstance(value, str) and value else []
        if not isinstance(value, str) or not set(names) <= set(RECOVERIES):
            valid = ", ".join(RECOVERIES)
            problem = f"unknown recovery {value!r}: choose from {valid}, with + between several"
            self._fail("recovery", table, index, problem)
        if len(set(names)) < len(names):
            self._fail("recovery", table, index, f"recovery {value!r} has a name twice")
        return tuple(names)


def _blank(text: re.Match[str]) -> str:
    """A text of several lines without what could be read as a key."""
    return '""' + "\n" * text.group().count("\n")


def _singular(key: str) -> str:
    return key.removesuffix("s")


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

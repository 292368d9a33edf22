"""Every point of a study: the recipe or the run that measures it, and its curve."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pruning.experiments.budgets import Budget, match_budget
from pruning.experiments.retraining import RETRAINING_BENCHMARKS
from pruning.experiments.study.study_file import (
    CONTROL,
    DENSE,
    Entry,
    Strength,
    Study,
    StudyError,
)
from pruning.methods.criteria import CRITERIA
from pruning.methods.recovery import RECOVERIES
from pruning.recipe.compatibility import criteria_for, layers_for
from pruning.recipe.labels import recipe_label
from pruning.recipe.recipe import Recipe, draws_of
from pruning.recipe.serialization import recipe_from_dict
from pruning.runtime.progress import ShareReport, ignore_progress
from pruning.training.schedules import SCHEDULES
from pruning.training.spec import RunSpec, default_spec

RANDOM = "random"
DEFAULT_METHOD = "weight"
_SETTINGS_OF_RUNS = (
    "epochs",
    "rounds",
    "learning_rate",
    "batch_size",
    "weight_decay",
    "distillation",
)
_REPLACED_BY_RANDOM = ("criterion", "measure", "scope")


@dataclass(frozen=True)
class StudyPoint:
    """One measurement.

    Parameters
    ----------
    curve : str
        Name of its curve, the same for all strengths and seeds.
    strength : Strength
        What is asked for.
    seed : int
        Of the criterion, of the calibration images, or of the training.
    recipe : Recipe
        What is pruned.
    run : RunSpec or None
        How it is trained; None without training.
    problem : str
        Why the budget is not met, or what was changed for it; empty if there is nothing to say.
    """

    curve: str
    strength: Strength
    seed: int
    recipe: Recipe
    run: RunSpec | None = None
    problem: str = ""

    @property
    def measured(self) -> Recipe:
        """The recipe that is evaluated: of a run, its network without further pruning."""
        if self.run is None:
            return self.recipe
        recipe = self.recipe
        return Recipe.one_step(recipe.network, recipe.dataset, value=0.0, checkpoint=self.run.name)


def expand(study: Study, name: str = "study") -> list[StudyPoint]:
    """List the points of a study, with the dense network and random controls for each pair.

    Parameters
    ----------
    study : Study
        The study.
    name : str
        Name of the file, for messages.

    Returns
    -------
    list of StudyPoint
        Pair by pair and entry by entry, each once. Points at a budget have the strength of any
        recipe: see `match_budgets`. The runs of a benchmark have no random control.

    Raises
    ------
    StudyError
        A combination does not go together; the message names the line of its table.
    """
    if study.benchmark:
        return _points_of_benchmark(study)
    points: dict[StudyPoint, None] = {}
    for network in study.networks:
        for dataset in study.datasets:
            pair = {"network": network, "dataset": dataset}
            points |= dict.fromkeys(_points_of_pair(study, pair, name))
    return list(points)


def match_budgets(
    points: Sequence[StudyPoint], report: ShareReport = ignore_progress
) -> list[StudyPoint]:
    """Adapt the points at a budget to it.

    Parameters
    ----------
    points : sequence of StudyPoint
        As of `expand`.
    report : callable
        Called with the share of the points that are done.

    Returns
    -------
    list of StudyPoint
        In the same order. A run is adapted before it is trained.
    """
    matched = []
    for index, point in enumerate(points):
        if point.strength.budget:
            point = _at_budget(point)
        matched.append(point)
        report((index + 1) / len(points))
    return matched


def _at_budget(point: StudyPoint) -> StudyPoint:
    assert point.strength.value is not None
    budget = Budget(point.strength.budget, point.strength.value)
    found = match_budget(point.recipe, budget)
    run = None if point.run is None else replace(point.run, recipe=found.recipe)
    return replace(point, recipe=found.recipe, run=run, problem=found.problem)


def _points_of_pair(study: Study, pair: dict[str, str], name: str) -> Iterator[StudyPoint]:
    yield _dense(pair["network"], pair["dataset"])
    lines: dict[str, int] = {}
    for entry in (*study.recipes, *study.runs):
        for fields in entry.combinations():
            try:
                points = list(_points_of(study, entry, pair, fields))
            except ValueError as error:
                raise StudyError(f"{name}, line {entry.line}: {error}") from error
            curve = points[0].curve
            if curve in lines:
                raise StudyError(
                    f"{name}, line {entry.line}: {curve!r} is the name of two curves (line "
                    f"{lines[curve]}): give each table a label of its own"
                )
            lines[curve] = entry.line
            yield from points
    for entry, fields in _controls(study):
        yield from _points_of(study, entry, pair, fields)


def _points_of(
    study: Study, entry: Entry, pair: dict[str, str], fields: dict[str, Any]
) -> Iterator[StudyPoint]:
    if "schedule" in fields:
        return _trained(study, entry, pair, fields)
    return _pruned(study, entry, pair, fields)


def _controls(study: Study) -> list[tuple[Entry, dict[str, Any]]]:
    """Random pruning wherever something else is pruned: as much, recovered and trained the same."""
    strengths: dict[str, dict[Strength, None]] = {}
    fields_of: dict[str, dict[str, Any]] = {}
    for entry in (*study.recipes, *study.runs):
        for fields in entry.combinations():
            fields = {"method": DEFAULT_METHOD, **fields}
            if fields["method"] not in CRITERIA[RANDOM].applies_to:
                continue
            rest = {key: fields[key] for key in fields if key not in _REPLACED_BY_RANDOM}
            key = repr(sorted(rest.items()))
            fields_of[key] = {**rest, "criterion": RANDOM}
            strengths.setdefault(key, {}).update(dict.fromkeys(entry.strengths))
    controls = []
    for key, fields in fields_of.items():
        label = f"{CONTROL}, {_describe_control(fields)}"
        axes = {name: (value,) for name, value in fields.items()}
        controls.append((Entry(label, axes, in_order(strengths[key]), 0), fields))
    return controls


def _describe_control(fields: dict[str, Any]) -> str:
    parts = [fields["method"]]
    if fields.get("grouping"):
        parts.append(fields["grouping"])
    if "schedule" in fields:
        parts.append(SCHEDULES[fields["schedule"]].label.lower())
    parts += [RECOVERIES[name].label.lower() for name in fields.get("recovery", ())]
    for name in (*_SETTINGS_OF_RUNS, "calibration"):
        if name in fields:
            parts.append(f"{name} {fields[name]}")
    return ", ".join(parts)


def _dense(network: str, dataset: str) -> StudyPoint:
    return StudyPoint(DENSE, Strength(0.0), 0, Recipe(network, dataset).unpruned)


def in_order(strengths: Iterable[Strength]) -> tuple[Strength, ...]:
    """Sort strengths: shares of the units, then budgets, the least removal first.

    Parameters
    ----------
    strengths : iterable of Strength
        Different ones.

    Returns
    -------
    tuple of Strength
        Sorted.
    """

    def position(strength: Strength) -> tuple[str, float]:
        value = strength.value or 0.0
        return strength.budget, -value if strength.budget else value

    return tuple(sorted(strengths, key=position))


def _recipe(study: Study, pair: dict[str, str], fields: dict[str, Any]) -> Recipe:
    content = {**pair, **fields, "rule": "sparsity", "value": 0.5}
    content.setdefault("method", DEFAULT_METHOD)
    content.setdefault("criterion", criteria_for(pair["network"], content["method"])[0])
    recipe = recipe_from_dict(content)
    if not study.kept_layers:
        return recipe
    step = recipe.last_step
    names = layers_for(recipe.network, step.method, step.grouping)
    for name in study.kept_layers:
        if name not in names:
            raise ValueError(
                f"kept_layers: {recipe.network} has no layer {name!r} for {step.method}: choose "
                f"from {', '.join(names)}"
            )
    chosen = tuple(name for name in names if name not in study.kept_layers)
    return recipe.with_last_step(layers=chosen)


def _pruned(
    study: Study, entry: Entry, pair: dict[str, str], fields: dict[str, Any]
) -> Iterator[StudyPoint]:
    recipe = _recipe(study, pair, fields)
    label = _name(entry, recipe_label(recipe.with_last_step(layers=None), with_seed=False))
    draws = draws_of(recipe.dataset, recipe.calibration)
    for strength in entry.strengths:
        for index, seed in enumerate(study.seeds[: _repetitions(study, recipe)]):
            own = replace(_at_strength(recipe, strength), seed=seed, draw=index % draws)
            yield StudyPoint(label, strength, seed, own)


def _repetitions(study: Study, recipe: Recipe) -> int:
    """How many seeds give different results: of the criterion, or draws of calibration images."""
    if recipe.is_random:
        return len(study.seeds)
    if recipe.uses_calibration:
        return min(len(study.seeds), draws_of(recipe.dataset, recipe.calibration))
    return 1


def _trained(
    study: Study, entry: Entry, pair: dict[str, str], fields: dict[str, Any]
) -> Iterator[StudyPoint]:
    settings = {key: fields[key] for key in _SETTINGS_OF_RUNS if key in fields}
    schedule = fields["schedule"]
    rest = {key: fields[key] for key in fields if key not in (*settings, "schedule")}
    recipe = _recipe(study, pair, rest)
    texts = [f"{key} {value}" for key, value in settings.items() if len(entry.axes[key]) > 1]
    pruning = recipe_label(recipe.with_last_step(layers=None), with_seed=False)
    label = _name(entry, ", ".join([SCHEDULES[schedule].label, pruning, *texts]))
    for strength in entry.strengths:
        for seed in study.seeds:
            pruned = replace(_at_strength(recipe, strength), seed=seed)
            run = default_spec(pruned, schedule, seed=seed, **settings)
            _check_effect(run, settings)
            yield StudyPoint(label, strength, seed, pruned, run)


def _check_effect(run: RunSpec, settings: dict[str, Any]) -> None:
    """Refuse settings that a schedule does not have: a grid of them would train one run twice."""
    for name, value in settings.items():
        if getattr(run, name) != value:
            raise ValueError(f"{run.schedule} has no {name}: leave it out")


def _at_strength(recipe: Recipe, strength: Strength) -> Recipe:
    """The recipe; at a budget with any value, until it is matched."""
    return recipe if strength.budget else recipe.with_last_step(value=strength.value)


def _name(entry: Entry, label: str) -> str:
    """Name of a curve: the label of its entry, with what distinguishes it if there are several."""
    if not entry.label:
        return label
    return entry.label if entry.count == 1 else f"{entry.label}: {label}"


def _points_of_benchmark(study: Study) -> list[StudyPoint]:
    specs = RETRAINING_BENCHMARKS[study.benchmark].specs(len(study.seeds))
    by_name = {spec.name: spec for spec in specs}
    points: dict[StudyPoint, None] = {}
    for spec in specs:
        recipe = spec.recipe
        points[_dense(recipe.network, recipe.dataset)] = None
        strength = Strength(_removed(spec, by_name))
        points[StudyPoint(_label_of_run(spec), strength, spec.seed, recipe, spec)] = None
    return list(points)


def _removed(spec: RunSpec, by_name: dict[str, RunSpec]) -> float | None:
    """Share of the units that a run asks for, with those of the runs that it starts from.

    None if it asks for something else, such as a value for each layer.
    """
    step = spec.recipe.last_step
    if step.rule != "sparsity" or step.scope == "custom":
        return None
    share = float(step.value)
    before = by_name.get(spec.recipe.checkpoint)
    if before is not None:
        share = 1 - (1 - share) * (1 - (_removed(before, by_name) or 0.0))
    return round(share, 6)


def _label_of_run(spec: RunSpec) -> str:
    """What a run does, without its strength, its seed and the run that it starts from."""
    recipe = replace(spec.recipe, checkpoint="")
    parts = [SCHEDULES[spec.schedule].label, recipe_label(recipe, with_seed=False)]
    if recipe.last_step.scope == "custom":
        parts.append(" ".join(f"{name} {share:g}" for name, share in recipe.last_step.values))
    parts += [f"{name} {value}" for name, value in spec.options]
    return ", ".join(parts)

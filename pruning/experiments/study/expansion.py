"""Every point of a study: the recipe or the run that measures it, and its curve."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pruning.experiments.budgets import LABELS, Budget, match_budget
from pruning.experiments.retraining import RETRAINING_BENCHMARKS
from pruning.experiments.study.study_file import Entry, Strength, Study, StudyError
from pruning.methods.criteria import CRITERIA
from pruning.recipe.compatibility import criteria_for, layers_for
from pruning.recipe.labels import recipe_label
from pruning.recipe.recipe import Recipe, draws_of
from pruning.recipe.serialization import recipe_from_dict
from pruning.runtime.progress import ShareReport, ignore_progress
from pruning.training.schedules import SCHEDULES
from pruning.training.spec import RunSpec, default_spec

CONTROL = "random control"
DENSE = "dense"
RANDOM = "random"
DEFAULT_METHOD = "weight"
_SETTINGS_OF_RUNS = (
    *("epochs", "rounds", "learning_rate", "batch_size", "weight_decay", "distillation"),
)


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
    """List the points of a study, with a dense and a random control for each pair.

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
        recipe: see `match_budgets`. The runs of a benchmark have a dense control only.

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
    budget = Budget(point.strength.budget, point.strength.value)
    found = match_budget(point.recipe, budget)
    run = None if point.run is None else replace(point.run, recipe=found.recipe)
    return replace(point, recipe=found.recipe, run=run, problem=found.problem)


def _points_of_pair(study: Study, pair: dict[str, str], name: str) -> Iterator[StudyPoint]:
    yield _dense(pair["network"], pair["dataset"])
    strengths_of_method: dict[str, dict[Strength, None]] = {}
    for entry in (*study.recipes, *study.runs):
        points_of = _trained if "schedule" in entry.axes else _pruned
        for fields in entry.combinations():
            try:
                yield from points_of(study, entry, pair, fields)
            except ValueError as error:
                raise StudyError(f"{name}, line {entry.line}: {error}") from error
            method = fields.get("method", DEFAULT_METHOD)
            strengths_of_method.setdefault(method, {}).update(dict.fromkeys(entry.strengths))
    for method, strengths in strengths_of_method.items():
        if method in CRITERIA[RANDOM].applies_to:
            entry = Entry(f"{CONTROL}, {method}", {}, in_order(strengths), 0)
            yield from _pruned(study, entry, pair, {"method": method, "criterion": RANDOM})


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
    strengths = tuple(strengths)
    values = sorted(each.value for each in strengths if not each.budget)
    budgets = [each for each in strengths if each.budget]
    budgets.sort(key=lambda each: (each.budget, -each.value))
    return (*map(Strength, values), *budgets)


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
    for strength in entry.strengths:
        for index, seed in enumerate(study.seeds[: _repetitions(study, recipe)]):
            draw = index if recipe.uses_calibration else 0
            own = replace(_at_strength(recipe, strength), seed=seed, draw=draw)
            yield StudyPoint(_at_kind(label, strength), strength, seed, own)


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
            yield StudyPoint(_at_kind(label, strength), strength, seed, pruned, run)


def _at_strength(recipe: Recipe, strength: Strength) -> Recipe:
    """The recipe; at a budget with any value, until it is matched."""
    return recipe if strength.budget else recipe.with_last_step(value=strength.value)


def _at_kind(label: str, strength: Strength) -> str:
    """Name of a curve: points at budgets are a curve of their own."""
    if not strength.budget:
        return label
    return f"{label}, at equal {LABELS.get(strength.budget, strength.budget)}"


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


def _removed(spec: RunSpec, by_name: dict[str, RunSpec]) -> float:
    """Share of the units that a run asks for, with those of the runs that it starts from."""
    step = spec.recipe.last_step
    share = float(step.value) if step.rule == "sparsity" and step.scope != "custom" else 0.0
    before = by_name.get(spec.recipe.checkpoint)
    if before is not None:
        share = 1 - (1 - share) * (1 - _removed(before, by_name))
    return round(share, 6)


def _label_of_run(spec: RunSpec) -> str:
    """What a run does, without its strength, its seed and the run that it starts from."""
    recipe = replace(spec.recipe, checkpoint="")
    parts = [SCHEDULES[spec.schedule].label, recipe_label(recipe, with_seed=False)]
    if recipe.last_step.scope == "custom":
        parts.append(" ".join(f"{name} {share:g}" for name, share in recipe.last_step.values))
    parts += [f"{name} {value}" for name, value in spec.options]
    return ", ".join(parts)

"""Every point of a study: the recipe or the run that measures it, and its curve."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pruning.experiments.study.study_file import Entry, Study, StudyError
from pruning.methods.criteria import CRITERIA
from pruning.recipe.compatibility import criteria_for
from pruning.recipe.labels import recipe_label
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_from_dict
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
        Name of its curve, the same for all values and seeds.
    value : float
        Share of the units that is asked for.
    seed : int
        Of the criterion, or of the training.
    recipe : Recipe
        What is pruned.
    run : RunSpec or None
        How it is trained; None without training.
    """

    curve: str
    value: float
    seed: int
    recipe: Recipe
    run: RunSpec | None = None

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
        Pair by pair and entry by entry, each once.

    Raises
    ------
    StudyError
        A combination does not go together; the message names the line of its table.
    """
    points: dict[StudyPoint, None] = {}
    for network in study.networks:
        for dataset in study.datasets:
            pair = {"network": network, "dataset": dataset}
            points |= dict.fromkeys(_points_of_pair(study, pair, name))
    return list(points)


def _points_of_pair(study: Study, pair: dict[str, str], name: str) -> Iterator[StudyPoint]:
    yield StudyPoint(DENSE, 0.0, 0, Recipe(pair["network"], pair["dataset"]).unpruned)
    values_of_method: dict[str, set[float]] = {}
    for entry in study.recipes:
        for fields in entry.combinations():
            try:
                recipe = _recipe(pair, fields)
                yield from _pruned(study, entry, recipe)
            except ValueError as error:
                raise StudyError(f"{name}, line {entry.line}: {error}") from error
            method = recipe.last_step.method
            values_of_method.setdefault(method, set()).update(entry.values)
    for entry in study.runs:
        for fields in entry.combinations():
            try:
                yield from _trained(study, entry, pair, fields)
            except ValueError as error:
                raise StudyError(f"{name}, line {entry.line}: {error}") from error
            method = fields.get("method", DEFAULT_METHOD)
            values_of_method.setdefault(method, set()).update(entry.values)
    for method, values in values_of_method.items():
        if method in CRITERIA[RANDOM].applies_to:
            control = _recipe(pair, {"method": method, "criterion": RANDOM})
            entry = Entry(f"{CONTROL}, {method}", {}, tuple(sorted(values)), 0)
            yield from _pruned(study, entry, control)


def _recipe(pair: dict[str, str], fields: dict[str, Any]) -> Recipe:
    content = {**pair, **fields, "rule": "sparsity", "value": 0.5}
    content.setdefault("method", DEFAULT_METHOD)
    content.setdefault("criterion", criteria_for(pair["network"], content["method"])[0])
    return recipe_from_dict(content)


def _pruned(study: Study, entry: Entry, recipe: Recipe) -> Iterator[StudyPoint]:
    seeds = study.seeds if recipe.is_random else study.seeds[:1]
    curve = _name(entry, recipe_label(recipe, with_seed=False))
    for value in entry.values:
        for seed in seeds:
            yield StudyPoint(
                curve, value, seed, replace(recipe.with_last_step(value=value), seed=seed)
            )


def _trained(
    study: Study, entry: Entry, pair: dict[str, str], fields: dict[str, Any]
) -> Iterator[StudyPoint]:
    settings = {key: fields[key] for key in _SETTINGS_OF_RUNS if key in fields}
    schedule = fields["schedule"]
    rest = {key: fields[key] for key in fields if key not in (*settings, "schedule")}
    recipe = _recipe(pair, rest)
    texts = [f"{key} {value}" for key, value in settings.items() if len(entry.axes[key]) > 1]
    label = ", ".join([SCHEDULES[schedule].label, recipe_label(recipe, with_seed=False), *texts])
    for value in entry.values:
        for seed in study.seeds:
            pruned = replace(recipe.with_last_step(value=value), seed=seed)
            run = default_spec(pruned, schedule, seed=seed, **settings)
            yield StudyPoint(_name(entry, label), value, seed, pruned, run)


def _name(entry: Entry, label: str) -> str:
    """Name of a curve: the label of its entry, with what distinguishes it if there are several."""
    if not entry.label:
        return label
    return entry.label if entry.count == 1 else f"{entry.label}: {label}"

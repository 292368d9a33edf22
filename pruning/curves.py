"""Many recipes at once: accuracy against sparsity."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pruning import experiment
from pruning.experiment import Outcome
from pruning.recipe import Recipe
from pruning.rules import RULES, value_for

SPARSITIES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.84, 0.88, 0.91, 0.94, 0.96, 0.98, 0.99, 1.0)


@dataclass(frozen=True)
class Progress:
    """Points that are there so far, of how many, and the share of the work that is done."""

    points: tuple[Outcome, ...]
    total: int
    share: float


def at_sparsity(recipe: Recipe, sparsity: float) -> Recipe:
    """The same recipe with the rule's value that removes this share of the units that take part, or just less.

    Raises
    ------
    ValueError : each layer has a value of its own, and no single one moves them all.
    """
    if recipe.scope == "custom":
        raise ValueError("a curve needs one value for all layers: choose another scope")
    if recipe.rule == "sparsity":
        return replace(recipe, value=sparsity)
    ranking = experiment.ranking(recipe)
    value = value_for(RULES[recipe.rule], ranking, round(sparsity * ranking.units), recipe.scope, pattern=str(recipe.value))
    return replace(recipe, value=value)


def curve(recipe: Recipe, report: Callable[[Progress], None] = lambda progress: None,
          known: Callable[[Recipe], Outcome | None] = lambda recipe: None,
          keep: Callable[[Recipe, Outcome], None] = lambda recipe, outcome: None,
          sparsities: tuple[float, ...] = SPARSITIES) -> tuple[Outcome, ...]:
    """An outcome for each sparsity, of this recipe's rule; ``known`` gives those that need no computing, ``keep``
    is told those that were computed."""
    points: list[Outcome] = []
    asked = list(dict.fromkeys(at_sparsity(recipe, sparsity).key for sparsity in sparsities))  # some rules have few values
    for point in asked:

        def partly(outcome: Outcome) -> None:
            share = outcome.accuracy.images / (recipe.images or outcome.accuracy.total)
            report(Progress(tuple(points), len(asked), (len(points) + share) / len(asked)))

        outcome = known(point)
        if outcome is None:
            outcome = experiment.run(point, partly)
            keep(point, outcome)
        points.append(outcome)
        report(Progress(tuple(points), len(asked), len(points) / len(asked)))
    return tuple(points)

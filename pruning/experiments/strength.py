"""A recipe at several strengths: accuracy against what is left."""

from collections.abc import Callable
from dataclasses import replace

from pruning.engine import evaluate as sweep
from pruning.engine import prune as experiment
from pruning.engine.evaluate import Point, Progress
from pruning.methods.rules import RULES, value_for_count
from pruning.recipe.recipe import Recipe

SPARSITIES = (
    0.0,
    0.1,
    0.2,
    0.3,
    0.4,
    0.5,
    0.6,
    0.65,
    0.7,
    0.75,
    0.8,
    0.84,
    0.88,
    0.91,
    0.94,
    0.96,
    0.98,
    0.99,
    1.0,
)


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
    value = value_for_count(
        RULES[recipe.rule],
        ranking,
        round(sparsity * ranking.units),
        recipe.scope,
        pattern=str(recipe.value),
    )
    return replace(recipe, value=value)


def family(recipe: Recipe, sparsities: tuple[float, ...] = SPARSITIES) -> list[Recipe]:
    """The recipe at each sparsity; some rules have few values, and none comes twice."""
    return list(dict.fromkeys(at_sparsity(recipe, sparsity).key for sparsity in sparsities))


def curve(
    recipe: Recipe,
    report: Callable[[Progress], None] = lambda progress: None,
    sparsities: tuple[float, ...] = SPARSITIES,
) -> tuple[Point, ...]:
    """A point for each sparsity, of this recipe's rule; `sweep.measure` says the rest."""
    return sweep.measure(family(recipe, sparsities), report)

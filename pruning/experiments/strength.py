"""The same recipe, stronger or weaker."""

from pruning.engine.prune import rank_units
from pruning.methods.rules import RULES
from pruning.methods.selection import value_for_count
from pruning.recipe.recipe import Recipe


def with_sparsity(recipe: Recipe, sparsity: float) -> Recipe:
    """Set the value of the last step so that it removes a share of its units.

    Parameters
    ----------
    recipe : Recipe
        Any recipe whose groups share one value.
    sparsity : float
        Share of the units that take part, from 0 to 1.

    Returns
    -------
    Recipe
        With the value of its own rule that removes the most units but not more than this share.

    Raises
    ------
    ValueError
        Each layer has a value of its own (scope ``custom``).
    """
    step = recipe.last_step
    if step.scope == "custom":
        raise ValueError("a curve needs one value for all layers: choose another scope")
    if step.rule == "sparsity":
        return recipe.with_last_step(value=sparsity)
    ranking = rank_units(recipe)
    count = round(sparsity * ranking.units)
    value = value_for_count(RULES[step.rule], ranking, count, step.scope, pattern=str(step.value))
    return recipe.with_last_step(value=value)


def without_value(recipe: Recipe) -> Recipe:
    """Set the value of the last step to one that is the same for all strengths of a recipe.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.

    Returns
    -------
    Recipe
        Equal for two recipes that differ in the value of the last step only.
    """
    rule = RULES[recipe.last_step.rule]
    value = rule.patterns[0] if rule.patterns else max(0.0, rule.min_value)
    return recipe.with_last_step(value=value)

"""Recipes of one strength for all layers: what a plan starts from and is compared with."""

from dataclasses import dataclass

from pruning.experiments.sensitivity import layerwise
from pruning.recipe.compatibility import criteria_for, scopes_for
from pruning.recipe.recipe import Recipe
from pruning.runtime.registry import Registry


@dataclass(frozen=True)
class Baseline:
    """A way to share out a sparsity over the layers.

    Parameters
    ----------
    label : str
        What it is.
    scope : str
        A name in ``SCOPES``.
    criterion : str
        A name in ``CRITERIA``; empty for that of the plan.
    """

    label: str
    scope: str
    criterion: str = ""

    def recipe_for(self, recipe: Recipe) -> Recipe | None:
        """Return the baseline of a recipe.

        Parameters
        ----------
        recipe : Recipe
            Rule, scope and layers of its last step do not matter.

        Returns
        -------
        Recipe or None
            None if the method has no such scope or criterion.
        """
        method = recipe.last_step.method
        criterion = self.criterion or recipe.last_step.criterion
        is_offered = criterion in criteria_for(recipe.network, method)
        if not is_offered or self.scope not in scopes_for("sparsity", method):
            return None
        changes = {"scope": self.scope}
        if criterion != recipe.last_step.criterion:
            changes |= {"criterion": criterion, "variant": ""}
        return layerwise(recipe).with_last_step(**changes)


BASELINES: Registry[Baseline] = Registry("baseline")
BASELINES.add("global", Baseline("global: all layers compete", "global"))
BASELINES.add("uniform", Baseline("uniform: same sparsity in each layer", "layer"))
BASELINES.add("ERK", Baseline("ERK: Erdős-Rényi-kernel densities", "erk"))
BASELINES.add("LAMP", Baseline("LAMP: all layers compete", "global", "lamp"))


def baselines_for(recipe: Recipe) -> dict[str, Recipe]:
    """Return the baselines that a method offers.

    Parameters
    ----------
    recipe : Recipe
        Rule, scope and layers of its last step do not matter.

    Returns
    -------
    dict of str to Recipe
        By name in ``BASELINES``; of equal recipes the first one.
    """
    recipes: dict[str, Recipe] = {}
    for name, baseline in BASELINES.items():
        candidate = baseline.recipe_for(recipe)
        if candidate is not None and candidate not in recipes.values():
            recipes[name] = candidate
    return recipes

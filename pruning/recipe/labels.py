"""The name of a recipe in a legend, a table or a heading."""

from collections.abc import Sequence

from pruning.methods.criteria import CRITERIA
from pruning.methods.recovery import RECOVERIES
from pruning.methods.rules import RULES
from pruning.methods.units import METHODS
from pruning.recipe.compatibility import default_grouping, default_variant
from pruning.recipe.recipe import DEFAULT_CALIBRATION, Recipe
from pruning.recipe.step import Step

SCOPE_LABELS = {"layer": "layerwise", "erk": "ERK", "custom": "per-layer values"}


def recipe_label(recipe: Recipe, *, with_seed: bool = True, with_value: bool = False) -> str:
    """Describe a recipe in a few words.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.
    with_seed : bool
        Whether to name the seed of random criteria, and the draw of calibration images.
    with_value : bool
        Whether to name the value of the last step, which varies along a curve.

    Returns
    -------
    str
        Method and criterion of each step, what differs from the defaults, the recoveries and the
        run.
    """
    seed = recipe.seed if with_seed else None
    labels = [_step_label(step, seed, with_value=True) for step in recipe.previous_steps]
    labels.append(_step_label(recipe.last_step, seed, with_value=with_value))
    text = " + ".join(labels)
    if recipe.calibration != DEFAULT_CALIBRATION:
        text += f", {recipe.calibration:,} calibration images"
    if recipe.draw and with_seed:
        text += f", draw {recipe.draw} of calibration images"
    return text + _recovery_text(recipe) + _checkpoint_text(recipe)


def _checkpoint_text(recipe: Recipe) -> str:
    return f", of run {recipe.checkpoint}" if recipe.checkpoint else ""


def _recovery_text(recipe: Recipe) -> str:
    labels = [RECOVERIES[name].label.lower() for name in recipe.recovery]
    return "".join(f", {label}" for label in labels)


def short_labels(recipes: Sequence[Recipe]) -> list[str]:
    """Number recipes for a legend.

    Parameters
    ----------
    recipes : sequence of Recipe
        The recipes of one figure.

    Returns
    -------
    list of str
        Number and method, with the criterion if two recipes have the same method, and the seed if
        random recipes have several.
    """
    methods = [METHODS[recipe.last_step.method].label for recipe in recipes]
    ambiguous = len(set(methods)) < len(methods)
    seeds = {recipe.seed for recipe in recipes if recipe.is_random}
    labels = []
    for number, recipe in enumerate(recipes, start=1):
        step = recipe.last_step
        label = f"{number}. {METHODS[step.method].label}"
        if ambiguous:
            label += f", {CRITERIA[step.criterion].label}"
        if recipe.is_random and len(seeds) > 1:
            label += f", seed {recipe.seed}"
        label += _recovery_text(recipe)
        if recipe.checkpoint:  # the end of the name is its hash
            label += f", run {recipe.checkpoint.rpartition('-')[2]}"
        labels.append(label)
    return labels


def _value_text(step: Step) -> str:
    if RULES[step.rule].max_value != 1:
        return f"{step.value:.4g}"
    unit = METHODS[step.method].unit_in(step.grouping)
    return f"{100 * float(step.value):.6g}% of {unit}s"


def _step_label(step: Step, seed: int | None, *, with_value: bool) -> str:
    rule = RULES[step.rule]
    parts = [f"{METHODS[step.method].label} by {CRITERIA[step.criterion].label}"]
    if step.variant != default_variant(step.method, step.criterion):
        is_norm = len(step.variant) == 2  # l1, l2
        parts.append(step.variant.upper() if is_norm else step.variant)
    if step.grouping != default_grouping(step.method):
        parts.append(step.grouping)
    if seed is not None and CRITERIA[step.criterion].is_random:
        parts.append(f"seed {seed}")
    if step.scope != "global":
        parts.append(SCOPE_LABELS[step.scope])
    if rule.patterns:
        parts.append(f"{rule.label} {step.value}")
    elif step.rule != "sparsity":
        parts.append(rule.label)
    if with_value and not rule.patterns and step.scope != "custom":
        parts.append(_value_text(step))
    if step.layers:
        parts.append(f"only {', '.join(step.layers)}")
    return ", ".join(parts)

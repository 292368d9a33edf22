"""Hypothesis strategies: steps and recipes over everything that is registered."""

from hypothesis import strategies as st

from pruning.data.datasets import DATASETS
from pruning.methods.rules import RULES
from pruning.methods.units import METHODS
from pruning.models import NETWORKS
from pruning.recipe.compatibility import (
    criteria_for,
    layers_for,
    recoveries_for,
    rules_for,
    scopes_for,
    variants_for,
)
from pruning.recipe.recipe import MAX_SEED, Recipe, draws_of, max_calibration_images
from pruning.recipe.step import Step


def rule_values(rule: str) -> st.SearchStrategy:
    """Values that a rule accepts."""
    if RULES[rule].patterns:
        return st.sampled_from(RULES[rule].patterns)
    return st.floats(max(0, RULES[rule].min_value), 1)


@st.composite
def steps(draw, network: str) -> Step:
    """Steps that can be applied to a network, canonical or not."""
    method = draw(st.sampled_from(list(METHODS)))
    criterion = draw(st.sampled_from(criteria_for(network, method)))
    rule = draw(st.sampled_from(rules_for(method, criterion)))
    scope = draw(st.sampled_from(scopes_for(rule, method)))
    grouping = draw(st.sampled_from(["", *METHODS[method].groupings]))
    names = layers_for(network, method, grouping)
    values = {}
    if scope == "custom":
        values = draw(st.dictionaries(st.sampled_from(names), rule_values(rule)))
    return Step(
        method=method,
        criterion=criterion,
        variant=draw(st.sampled_from(["", *variants_for(method, criterion)])),
        grouping=grouping,
        scope=scope,
        rule=rule,
        value=draw(rule_values(rule)),
        values=tuple(values.items()),
        layers=draw(st.none() | st.lists(st.sampled_from(names), min_size=1).map(tuple)),
    )


@st.composite
def recipe_fields(draw) -> dict:
    """Arguments of `Recipe`, canonical or not."""
    network = draw(st.sampled_from(list(NETWORKS)))
    dataset = draw(st.sampled_from(list(DATASETS)))
    calibration = draw(st.integers(1, max_calibration_images(dataset)))
    return {
        "network": network,
        "dataset": dataset,
        "steps": tuple(draw(st.lists(steps(network), min_size=1, max_size=3))),
        "calibration": calibration,
        "draw": draw(st.integers(0, draws_of(dataset, calibration) - 1)),
        "max_test_images": draw(st.none() | st.integers(1, DATASETS[dataset].test_images)),
        "seed": draw(st.integers(0, MAX_SEED)),
        "recovery": tuple(draw(st.lists(st.sampled_from(recoveries_for(network))))),
    }


def recipes() -> st.SearchStrategy[Recipe]:
    """Valid recipes."""
    return recipe_fields().map(lambda fields: Recipe(**fields))

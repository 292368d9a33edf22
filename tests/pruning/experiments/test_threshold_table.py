"""What every value of a rule removes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pruning.engine.prune import prune, rank_units
from pruning.experiments.threshold_table import has_threshold_table, threshold_table
from pruning.methods.rules import RULES
from pruning.recipe.compatibility import rules_for, scopes_for
from pruning.recipe.recipe import Recipe

BIN = 1 / 161
"""Width of a bin as a share of the axis."""


def recipes() -> list[Recipe]:
    """Weights and filters by magnitude with every rule and scope that has a number."""
    found = []
    for method in ("weight", "filter"):
        for rule in rules_for(method, "magnitude"):
            if RULES[rule].patterns:
                continue
            for scope in scopes_for(rule, method):
                if scope != "custom":
                    value = max(RULES[rule].min_value, 1.0)
                    recipe = Recipe.one_step(
                        "lenet5", "digits", method=method, rule=rule, scope=scope, value=value
                    )
                    found.append(recipe)
    return found


def name_of(recipe: Recipe) -> str:
    step = recipe.last_step
    return f"{step.method}-{step.rule}-{step.scope}"


@pytest.mark.parametrize("recipe", recipes(), ids=name_of)
def test_a_value_of_the_table_removes_what_the_table_says(recipe):
    table = threshold_table(recipe)
    for index in range(0, len(table.values), 37):
        pruned = prune(recipe.with_last_step(value=float(table.values[index])))
        counts = {name: selected.count for name, selected in pruned.selection.items()}
        assert counts == {name: count[index] for name, count in table.counts.items()}
    for removed, parameters in table.parameter_counts[::4]:
        index = int(np.searchsorted(sum(table.counts.values()), removed))
        pruned = prune(recipe.with_last_step(value=float(table.values[index])))
        assert (pruned.removed_units, pruned.masked.parameters) == (removed, parameters)


@pytest.mark.parametrize("recipe", recipes(), ids=name_of)
def test_more_is_removed_from_each_value_to_the_next_and_all_of_it_at_the_end(recipe):
    table, ranking = threshold_table(recipe), rank_units(recipe)
    assert (np.diff(sum(table.counts.values())) >= 0).all()
    for name, counts in table.counts.items():
        assert (np.diff(counts) >= -1).all() and counts[0] == 0  # ERK rounds
        assert (np.diff(table.thresholds[name]) >= 0).all()
    assert sum(counts[-1] for counts in table.counts.values()) >= 0.99 * ranking.removable


def steep_recipes() -> list[Recipe]:
    """Criteria whose scores lie close together at one end of their range."""
    found = []
    for criterion in ("taylor", "lamp", "fisher"):
        for rule in ("sparsity", "threshold", "mean_std", "relative"):
            for scope in ("global", "layer"):
                recipe = Recipe.one_step(
                    "lenet5",
                    "digits",
                    criterion=criterion,
                    rule=rule,
                    scope=scope,
                    value=0.5,
                    calibration=64,
                )
                found.append(recipe)
    return found


@settings(max_examples=120, deadline=None)
@given(st.sampled_from([*recipes(), *steep_recipes()]), st.floats(0, 1))
def test_between_two_values_the_table_is_right_within_a_bin(recipe, share):
    """Counts and thresholds, in bins of the axis of each group and in shares of all units."""
    table, ranking = threshold_table(recipe), rank_units(recipe)
    position = share * (len(table.values) - 1)
    indices = np.arange(len(table.values))
    value = float(np.interp(position, indices, table.values))
    selection = RULES[recipe.last_step.rule].select(ranking, value, recipe.last_step.scope)
    neighbours = table.values[[int(position), int(np.ceil(position))]]
    if 0 < abs(neighbours[1] - neighbours[0]) < 1e-15 * abs(table.values[-1] - table.values[0]):
        return  # equal scores are removed together: a jump that no interval divides
    removed, total = sum(selected.count for selected in selection.values()), 0.0
    for name, selected in selection.items():
        ranked = ranking[name]
        low, high = float(ranked.values[0]), float(np.quantile(ranked.values, 0.999))
        shown = float(np.interp(position, indices, table.counts[name]))
        line = float(np.interp(position, indices, table.thresholds[name]))
        total += shown
        if abs(shown - selected.count) <= 1:  # one unit more or less is a jump
            continue
        lines = np.clip([line, selected.threshold], low, high)
        assert abs(lines[1] - lines[0]) <= 1.5 * BIN * max(high - low, 1e-30)
    assert abs(total - removed) <= 0.01 * ranking.units + len(selection)


def test_parameters_between_the_knots():
    recipe = Recipe.one_step("lenet5", "digits", method="filter", scope="layer")
    knots = threshold_table(recipe).parameter_counts
    for share in np.linspace(0.03, 0.97, 21):
        pruned = prune(recipe.with_last_step(value=float(share)))
        shown = np.interp(pruned.removed_units, knots[:, 0], knots[:, 1])
        assert shown == pytest.approx(pruned.masked.parameters, rel=0.03)


def test_other_steps_have_no_table():
    custom = Recipe.one_step("lenet5", "digits", scope="custom", values=(("fc1", 0.5),))
    pattern = Recipe.one_step("lenet5", "digits", rule="n_m", value="2:4", scope="layer")
    assert not has_threshold_table(custom) and not has_threshold_table(pattern)
    assert has_threshold_table(Recipe.one_step("lenet5", "digits"))


def test_the_table_does_not_depend_on_the_value():
    recipe = Recipe.one_step("lenet5", "digits")
    assert threshold_table(recipe) is threshold_table(recipe.with_last_step(value=0.9))
    assert threshold_table(recipe) is not threshold_table(recipe.with_last_step(scope="layer"))

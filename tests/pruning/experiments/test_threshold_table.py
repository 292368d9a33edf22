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


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(recipes()), st.floats(0, 1))
def test_between_two_values_the_table_is_right_within_a_bin(recipe, share):
    """The removed units lie between those at half a bin less and half a bin more."""
    table, ranking = threshold_table(recipe), rank_units(recipe)
    position = share * (len(table.values) - 1)
    indices = np.arange(len(table.values))
    value = float(np.interp(position, indices, table.values))
    selection = RULES[recipe.last_step.rule].select(ranking, value, recipe.last_step.scope)
    axis = float(np.quantile(ranking.sorted_removable, 0.999))
    for name, selected in selection.items():
        shown = float(np.interp(position, indices, table.counts[name]))
        low = ranking[name].count_below(selected.threshold - BIN * axis)
        high = ranking[name].count_below(selected.threshold + BIN * axis)
        assert low - 1 <= shown <= high + 1


def test_other_steps_have_no_table():
    custom = Recipe.one_step("lenet5", "digits", scope="custom", values=(("fc1", 0.5),))
    pattern = Recipe.one_step("lenet5", "digits", rule="n_m", value="2:4", scope="layer")
    assert not has_threshold_table(custom) and not has_threshold_table(pattern)
    assert has_threshold_table(Recipe.one_step("lenet5", "digits"))


def test_the_table_does_not_depend_on_the_value():
    recipe = Recipe.one_step("lenet5", "digits")
    assert threshold_table(recipe) is threshold_table(recipe.with_last_step(value=0.9))
    assert threshold_table(recipe) is not threshold_table(recipe.with_last_step(scope="layer"))

"""Selections: summaries, and the value for a number of units."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pruning.methods.rules import RULES
from pruning.methods.selection import count_removed, summarize, value_for_count
from pruning.models import prunable
from tests.pruning.methods.common import LENET, RANKING, layers, small


@pytest.mark.parametrize("rule", RULES)
@given(layers=layers, count=st.integers(0, 40))
def test_a_rules_value_for_a_count_removes_at_most_that_many(rule, layers, count):
    _, ranking = small(layers)
    value = value_for_count(RULES[rule], ranking, count, "global")
    lost = count_removed(RULES[rule].select(ranking, value, "global"))
    # The largest score over n removes whatever scores zero, however large n is.
    zeros = sum(int((group.values == 0).sum()) for group in ranking.values())
    assert lost <= max(count, zeros if rule == "max_over_n" else 0)
    if rule == "sparsity":
        assert lost == min(count, ranking.units)


def test_the_views_of_a_selection_agree():
    seen = summarize(RANKING, RULES["sparsity"].select(RANKING, 0.25, "global"))
    assert seen.percentile == pytest.approx(25, abs=0.01) and seen.lowest == seen.highest
    weights = torch.cat([layer.weight.abs().flatten() for layer in prunable(LENET).values()])
    assert seen.lowest == pytest.approx(float(weights.quantile(0.25)), rel=1e-3)
    assert seen.sigmas[0] <= seen.sigmas[1]
    stds = [float(layer.weight.std(correction=0)) for layer in prunable(LENET).values()]
    assert seen.sigmas[1] == pytest.approx(seen.lowest / min(stds), rel=1e-5)

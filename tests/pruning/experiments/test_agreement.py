import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr

from pruning.engine.prune import prune, rank_units
from pruning.experiments.agreement import jaccard, measure_agreement, spearman, with_criterion
from pruning.recipe.recipe import Recipe
from pruning.recipe.step import Step

one_step = Recipe.one_step
RECIPE = one_step("lenet5", "digits", method="filter", scope="layer", calibration=64)
CRITERIA = ("magnitude", "fpgm", "taylor", "random")


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=20))
def test_jaccard_by_sets(pairs):
    a = {i for i, (first, _) in enumerate(pairs) if first}
    b = {i for i, (_, second) in enumerate(pairs) if second}
    overlap = jaccard(*np.array(pairs, bool).reshape(-1, 2).T)
    assert overlap == len(a & b) / len(a | b) if a | b else np.isnan(overlap)


@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2), max_size=3))
def test_spearman_by_scipy(groups):
    pairs = [np.array(group).T for group in groups]
    expected = [spearmanr(x, y).statistic for x, y in pairs if np.ptp(x) and np.ptp(y)]
    found = spearman([rankdata(x) for x, _ in pairs], [rankdata(y) for _, y in pairs])
    assert found == pytest.approx(np.mean(expected)) if expected else np.isnan(found)


def test_overlap_and_correlation_are_those_of_the_recipes():
    agreement = measure_agreement(RECIPE, CRITERIA, 0.4)
    assert list(agreement.jaccard.columns) == list(CRITERIA) == list(agreement.correlation.index)
    for table in (agreement.jaccard.to_numpy(), agreement.correlation.to_numpy()):
        np.testing.assert_allclose(np.diag(table), 1)
        np.testing.assert_allclose(table, table.T)
    removed, rankings = [], []
    for name in ("magnitude", "taylor"):
        recipe = with_criterion(RECIPE, name, 0.4)
        masks, units = prune(recipe).masks, set()
        for layer in RECIPE.chosen_layers:
            empty = ~masks[f"{layer}.weight"].flatten(1).any(1)
            units |= {(layer, unit) for unit in empty.nonzero().flatten().tolist()}
        removed.append(units)
        rankings.append(rank_units(recipe))
    a, b = removed
    assert agreement.jaccard.loc["magnitude", "taylor"] == len(a & b) / len(a | b)
    first, second = rankings
    each = [spearmanr(first[name].scores, second[name].scores).statistic for name in first]
    assert agreement.correlation.loc["magnitude", "taylor"] == pytest.approx(np.mean(each))


def test_units_that_compete_are_ranked_together():
    recipe = one_step("lenet300", "digits")
    agreement = measure_agreement(recipe, ("magnitude", "lamp"), 0.5)
    scores = []
    for name in ("magnitude", "lamp"):
        ranking = rank_units(with_criterion(recipe, name, 0.5))
        scores.append(np.concatenate([group.scores for group in ranking.values()]))
    assert agreement.correlation.iloc[0, 1] == pytest.approx(spearmanr(*scores).statistic)


def test_random_agrees_by_chance_and_removed_units_do_not_count():
    recipe = one_step("lenet300", "digits")
    agreement = measure_agreement(recipe, ("magnitude", "random"), 0.5)
    assert agreement.jaccard.iloc[0, 1] == pytest.approx(1 / 3, abs=0.01)
    assert abs(agreement.correlation.iloc[0, 1]) < 0.02
    later = recipe.with_steps((Step(value=0.9), Step(value=0.5)))
    overlap = measure_agreement(later, ("magnitude", "random"), 0.5).jaccard.iloc[0, 1]
    assert overlap == pytest.approx(1 / 3, abs=0.02)


def test_another_criterion_keeps_a_scope_that_it_has():
    custom = one_step("lenet5", "digits", scope="custom", values=(("fc1", 0.9),))
    step = with_criterion(custom, "random", 0.3).last_step
    assert (step.scope, step.values, step.value, step.rule) == ("layer", (), 0.3, "sparsity")
    erk = one_step("lenet5", "digits", scope="erk")
    assert with_criterion(erk, "wanda", 0.3).last_step.scope == "erk"


def test_a_criterion_that_cannot_score_these_units_is_refused():
    with pytest.raises(ValueError, match="criterion 'wanda' does not score filters"):
        measure_agreement(RECIPE, ("magnitude", "wanda"), 0.5)


def test_progress_is_reported():
    shares: list[float] = []
    measure_agreement(RECIPE, CRITERIA, 0.3, shares.append)
    assert shares == sorted(shares) and shares[-1] == 1

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from pruning.engine import prune as experiment
from pruning.experiments.agreement import agreement, jaccard, with_criterion
from pruning.recipe.recipe import Recipe, Step

RECIPE = Recipe("lenet5", "digits", method="filter", scope="layer", calibration=64)
CRITERIA = ("magnitude", "fpgm", "taylor", "random")


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=20))
def test_jaccard_by_sets(pairs):
    a, b = ({i for i, pair in enumerate(pairs) if pair[k]} for k in (0, 1))
    found = jaccard(*(np.array([pair[k] for pair in pairs], bool) for k in (0, 1)))
    assert found == len(a & b) / len(a | b) if a | b else np.isnan(found)


def test_overlap_and_correlation_are_those_of_the_recipes():
    found = agreement(RECIPE, CRITERIA, 0.4)
    assert list(found.jaccard.columns) == list(CRITERIA) == list(found.correlation.index)
    for table in (found.jaccard.to_numpy(), found.correlation.to_numpy()):
        np.testing.assert_allclose(np.diag(table), 1)
        np.testing.assert_allclose(table, table.T)
    gone = {}
    for name in ("magnitude", "taylor"):
        state = experiment.pruned(with_criterion(RECIPE, name, 0.4))
        gone[name] = {
            (layer, i)
            for layer in ("conv1", "conv2", "fc1", "fc2")
            for i, row in enumerate(state.masks[f"{layer}.weight"].flatten(1).any(1).tolist())
            if not row
        }
    both, either = gone["magnitude"] & gone["taylor"], gone["magnitude"] | gone["taylor"]
    assert found.jaccard.loc["magnitude", "taylor"] == len(both) / len(either)
    ranks = [
        experiment.ranking(with_criterion(RECIPE, name, 0.4)) for name in ("magnitude", "taylor")
    ]
    each = [spearmanr(ranks[0][g].scores, ranks[1][g].scores).statistic for g in ranks[0]]
    assert found.correlation.loc["magnitude", "taylor"] == pytest.approx(np.mean(each))


def test_over_all_units_together_where_they_compete():
    recipe = Recipe("lenet300", "digits")
    found = agreement(recipe, ("magnitude", "lamp"), 0.5)
    scores = [
        np.concatenate(
            [g.scores for g in experiment.ranking(with_criterion(recipe, name, 0.5)).values()]
        )
        for name in ("magnitude", "lamp")
    ]
    assert found.correlation.iloc[0, 1] == pytest.approx(spearmanr(*scores).statistic)


def test_random_agrees_by_chance_and_what_is_gone_does_not_count():
    found = agreement(Recipe("lenet300", "digits"), ("magnitude", "random"), 0.5)
    assert (
        found.jaccard.iloc[0, 1] == pytest.approx(1 / 3, abs=0.01)
        and abs(found.correlation.iloc[0, 1]) < 0.02
    )
    later = Recipe("lenet300", "digits").with_steps((Step(value=0.9), Step(value=0.5)))
    assert agreement(later, ("magnitude", "random"), 0.5).jaccard.iloc[0, 1] == pytest.approx(
        1 / 3, abs=0.02
    )


def test_a_criterion_that_cannot_score_these_units_is_said():
    with pytest.raises(ValueError, match="criterion 'wanda' does not score filters"):
        agreement(RECIPE, ("magnitude", "wanda"), 0.5)


def test_progress_is_told():
    shares = []
    agreement(RECIPE, CRITERIA, 0.3, shares.append)
    assert shares == sorted(shares) and shares[-1] == 1

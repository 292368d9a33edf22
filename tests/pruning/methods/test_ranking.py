"""Rankings: exact comparisons, restrictions and refused scores."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pruning.methods.ranking import Ranking
from pruning.methods.units import UnitGroup
from tests.pruning.methods.common import RANKING, small


@pytest.mark.parametrize(
    "threshold", [0.1, 0.30000000000000004, 0.3, 0.7, float(np.float32(0.1)), 1e-46, 1e39]
)
def test_a_float64_threshold_is_compared_exactly_with_float32_scores(threshold):
    around = np.float32(min(threshold, 1e38))
    scores = np.array(
        [
            0,
            np.nextafter(around, np.float32(0)),
            around,
            np.nextafter(around, np.float32(1e38)),
            3e38,
        ],
        np.float32,
    )
    _, ranking = small([scores.tolist()])
    assert ranking["fc0"].count_below(threshold) == sum(float(s) < threshold for s in scores)


def test_the_order_of_chosen_layers_is_irrelevant():
    some = RANKING.restrict(("fc2", "conv1"))
    assert list(some) == ["conv1", "fc2"] and some is RANKING.restrict(("conv1", "fc2"))
    assert RANKING.restrict(tuple(RANKING)) is RANKING


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="layer fc has scores that are not numbers"):
        Ranking.of({"fc": torch.tensor([1.0, float("nan")])}, {"fc": UnitGroup("fc", (2,))})


def ranking_of(runs: list[list[float]], min_kept: int) -> Ranking:
    groups, scores = {}, {}
    for index, run in enumerate(runs):
        name = f"layer {index}"
        groups[name] = UnitGroup(name, (len(run),), min_kept=min_kept)
        scores[name] = torch.tensor(run)
    return Ranking.of(scores, groups)


few_values = st.sampled_from([-1.0, 0.0, 0.0, 0.5, 1.0])
any_values = st.floats(-1e6, 1e6, width=32)


@given(
    st.lists(
        st.lists(few_values, min_size=1, max_size=300)
        | st.lists(any_values, min_size=1, max_size=300),
        min_size=1,
        max_size=6,
    ),
    st.integers(0, 2),
    st.data(),
)
def test_scores_of_ranks_are_those_of_all_scores_sorted(runs, min_kept, data):
    ranking = ranking_of(runs, min_kept)
    kept = [group.values[: group.removable] for group in ranking.values()]
    expected = np.sort(np.concatenate(kept))
    assert ranking.removable == len(expected)
    if len(expected):
        ranks = data.draw(st.lists(st.integers(0, len(expected) - 1), min_size=1, max_size=20))
        for rank in (0, len(expected) - 1, *ranks):
            assert ranking.score_at(rank) == expected[rank]


@pytest.mark.parametrize("sizes", [(64, 64), (100_000, 3, 70_001), (5_000,) * 60])
def test_every_rank_of_large_rankings(sizes):
    generator = np.random.default_rng(0)
    runs = [generator.normal(size=size).astype(np.float32).tolist() for size in sizes]
    ranking = ranking_of(runs, 0)
    expected = np.sort(np.concatenate([group.values for group in ranking.values()]))
    for rank in generator.integers(0, len(expected), 300):
        assert ranking.score_at(int(rank)) == expected[rank]

"""Rankings: exact comparisons, restrictions and refused scores."""

import numpy as np
import pytest
import torch

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

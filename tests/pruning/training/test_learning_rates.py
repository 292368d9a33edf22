import itertools
import math

import pytest

from pruning.training.learning_rates import cosine, one_cycle, rewound
from pruning.training.plans import TrainingPlan

SHORT = TrainingPlan(epochs=3, learning_rate=0.05, batch_size=64)


def test_the_learning_rate_rises_to_its_peak_and_falls():
    rates = one_cycle(SHORT, 17)
    assert len(rates) == 3 * 17 and max(rates) == pytest.approx(SHORT.learning_rate, rel=1e-2)
    assert 0.2 < rates.index(max(rates)) / len(rates) < 0.3 and rates[-1] < 1e-3


def test_a_cosine_starts_at_its_peak_and_falls_to_nearly_nothing():
    rates = cosine(0.2, 100)
    assert rates[0] == 0.2 and rates[50] == pytest.approx(0.1)
    assert rates[25] == pytest.approx(0.2 * (1 + math.sqrt(0.5)) / 2)
    assert all(one > other for one, other in itertools.pairwise(rates))


def test_rewound_rates_are_the_last_ones_of_the_training_from_scratch():
    assert rewound(SHORT, 17, 20) == one_cycle(SHORT, 17)[-20:]
    assert rewound(SHORT, 17, 3 * 17) == one_cycle(SHORT, 17)


def test_more_steps_than_the_training_had_give_a_longer_training():
    rates = rewound(SHORT, 17, 200)
    assert len(rates) == 200 and max(rates) == pytest.approx(SHORT.learning_rate, rel=1e-2)

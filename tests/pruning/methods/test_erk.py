"""Erdős-Rényi-kernel densities: exact totals, and densities by the formula."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pruning.methods.erk import erk_counts
from tests.pruning.methods.common import shares

sizes = st.integers(1, 12)


shapes = st.tuples(sizes, sizes) | st.tuples(sizes, sizes, st.integers(1, 5), st.integers(1, 5))


@given(
    st.lists(st.tuples(shapes, st.floats(0.01, 1)), min_size=1, max_size=6),
    st.floats(0, 1) | st.just(0.9),
)
def test_erk_densities_have_one_factor_in_common(given_layers, sparsity):
    """Bisect for the factor, independent of how the code finds it."""
    layers = {
        str(i): (shape, max(1, int(share * math.prod(shape))))
        for i, (shape, share) in enumerate(given_layers)
    }
    total = sum(count for _, count in layers.values())
    removed, counts = round(sparsity * total), erk_counts(layers, sparsity)
    assert sum(counts.values()) == removed and all(
        0 <= counts[name] <= layers[name][1] for name in layers
    )

    def dense(factor):
        return {
            name: count * min(1.0, factor * sum(shape) / math.prod(shape))
            for name, (shape, count) in layers.items()
        }

    low, high = 0.0, 1e6
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if sum(dense(middle).values()) < total - removed else (low, middle)
        )
    for name, kept in dense(high).items():
        assert abs(layers[name][1] - counts[name] - kept) < 1 + 1e-6


def test_erk_of_a_lenet_300_100_by_hand():
    """90% of 266,200: the last layer stays whole, the others' densities are as (i + o) / (i o)."""
    shapes = {"fc1": (300, 784), "fc2": (100, 300), "fc3": (10, 100)}
    counts = erk_counts({name: (shape, math.prod(shape)) for name, shape in shapes.items()}, 0.9)
    assert counts["fc3"] == 0 and sum(counts.values()) == 239_580
    factor = (26_620 - 1_000) / (1_084 + 400)
    assert counts["fc1"] == pytest.approx(235_200 - factor * 1_084, abs=1)
    assert counts["fc2"] == pytest.approx(30_000 - factor * 400, abs=1)


@given(
    shapes=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=5),
    share=shares,
)
def test_erk_removes_exactly_what_is_asked_and_never_a_whole_layer_more(shapes, share):
    counts = erk_counts(
        {str(i): (shape, shape[0] * shape[1]) for i, shape in enumerate(shapes)}, share
    )
    total = sum(a * b for a, b in shapes)
    assert sum(counts.values()) == round(share * total)
    assert all(0 <= counts[str(i)] <= a * b for i, (a, b) in enumerate(shapes))


def test_erk_densities_are_in_proportion_to_added_over_multiplied_sizes():
    counts = erk_counts({"conv": ((16, 8, 3, 3), 1152), "fc": ((100, 50), 5000)}, 0.9)
    kept = {"conv": 1152 - counts["conv"], "fc": 5000 - counts["fc"]}
    ratio = (kept["conv"] / 1152) / (kept["fc"] / 5000)
    assert ratio == pytest.approx((16 + 8 + 3 + 3) / 1152 / (150 / 5000), rel=0.02)
    small_layer_full = erk_counts({"tiny": ((2, 2), 4), "fc": ((100, 50), 5000)}, 0.5)
    assert small_layer_full == {"tiny": 0, "fc": 2502}

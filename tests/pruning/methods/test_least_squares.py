"""Ridge fits of linear maps against their closed form, output by output."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pruning.methods.least_squares import Moments, ridge_fit, solve_supports


def closed_form(x, y, prior, kept, ridge, has_bias):
    """The fit of each output on its own inputs, by NumPy."""
    mean_x = x.mean(0) if has_bias else np.zeros(x.shape[1])
    mean_y = y.mean(0) if has_bias else np.zeros(y.shape[1])
    c, d = x - mean_x, y - mean_y
    covariance = c.T @ c / len(x)
    penalty = ridge * np.trace(covariance) / x.shape[1]
    weight = np.zeros_like(prior)
    for output, support in enumerate(kept):
        system = covariance[np.ix_(support, support)] + penalty * np.eye(support.sum())
        targets = c.T @ d[:, output] / len(x) + penalty * prior[output]
        weight[output, support] = np.linalg.solve(system, targets[support])
    return weight, mean_y - weight @ mean_x


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]),
    st.booleans(),
    st.integers(0, 1000),
)
def test_a_fit_is_the_closed_form_on_each_support(inputs, outputs, removed, has_bias, seed):
    random = np.random.default_rng(seed)
    x = random.normal(1, 2, (50, inputs)) @ random.normal(size=(inputs, inputs))
    y = random.normal(-1, 1, (50, outputs))
    prior = random.normal(size=(outputs, inputs))
    kept = random.random((outputs, inputs)) >= removed
    moments = Moments.of(torch.from_numpy(x[:20]), torch.from_numpy(y[:20]))
    moments = moments + Moments.of(torch.from_numpy(x[20:]), torch.from_numpy(y[20:]))
    fit = ridge_fit(
        moments,
        prior=torch.from_numpy(prior),
        kept=torch.from_numpy(kept),
        has_bias=has_bias,
        ridge=0.05,
    )
    weight, bias = closed_form(x, y, prior, kept, 0.05, has_bias)
    np.testing.assert_allclose(fit.weight, weight, rtol=1e-6, atol=1e-8)
    assert not fit.weight[torch.from_numpy(~kept)].any()
    if has_bias:
        np.testing.assert_allclose(fit.bias, bias, rtol=1e-6, atol=1e-7)
    else:
        assert fit.bias is None


@pytest.mark.parametrize("removed", [0.1, 0.3, 0.7])
def test_many_supports_are_solved_like_each_alone(removed):
    generator = torch.Generator().manual_seed(0)
    factor = torch.randn(60, 40, generator=generator, dtype=torch.float64)
    system = factor.T @ factor / 60 + 0.01 * torch.eye(40, dtype=torch.float64)
    targets = torch.randn(40, 30, generator=generator, dtype=torch.float64)
    kept = torch.rand(30, 40, generator=generator) >= removed
    together = solve_supports(system, targets, kept)
    for output in range(30):
        alone = solve_supports(system, targets[:, output : output + 1], kept[output : output + 1])
        torch.testing.assert_close(together[output], alone[0], rtol=1e-8, atol=1e-10)


def test_a_huge_penalty_keeps_the_prior_and_no_penalty_ignores_it():
    random = np.random.default_rng(0)
    x, prior = torch.from_numpy(random.normal(size=(40, 3))), torch.ones(2, 3).double()
    y = x @ torch.from_numpy(random.normal(size=(3, 2)))
    moments = Moments.of(x, y)
    torch.testing.assert_close(ridge_fit(moments, prior=prior, ridge=1e9).weight, prior)
    exact = ridge_fit(moments, prior=prior, ridge=0.0)
    torch.testing.assert_close(x @ exact.weight.T + exact.bias, y)

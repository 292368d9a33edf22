"""Masks, rules and rankings: against torch.nn.utils.prune, and properties over the whole registry."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn
from torch.nn.utils import prune

from pruning.masks import Masks
from pruning.networks import build, prunable
from pruning.ranking import Ranking
from pruning.rules import RULES, SCOPES, value_for, views

LENET = build("lenet5", channels=1, size=28).requires_grad_(False)


def ranked(model: nn.Module) -> Ranking:
    weights = {name: layer.weight for name, layer in prunable(model).items()}
    return Ranking.of({name: w.abs() for name, w in weights.items()}, weights)


RANKING = ranked(LENET)


def small(layers: list[list[float]]) -> tuple[nn.Module, Ranking]:
    """A network with one linear layer for each list of weights."""
    model = nn.Sequential()
    for i, values in enumerate(layers):
        layer = nn.Linear(len(values), 1)
        layer.weight.data = torch.tensor([values], dtype=torch.float32)
        model.add_module(f"fc{i}", layer)
    return model, ranked(model)


# Few different values, so that ties are common; whole layers may be constant or zero.
layers = st.lists(st.lists(st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0]), min_size=1, max_size=12),
                  min_size=1, max_size=4)
shares = st.floats(0, 1)


@settings(max_examples=25)
@given(amount=shares)
def test_global_sparsity_equals_torchs_global_unstructured(amount):
    model = build("lenet5", channels=1, size=28)
    prune.global_unstructured([(layer, "weight") for layer in prunable(model).values()], prune.L1Unstructured,
                              amount=amount)
    ours = Masks.of(LENET, "weight", RANKING, RULES["sparsity"].choose(RANKING, amount, "global"))
    differ, cut = 0, 0.0
    for name, layer in prunable(model).items():
        theirs = layer.weight_mask.bool()
        differ += int((theirs != ours[f"{name}.weight"]).sum())
        removed = torch.where(ours[f"{name}.weight"], 0, prunable(LENET)[name].weight.abs())
        cut = max(cut, float(removed.max()))
    ties = sum(int((layer.weight.abs() == cut).sum()) for layer in prunable(LENET).values())
    assert differ <= (0 if ties == 1 else 2 * ties)  # only weights that tie at the cut may be chosen differently


@settings(max_examples=25)
@given(amount=shares)
def test_layer_sparsity_equals_torchs_l1_unstructured(amount):
    model = build("lenet5", channels=1, size=28)
    ours = Masks.of(LENET, "weight", RANKING, RULES["sparsity"].choose(RANKING, amount, "layer"))
    for name, layer in prunable(model).items():
        prune.l1_unstructured(layer, "weight", amount=amount)
        theirs, mine = layer.weight_mask.bool(), ours[f"{name}.weight"]
        assert mine.sum() == theirs.sum()
        kept = prunable(LENET)[name].weight.abs()
        torch.testing.assert_close(kept[mine].sort().values, kept[theirs].sort().values, rtol=0, atol=0)


@given(layers=layers, share=shares)
def test_global_sparsity_by_a_plain_sort_ties_by_index(layers, share):
    model, ranking = small(layers)
    scores = np.abs(np.concatenate([np.array(values, np.float32) for values in layers]))
    count = round(share * len(scores))
    expected = np.ones(len(scores), bool)
    expected[sorted(range(len(scores)), key=lambda i: (scores[i], i))[:count]] = False
    ours = Masks.of(model, "weight", ranking, RULES["sparsity"].choose(ranking, share, "global"))
    assert np.concatenate([mask.numpy().ravel() for mask in ours.values()]).tolist() == expected.tolist()


@given(layers=layers, share=shares)
def test_layer_sparsity_by_a_plain_sort_ties_by_index(layers, share):
    model, ranking = small(layers)
    ours = Masks.of(model, "weight", ranking, RULES["sparsity"].choose(ranking, share, "layer"))
    for values, mask in zip(layers, ours.values()):
        order = sorted(range(len(values)), key=lambda i: (abs(values[i]), i))
        removed = set(order[:round(share * len(values))])
        assert mask.ravel().tolist() == [i not in removed for i in range(len(values))]


@given(layers=layers, value=st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.0000001, 3.0, 4.0]))
def test_threshold_relative_and_sigma_by_their_formulas(layers, value):
    model, ranking = small(layers)
    kept = lambda rule, v: [mask.ravel().tolist() for mask in Masks.of(  # noqa: E731
        model, "weight", ranking, RULES[rule].choose(ranking, v, "global")).values()]
    assert kept("threshold", value) == [[not abs(w) < value for w in values] for values in layers]
    assert kept("sigma", value) == [[not abs(w) < value * np.std(values) for w in values] for values in layers]
    share = min(value, 1.0)
    assert kept("relative", share) == [[not abs(w) < share * max(map(abs, values)) for w in values] for values in layers]


@pytest.mark.parametrize("threshold", [0.1, 0.30000000000000004, 0.3, 0.7, float(np.float32(0.1)), 1e-46, 1e39])
def test_a_float64_threshold_is_compared_exactly_with_float32_scores(threshold):
    around = np.float32(min(threshold, 1e38))
    scores = np.array([0, np.nextafter(around, np.float32(0)), around, np.nextafter(around, np.float32(1e38)), 3e38],
                      np.float32)
    _, ranking = small([scores.tolist()])
    assert ranking["fc0"].below(threshold) == sum(float(s) < threshold for s in scores)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("scope", SCOPES)
@given(layers=layers, low=shares, high=shares)
def test_every_rule_grows_from_nothing_to_everything(rule, scope, layers, low, high):
    _, ranking = small(layers)
    limit = RULES[rule].limit(ranking)
    counts = [[cut.count for cut in RULES[rule].choose(ranking, share * limit, scope).values()]
              for share in (0.0, min(low, high), max(low, high), 1.0)]
    assert sum(counts[0]) == 0
    for fewer, more in zip(counts, counts[1:]):
        assert sum(fewer) <= sum(more) and all(a <= b for a, b in zip(fewer, more))
    if rule in ("sparsity", "threshold"):
        assert sum(counts[-1]) == ranking.units
    for cut, layer in zip(RULES[rule].choose(ranking, high * limit, scope).values(), ranking.values()):
        assert 0 <= cut.count <= len(layer)
        removed, kept = layer.values[:cut.count], layer.values[cut.count:]
        assert (removed <= np.float32(cut.threshold)).all() and (kept >= np.float32(cut.threshold) * (1 - 1e-6)).all()


@pytest.mark.parametrize("rule", RULES)
@given(layers=layers, count=st.integers(0, 40))
def test_a_rules_value_for_a_count_removes_at_most_that_many(rule, layers, count):
    _, ranking = small(layers)
    value = value_for(RULES[rule], ranking, count, "global")
    removed = sum(cut.count for cut in RULES[rule].choose(ranking, value, "global").values())
    assert removed <= count
    if rule == "sparsity":
        assert removed == min(count, ranking.units)


@pytest.mark.parametrize("rule, bad", [(rule, bad) for rule in RULES for bad in (-0.1, float("nan"), float("inf"), "x", None,
                                                                                 True)] + [("sparsity", 1.1), ("relative", 2)])
def test_values_out_of_range_are_refused(rule, bad):
    with pytest.raises(ValueError, match=f"{rule} must be"):
        RULES[rule].choose(RANKING, bad, "global")


def test_the_order_of_chosen_layers_is_irrelevant():
    some = RANKING.only(("fc2", "conv1"))
    assert list(some) == ["conv1", "fc2"] and some is RANKING.only(("conv1", "fc2"))
    assert RANKING.only(tuple(RANKING)) is RANKING


def test_views_of_a_choice_agree():
    seen = views(RANKING, RULES["sparsity"].choose(RANKING, 0.25, "global"))
    assert seen.percentile == pytest.approx(25, abs=0.01) and seen.lowest == seen.highest
    weights = torch.cat([layer.weight.abs().flatten() for layer in prunable(LENET).values()])
    assert seen.lowest == pytest.approx(float(weights.quantile(0.25)), rel=1e-3)
    assert seen.sigmas[0] <= seen.sigmas[1]
    stds = [float(layer.weight.std(correction=0)) for layer in prunable(LENET).values()]
    assert seen.sigmas[1] == pytest.approx(seen.lowest / min(stds), rel=1e-5)


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="layer fc has scores that are not numbers"):
        Ranking.of({"fc": torch.tensor([1.0, float("nan")])}, {"fc": torch.ones(2)})


def test_masks_are_values_and_check_themselves():
    masks = Masks({"fc1.weight": torch.ones(120, 400, dtype=torch.bool)})
    with pytest.raises(TypeError):
        masks["fc1.weight"] = torch.zeros(1)
    with pytest.raises(TypeError, match="float32"):
        Masks({"fc1.weight": torch.ones(120, 400)})
    with pytest.raises(ValueError, match="shape"):
        Masks({"fc1.weight": torch.ones(2, 2, dtype=torch.bool)}).apply(LENET)

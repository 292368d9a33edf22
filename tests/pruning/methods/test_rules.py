"""Masks, rules and rankings: against torch.nn.utils.prune, and properties over the whole registry."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from pruning.methods.masks import Masks
from pruning.methods.ranking import Ranking
from pruning.methods.rules import RULES, count_removed, erk, scopes_for, summarize, value_for_count
from pruning.methods.units import METHODS, UnitGroup, groups
from pruning.models import build, prunable

LENET = build("lenet5", channels=1, size=28).requires_grad_(False)


def ranked(model: nn.Module) -> Ranking:
    weights = {name: layer.weight for name, layer in prunable(model).items()}
    return Ranking.of(
        {name: w.abs() for name, w in weights.items()},
        groups(model, "weight", "", 1, 28),
        weights=weights,
    )


def masked(model: nn.Module, ranking: Ranking, choice) -> Masks:
    found = groups(model, "weight", "", 1, 28)
    kept = {}
    for name, cut in choice.items():
        kept |= METHODS["weight"].masks_for(model, found[name], cut.removed(ranking[name]))
    return Masks(kept)


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
layers = st.lists(
    st.lists(st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0]), min_size=1, max_size=12),
    min_size=1,
    max_size=4,
)
shares = st.floats(0, 1)


@settings(max_examples=25)
@given(amount=shares)
def test_global_sparsity_equals_torchs_global_unstructured(amount):
    model = build("lenet5", channels=1, size=28)
    prune.global_unstructured(
        [(layer, "weight") for layer in prunable(model).values()],
        prune.L1Unstructured,
        amount=amount,
    )
    ours = masked(LENET, RANKING, RULES["sparsity"].select(RANKING, amount, "global"))
    differ, cut = 0, 0.0
    for name, layer in prunable(model).items():
        theirs = layer.weight_mask.bool()
        differ += int((theirs != ours[f"{name}.weight"]).sum())
        removed = torch.where(ours[f"{name}.weight"], 0, prunable(LENET)[name].weight.abs())
        cut = max(cut, float(removed.max()))
    ties = sum(int((layer.weight.abs() == cut).sum()) for layer in prunable(LENET).values())
    assert differ <= (
        0 if ties == 1 else 2 * ties
    )  # only weights that tie at the cut may be chosen differently


@settings(max_examples=25)
@given(amount=shares)
def test_layer_sparsity_equals_torchs_l1_unstructured(amount):
    model = build("lenet5", channels=1, size=28)
    ours = masked(LENET, RANKING, RULES["sparsity"].select(RANKING, amount, "layer"))
    for name, layer in prunable(model).items():
        prune.l1_unstructured(layer, "weight", amount=amount)
        theirs, mine = layer.weight_mask.bool(), ours[f"{name}.weight"]
        assert mine.sum() == theirs.sum()
        kept = prunable(LENET)[name].weight.abs()
        torch.testing.assert_close(
            kept[mine].sort().values, kept[theirs].sort().values, rtol=0, atol=0
        )


@given(layers=layers, share=shares)
def test_global_sparsity_by_a_plain_sort_ties_by_index(layers, share):
    model, ranking = small(layers)
    scores = np.abs(np.concatenate([np.array(values, np.float32) for values in layers]))
    count = round(share * len(scores))
    expected = np.ones(len(scores), bool)
    expected[sorted(range(len(scores)), key=lambda i: (scores[i], i))[:count]] = False
    ours = masked(model, ranking, RULES["sparsity"].select(ranking, share, "global"))
    assert (
        np.concatenate([mask.numpy().ravel() for mask in ours.values()]).tolist()
        == expected.tolist()
    )


@given(layers=layers, share=shares)
def test_layer_sparsity_by_a_plain_sort_ties_by_index(layers, share):
    model, ranking = small(layers)
    ours = masked(model, ranking, RULES["sparsity"].select(ranking, share, "layer"))
    for values, mask in zip(layers, ours.values()):
        order = sorted(range(len(values)), key=lambda i: (abs(values[i]), i))
        removed = set(order[: round(share * len(values))])
        assert mask.ravel().tolist() == [i not in removed for i in range(len(values))]


@given(layers=layers, value=st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.0000001, 3.0, 4.0]))
def test_threshold_relative_and_sigma_by_their_formulas(layers, value):
    model, ranking = small(layers)
    kept = lambda rule, v: [
        mask.ravel().tolist()
        for mask in masked(  # noqa: E731
            model, ranking, RULES[rule].select(ranking, v, "global")
        ).values()
    ]
    assert kept("threshold", value) == [[not abs(w) < value for w in values] for values in layers]
    assert kept("sigma", value) == [
        [not abs(w) < value * np.std(values) for w in values] for values in layers
    ]
    share = min(value, 1.0)
    assert kept("relative", share) == [
        [not abs(w) < share * max(map(abs, values)) for w in values] for values in layers
    ]


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


PAIRS = [(rule, scope) for rule in RULES for scope in scopes_for(rule, "weight")]
NUMBERS = [pair for pair in PAIRS if not RULES[pair[0]].patterns]


@pytest.mark.parametrize("rule, scope", NUMBERS)
@given(layers=layers, low=shares, high=shares)
def test_every_rule_grows_from_nothing_to_the_most(rule, scope, layers, low, high):
    _, ranking = small(layers)
    chosen = [
        RULES[rule].select(ranking, RULES[rule].interpolate(ranking, share), scope)
        for share in (0.0, min(low, high), max(low, high), 1.0)
    ]
    if rule == "max_over_n":  # scores of zero lie below whatever the largest is divided by
        tops = {
            name: max(g.values[-1] for g in ([group] if scope != "global" else ranking.values()))
            for name, group in ranking.items()
        }
        assert count_removed(chosen[0]) == sum(
            int((g.values == 0).sum()) for name, g in ranking.items() if tops[name] > 0
        )
    else:
        assert count_removed(chosen[0]) == 0
    for fewer, more in zip(chosen, chosen[1:]):
        assert count_removed(fewer) <= count_removed(more)
        assert scope == "erk" or all(fewer[name].count <= more[name].count for name in ranking)
    if rule in ("sparsity", "threshold"):
        assert count_removed(chosen[-1]) == ranking.units
    for name, cut in chosen[2].items():
        lost, kept = ranking[name].values[: cut.count], ranking[name].values[cut.count :]
        assert (lost <= np.float32(cut.threshold)).all()
        assert (kept >= np.float32(cut.threshold) - 1e-6 * abs(cut.threshold)).all()


@pytest.mark.parametrize("rule", RULES)
@given(layers=layers, count=st.integers(0, 40))
def test_a_rules_value_for_a_count_removes_at_most_that_many(rule, layers, count):
    _, ranking = small(layers)
    value = value_for_count(RULES[rule], ranking, count, "global")
    lost = count_removed(RULES[rule].select(ranking, value, "global"))
    # The largest score over n removes whatever scores zero, however large n is.
    assert lost <= max(
        count, int((ranking.sorted_removable == 0).sum()) if rule == "max_over_n" else 0
    )
    if rule == "sparsity":
        assert lost == min(count, ranking.units)


@given(layers=layers, k=st.floats(-3, 3), n=st.floats(1, 20))
def test_mean_std_and_max_over_n_by_their_formulas(layers, k, n):
    model, ranking = small(layers)
    scores = [np.abs(np.array(values, np.float32)).astype(float) for values in layers]
    kept = lambda rule, value, scope="global": [
        m.ravel().tolist()
        for m in masked(  # noqa: E731
            model, ranking, RULES[rule].select(ranking, value, scope)
        ).values()
    ]
    assert kept("mean_std", k) == [(~(s < s.mean() - k * s.std())).tolist() for s in scores]
    assert kept("max_over_n", n, "layer") == [(~(s < s.max() / n)).tolist() for s in scores]
    assert kept("max_over_n", n) == [(~(s < max(map(np.max, scores)) / n)).tolist() for s in scores]


@pytest.mark.parametrize("value", ["2:4", "4:8", "1:2", "3:4", "0:3", "5:5"])
@settings(max_examples=30)
@given(rows=st.integers(1, 4), inputs=st.integers(1, 19), seed=st.integers(0, 99))
def test_n_m_keeps_the_n_highest_of_every_m_consecutive_inputs(value, rows, inputs, seed):
    keep, of = map(int, value.split(":"))
    layer = nn.Linear(inputs, rows)
    layer.weight.data = torch.from_numpy(
        np.random.default_rng(seed).integers(-3, 4, (rows, inputs)).astype(np.float32)
    )
    model = nn.Sequential()
    model.add_module("fc", layer)
    ranking = ranked(model)
    mask = masked(model, ranking, RULES["n_m"].select(ranking, value, "global"))[
        "fc.weight"
    ].numpy()
    for row, kept in zip(layer.weight.detach().abs().numpy(), mask):
        for start in range(0, inputs, of):
            group = range(start, min(start + of, inputs))
            first = sorted(group, key=lambda i: (row[i], i))[: max(0, len(group) - keep)]
            assert [i for i in group if not kept[i]] == sorted(first)


def test_n_m_goes_along_the_inputs_of_one_output_in_a_convolution():
    kept = masked(LENET, RANKING, RULES["n_m"].select(RANKING, "2:4", "global"))
    rows = kept["conv2.weight"].flatten(1)  # (16, 150)
    assert (rows[:, :148].reshape(16, 37, 4).sum(2) == 2).all() and rows[:, 148:].all()
    assert (kept["fc1.weight"].view(120, 100, 4).sum(2) == 2).all()


@given(
    shapes=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=5),
    share=shares,
)
def test_erk_removes_exactly_what_is_asked_and_never_a_whole_layer_more(shapes, share):
    counts = erk({str(i): (shape, shape[0] * shape[1]) for i, shape in enumerate(shapes)}, share)
    total = sum(a * b for a, b in shapes)
    assert sum(counts.values()) == round(share * total)
    assert all(0 <= counts[str(i)] <= a * b for i, (a, b) in enumerate(shapes))


def test_erk_densities_are_in_proportion_to_added_over_multiplied_sizes():
    counts = erk({"conv": ((16, 8, 3, 3), 1152), "fc": ((100, 50), 5000)}, 0.9)
    kept = {"conv": 1152 - counts["conv"], "fc": 5000 - counts["fc"]}
    ratio = (kept["conv"] / 1152) / (kept["fc"] / 5000)
    assert ratio == pytest.approx((16 + 8 + 3 + 3) / 1152 / (150 / 5000), rel=0.02)
    small_layer_full = erk({"tiny": ((2, 2), 4), "fc": ((100, 50), 5000)}, 0.5)
    assert small_layer_full == {"tiny": 0, "fc": 2502}


def test_custom_values_overrule_layer_by_layer():
    choice = RULES["sparsity"].select(RANKING, 0.5, "custom", {"conv1": 0.1, "fc1": 1.0})
    assert {name: cut.count for name, cut in choice.items()} == {
        "conv1": 15,
        "conv2": 1200,
        "fc1": 48_000,
        "fc2": 5_040,
        "fc3": 420,
    }


@pytest.mark.parametrize("rule", [rule for rule in RULES if not RULES[rule].patterns])
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_one_unit_of_a_layer_stays_where_it_must(rule, share):
    scores = {
        name: torch.tensor(values)
        for name, values in {"a": [3.0, 1.0], "b": [0.1, 0.2, 0.3], "c": [0.0]}.items()
    }
    found = {name: UnitGroup(name, (len(s),), min_kept=1) for name, s in scores.items()}
    ranking = Ranking.of(scores, found)
    for scope in scopes_for(rule, "filter"):
        choice = RULES[rule].select(ranking, RULES[rule].interpolate(ranking, share), scope)
        assert all(cut.count <= len(ranking[name]) - 1 for name, cut in choice.items())
        assert not choice["a"].removed(ranking["a"])[0] and not choice["b"].removed(ranking["b"])[2]
    if rule == "sparsity":
        assert count_removed(choice) == min(3, round(share * 6)) or scope == "custom"


@pytest.mark.parametrize(
    "rule, bad",
    [(rule, bad) for rule in RULES for bad in (float("nan"), float("inf"), "x", None, True)]
    + [
        ("sparsity", 1.1),
        ("relative", 2),
        ("sparsity", -0.1),
        ("sigma", -1),
        ("max_over_n", 0.5),
        ("n_m", "4:2"),
        ("n_m", 0.5),
        ("n_m", "2:4:6"),
        ("n_m", "0:0"),
        ("n_m", "٢:٤"),
    ],
)
def test_values_out_of_range_are_refused(rule, bad):
    with pytest.raises(ValueError, match=f"{rule} must be"):
        RULES[rule].select(RANKING, bad, "global")


def test_the_order_of_chosen_layers_is_irrelevant():
    some = RANKING.restrict(("fc2", "conv1"))
    assert list(some) == ["conv1", "fc2"] and some is RANKING.restrict(("conv1", "fc2"))
    assert RANKING.restrict(tuple(RANKING)) is RANKING


def test_views_of_a_choice_agree():
    seen = summarize(RANKING, RULES["sparsity"].select(RANKING, 0.25, "global"))
    assert seen.percentile == pytest.approx(25, abs=0.01) and seen.lowest == seen.highest
    weights = torch.cat([layer.weight.abs().flatten() for layer in prunable(LENET).values()])
    assert seen.lowest == pytest.approx(float(weights.quantile(0.25)), rel=1e-3)
    assert seen.sigmas[0] <= seen.sigmas[1]
    stds = [float(layer.weight.std(correction=0)) for layer in prunable(LENET).values()]
    assert seen.sigmas[1] == pytest.approx(seen.lowest / min(stds), rel=1e-5)


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="layer fc has scores that are not numbers"):
        Ranking.of({"fc": torch.tensor([1.0, float("nan")])}, {"fc": UnitGroup("fc", (2,))})


def test_masks_are_values_and_check_themselves():
    masks = Masks({"fc1.weight": torch.ones(120, 400, dtype=torch.bool)})
    with pytest.raises(TypeError):
        masks["fc1.weight"] = torch.zeros(1)
    with pytest.raises(TypeError, match="float32"):
        Masks({"fc1.weight": torch.ones(120, 400)})
    with pytest.raises(ValueError, match="shape"):
        Masks({"fc1.weight": torch.ones(2, 2, dtype=torch.bool)}).apply(LENET)

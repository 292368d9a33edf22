"""Rules: against torch.nn.utils.prune and their formulas, and properties of every rule."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from pruning.methods.ranking import Ranking
from pruning.methods.rules import RULES
from pruning.methods.selection import count_removed
from pruning.methods.units import UnitGroup
from pruning.models import build, prunable
from pruning.recipe.compatibility import scopes_for
from tests.pruning.methods.common import LENET, RANKING, layers, masked, ranked, shares, small


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
    for values, mask in zip(layers, ours.values(), strict=True):
        order = sorted(range(len(values)), key=lambda i: (abs(values[i]), i))
        removed = set(order[: round(share * len(values))])
        assert mask.ravel().tolist() == [i not in removed for i in range(len(values))]


@given(layers=layers, value=st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.0000001, 3.0, 4.0]))
def test_threshold_relative_and_sigma_by_their_formulas(layers, value):
    model, ranking = small(layers)

    def kept(rule, v):
        return [
            mask.ravel().tolist()
            for mask in masked(model, ranking, RULES[rule].select(ranking, v, "global")).values()
        ]

    assert kept("threshold", value) == [[not abs(w) < value for w in values] for values in layers]
    assert kept("sigma", value) == [
        [not abs(w) < value * np.std(values) for w in values] for values in layers
    ]
    share = min(value, 1.0)
    assert kept("relative", share) == [
        [not abs(w) < share * max(map(abs, values)) for w in values] for values in layers
    ]


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
    for fewer, more in itertools.pairwise(chosen):
        assert count_removed(fewer) <= count_removed(more)
        assert scope == "erk" or all(fewer[name].count <= more[name].count for name in ranking)
    if rule in ("sparsity", "threshold"):
        assert count_removed(chosen[-1]) == ranking.units
    for name, cut in chosen[2].items():
        lost, kept = ranking[name].values[: cut.count], ranking[name].values[cut.count :]
        assert (lost <= np.float32(cut.threshold)).all()
        assert (kept >= np.float32(cut.threshold) - 1e-6 * abs(cut.threshold)).all()


@given(layers=layers, k=st.floats(-3, 3), n=st.floats(1, 20))
def test_mean_std_and_max_over_n_by_their_formulas(layers, k, n):
    model, ranking = small(layers)
    scores = [np.abs(np.array(values, np.float32)).astype(float) for values in layers]

    def kept(rule, value, scope="global"):
        return [
            m.ravel().tolist()
            for m in masked(model, ranking, RULES[rule].select(ranking, value, scope)).values()
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
    for row, kept in zip(layer.weight.detach().abs().numpy(), mask, strict=True):
        for start in range(0, inputs, of):
            group = range(start, min(start + of, inputs))
            first = sorted(group, key=lambda i: (row[i], i))[: max(0, len(group) - keep)]
            assert [i for i in group if not kept[i]] == sorted(first)


def test_n_m_goes_along_the_inputs_of_one_output_in_a_convolution():
    kept = masked(LENET, RANKING, RULES["n_m"].select(RANKING, "2:4", "global"))
    rows = kept["conv2.weight"].flatten(1)  # (16, 150)
    assert (rows[:, :148].reshape(16, 37, 4).sum(2) == 2).all() and rows[:, 148:].all()
    assert (kept["fc1.weight"].view(120, 100, 4).sum(2) == 2).all()


def test_custom_values_replace_the_value_of_single_layers():
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


@pytest.mark.parametrize(
    "rule, value, message",
    [
        ("sparsity", "0.5", "sparsity must be a number between 0 and 1, not '0.5'"),
        ("sparsity", True, "sparsity must be a number between 0 and 1, not True"),
        ("sparsity", None, "sparsity must be a number between 0 and 1, not None"),
        ("sparsity", [0.5], "sparsity must be a number between 0 and 1, not [0.5]"),
        ("sparsity", 7.0, "sparsity must be between 0 and 1, not 7.0"),
        ("sparsity", float("nan"), "sparsity must be between 0 and 1, not nan"),
        ("sparsity", float("inf"), "sparsity must be a finite number, not inf"),
        ("sigma", "x", "sigma must be a number, 0 or more, not 'x'"),
        ("sigma", -1, "sigma must be a number, 0 or more, not -1"),
        ("threshold", "x", "threshold must be a number, not 'x'"),
        ("threshold", float("nan"), "threshold must be a number, not nan"),
        ("threshold", float("-inf"), "threshold must be a finite number, not -inf"),
        ("threshold", 10**400, "threshold must be a number below 1.8e+308, not 1" + 29 * "0"),
        ("threshold", "x" * 99, "threshold must be a number, not '" + 29 * "x"),
        ("n_m", "4:2", "n_m must be like 2:4, 4:8, 1:2, not '4:2'"),
        ("n_m", "2" * 99, "n_m must be like 2:4, 4:8, 1:2, not '" + 29 * "2"),
    ],
)
def test_messages_about_refused_values(rule, value, message):
    with pytest.raises(ValueError) as error:
        RULES[rule].check(value)
    assert str(error.value) == message


def test_a_negative_threshold_is_refused_only_where_scores_cannot_be_negative():
    RULES["threshold"].check(-1.0)
    RULES["threshold"].check(0.0, can_be_negative=False)
    with pytest.raises(ValueError, match=r"threshold must be a number, 0 or more, not -1\.0"):
        RULES["threshold"].check(-1.0, can_be_negative=False)
    RULES["mean_std"].check(-1.0, can_be_negative=False)  # above the mean

"""Properties of every valid network, method, criterion, rule and scope, on built-in data."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pruning.engine.caches import clear_caches
from pruning.engine.evaluate import evaluate
from pruning.engine.prune import (
    PrunedNetwork,
    has_cached_scores,
    prune,
    rank_units,
    unit_groups,
)
from pruning.inference.prefix_cache import forward
from pruning.methods.criteria import CRITERIA
from pruning.methods.rules import RULES
from pruning.methods.selection import count_removed
from pruning.methods.units import METHODS, UnitGroup
from pruning.models import checkpoints, prunable
from pruning.models.channel_groups import channel_groups
from pruning.recipe.compatibility import (
    criteria_for,
    groupings_for,
    rules_for,
    scopes_for,
    variants_for,
)
from pruning.recipe.recipe import Recipe
from pruning.recipe.step import Step
from pruning.runtime.errors import Cancelled

NETWORKS = [network for network, dataset in checkpoints.shipped() if dataset == "digits"]
SLOW_NETWORKS = {"resnet20", "lenet5-caffe"}
FEW_IMAGES = 16


def mark_slow(value, network: str):
    """A parameter of a test, marked slow on the larger networks."""
    marks = [pytest.mark.slow] if network in SLOW_NETWORKS else []
    return pytest.param(value, marks=marks)


NETWORK_PARAMETERS = [mark_slow(network, network) for network in NETWORKS]


MANY_INPUTS = ("lenet300", "lenet5-caffe")
"""Networks with hundreds of outputs of 784 or 800 inputs: greedy scoring of the others suffices."""


def takes_a_minute(network: str, method: str, grouping: str, criterion: str) -> bool:
    """The exact loss without each of 448 channels; the smaller grouping of filters is enough."""
    if network != "resnet20" or criterion != "loss_change":
        return False
    return method == "neuron" or (method, grouping) == ("filter", "across")


def scored_recipes() -> Iterator[Recipe]:
    """One recipe for each way to score the units of a network."""
    for network in NETWORKS:
        for method in METHODS:
            for grouping in groupings_for(network, method) or [""]:
                for criterion in criteria_for(network, method):
                    if takes_a_minute(network, method, grouping, criterion):
                        continue
                    for variant in variants_for(method, criterion) or [""]:
                        if variant == "greedy" and network in MANY_INPUTS:
                            continue
                        yield Recipe.one_step(
                            network,
                            "digits",
                            method=method,
                            grouping=grouping,
                            criterion=criterion,
                            variant=variant,
                            calibration=FEW_IMAGES,
                        )


def label(recipe: Recipe) -> str:
    step = recipe.last_step
    names = (recipe.network, step.method, step.grouping, step.criterion, step.variant)
    return "-".join(name for name in names if name)


def is_slow(recipe: Recipe) -> bool:
    """Whether the tests of all ways to score leave a recipe out of the quick run."""
    return recipe.network != "lenet300"


SCORED_RECIPES = [
    pytest.param(recipe, id=label(recipe), marks=[pytest.mark.slow] if is_slow(recipe) else [])
    for recipe in scored_recipes()
]


def select(recipe: Recipe, **changes):
    """The selection of the last step, with other fields."""
    recipe = recipe.with_last_step(**changes)
    step = recipe.last_step
    return RULES[step.rule].select(rank_units(recipe), step.value, step.scope, dict(step.values))


@pytest.mark.parametrize("recipe", SCORED_RECIPES)
@settings(max_examples=6)
@given(shares=st.tuples(st.floats(0, 1), st.floats(0, 1)), data=st.data())
def test_every_way_to_prune(recipe, shares, data):
    low, high = sorted(shares)
    ranking, step = rank_units(recipe), recipe.last_step
    assert all(np.isfinite(scores.values).all() for scores in ranking.values())
    for rule in rules_for(step.method, step.criterion):
        for scope in scopes_for(rule, step.method):
            if RULES[rule].patterns:
                fewer, more = "3:4", data.draw(st.sampled_from(["2:4", "1:4"]))
            else:
                fewer = RULES[rule].interpolate(ranking, low)
                more = RULES[rule].interpolate(ranking, high)
            least = select(recipe, rule=rule, scope=scope, value=fewer)
            most = select(recipe, rule=rule, scope=scope, value=more)
            assert count_removed(least) <= count_removed(most) <= ranking.units
            check_kept_units(ranking, most)
            if rule == "sparsity":
                check_exact_counts(ranking, most, scope, high)


def check_kept_units(ranking, selection) -> None:
    """As many units are removed as the selection says, and never the ones that must stay."""
    for name, group_selection in selection.items():
        removed = int(group_selection.removed(ranking[name]).sum())
        assert removed == group_selection.count
        assert removed <= len(ranking[name]) - ranking[name].min_kept


def check_exact_counts(ranking, selection, scope: str, share: float) -> None:
    """A sparsity is exact, of all units or of each group."""
    if scope in ("global", "erk"):
        expected = min(round(share * ranking.units), ranking.removable)
        assert count_removed(selection) == expected
        return
    for name, group_selection in selection.items():
        expected = min(round(share * len(ranking[name])), ranking[name].removable)
        assert group_selection.count == expected


def orders(ranking) -> dict[str, list[int]]:
    return {name: scores.order.tolist() for name, scores in ranking.items()}


@pytest.mark.parametrize("recipe", SCORED_RECIPES)
def test_scores_are_the_same_every_time_and_whatever_the_order_of_layers(recipe):
    if label(recipe) == "resnet20-filter-inside-loss_change":
        pytest.skip("takes a minute")
    first = rank_units(recipe)
    clear_caches()
    assert orders(rank_units(recipe)) == orders(first)
    names = tuple(first)[:2]
    forwards = recipe.with_last_step(layers=names)
    backwards = recipe.with_last_step(layers=names[::-1])
    assert forwards == backwards and tuple(rank_units(forwards)) == names


@pytest.mark.parametrize("recipe", SCORED_RECIPES)
def test_only_random_criteria_depend_on_the_seed(recipe):
    other = replace(recipe, seed=1)
    is_random = CRITERIA[recipe.last_step.criterion].is_random
    assert (other != recipe) == is_random
    if is_random and rank_units(recipe).units > 7:  # three layers may have the same order by chance
        assert orders(rank_units(other)) != orders(rank_units(recipe))


@pytest.mark.parametrize("network", NETWORK_PARAMETERS)
def test_no_criterion_modifies_the_shared_network(network):
    shared = checkpoints.shared_model(network, "digits")
    tensors = dict(shared.state_dict(keep_vars=True))
    before = {key: value.detach().clone() for key, value in tensors.items()}

    def check_unmodified(share: float) -> None:
        """Called during the scoring, too: other visitors read the network meanwhile."""
        assert not shared.training
        for module in shared.modules():
            assert not module._forward_hooks and not module._forward_pre_hooks
        for parameter in shared.parameters():
            assert not parameter.requires_grad and parameter.grad is None

    for method in METHODS:
        for criterion in criteria_for(network, method):
            is_long = criterion == "loss_change" and network == "resnet20"
            if is_long and method == "neuron":  # the same as for filters
                continue
            calibration = 3 if is_long else 12
            recipe = Recipe.one_step(
                network, "digits", method=method, criterion=criterion, calibration=calibration
            )
            ranking = rank_units(recipe, check_unmodified)
            check_unmodified(1)
            assert ranking.units == sum(group.units for group in unit_groups(recipe).values())
            assert all(np.isfinite(scores.values).all() for scores in ranking.values())
            for key, value in shared.state_dict(keep_vars=True).items():
                assert value is tensors[key]
                assert torch.equal(value, before[key]), (method, criterion, key)


@pytest.mark.parametrize("criterion", [name for name in CRITERIA if CRITERIA[name].needs_data])
def test_scoring_can_be_cancelled_and_leaves_nothing_in_the_cache(criterion):
    method = CRITERIA[criterion].applies_to[0]
    recipe = Recipe.one_step(
        "lenet300", "digits", method=method, criterion=criterion, calibration=300
    )

    def cancel(share: float) -> None:
        assert 0 <= share <= 1
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        rank_units(recipe, cancel)
    assert not has_cached_scores(recipe)
    shares: list[float] = []
    rank_units(recipe, shares.append)
    assert has_cached_scores(recipe)
    assert shares == sorted(shares) and shares[-1] == 1
    assert not math.isnan(sum(shares))


# ------------------------------------------------------------------------------------- channels


def channel_cases() -> list:
    cases = []
    for network in NETWORKS:
        for method in ("neuron", "filter"):
            for grouping in groupings_for(network, method) or ["inside"]:
                cases.append((network, method, grouping))
    return cases


@pytest.mark.parametrize("network, method, grouping", channel_cases())
@pytest.mark.parametrize("share", [0.4, 1.0])
def test_the_weights_that_read_a_masked_channel_make_no_difference(
    network, method, grouping, share
):
    recipe = Recipe.one_step(
        network,
        "digits",
        method=method,
        grouping=grouping,
        criterion="random",
        scope="layer",
        value=share,
    )
    pruned = prune(recipe)
    model, masked = pruned.model, pruned.network.masked_parameters()
    consumers = {}
    for group in channel_groups(model, 1, 28):
        if group.producers:
            consumers[group.producers[0]] = group.consumers
    changed = dict(masked)
    for name in pruned.selection:
        removed = pruned.removed_units_of(name)
        assert 0 < int(removed.sum()) < pruned.groups[name].units
        check_whole_units(pruned, pruned.groups[name], removed)
        for consumer in consumers[name]:
            key = f"{consumer.name}.weight"
            weight = changed.get(key, model.get_parameter(key)).clone()
            weight[:, removed.repeat_interleave(consumer.inputs_per_channel)] = 1e3
            changed[key] = weight
    x = torch.rand(8, 1, 28, 28)
    expected = forward(model, masked)(x)
    torch.testing.assert_close(forward(model, changed)(x), expected, rtol=0, atol=1e-3)


def check_whole_units(pruned: PrunedNetwork, group: UnitGroup, removed: torch.Tensor) -> None:
    """A channel is removed with its weights, its bias and its batch norm, and nothing else is."""
    masked = pruned.network.masked_parameters()
    names = dict(pruned.model.named_parameters())
    for module in (*group.layers, *group.norms):
        for key in (f"{module}.weight", f"{module}.bias"):
            if key in names:
                assert (masked[key][removed] == 0).all()
                assert pruned.masks[key][~removed].all()


# --------------------------------------------------------------------------------------- layers


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("grouping", METHODS["layer"].groupings)
@pytest.mark.parametrize("share", [0.34, 1.0])
def test_a_network_without_some_or_all_removable_layers_still_classifies(network, share, grouping):
    recipe = Recipe.one_step(
        network,
        "digits",
        method="layer",
        criterion="loss_change",
        grouping=grouping,
        value=share,
    )
    pruned = prune(recipe)
    [result] = pruned.step_results
    assert result.removed == round(share * result.total) and not pruned.warnings
    if network != "resnet20" or share < 1:
        [evaluation] = evaluate([recipe])
        assert evaluation.accuracy.value > 0.85


@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_without_subnetworks_is_one_without_their_layers(network):
    """Identical, not only close: the same layers are removed in one step, and refitted once."""
    single = Recipe.one_step(network, "digits", method="layer", value=1.0, calibration=64)
    layers, subnetworks = prune(single), prune(single.with_last_step(grouping="subnetwork"))
    assert subnetworks.removed_units < layers.removed_units
    assert subnetworks.network.removed_layers == layers.network.removed_layers
    assert subnetworks.network.removed_blocks == layers.network.removed_blocks
    assert subnetworks.masks.keys() == layers.masks.keys()
    for name, mask in subnetworks.masks.items():
        assert torch.equal(mask, layers.masks[name])
    expected = dict(layers.model.named_parameters())
    for name, parameter in subnetworks.model.named_parameters():
        assert torch.equal(parameter, expected[name])
    columns = ["name", "kept", "macs_left"]
    assert subnetworks.layer_table[columns].equals(layers.layer_table[columns])
    assert subnetworks.effective == layers.effective


def test_a_subnetwork_is_removed_as_a_whole():
    recipe = Recipe.one_step(
        "resnet20", "digits", method="layer", grouping="subnetwork", value=0.34
    )
    pruned = prune(recipe)
    [result] = pruned.step_results
    assert (result.removed, result.total) == (1, 3)
    [unit] = pruned.removed_units_of("layers").nonzero().flatten().tolist()
    assert unit == int(pruned.ranking["layers"].order[0])
    assert pruned.network.removed_blocks == pruned.groups["layers"].members[unit]
    without_weights = [name for name, kept in pruned.kept_weights.items() if kept == 0]
    assert {name.partition(".")[0] for name in without_weights} == set(
        pruned.network.removed_blocks
    )


def test_a_subnetwork_that_lost_some_of_its_blocks_can_lose_the_others():
    steps = (
        Step(method="layer", value=0.3),
        Step(method="layer", grouping="subnetwork", value=1.0),
    )
    pruned = prune(Recipe("resnet20", "digits", steps))
    first, second = pruned.step_results
    assert first.removed == 2 and second.total in (2, 3)
    assert second.removed == second.total
    assert sorted(pruned.network.removed_blocks) == [
        *("block1_0", "block1_1", "block1_2"),
        *("block2_1", "block2_2", "block3_1", "block3_2"),
    ]


def test_a_removed_block_is_the_identity():
    pruned = prune(Recipe.one_step("resnet20", "digits", method="layer", value=1.0))
    assert len(pruned.network.removed_blocks) == 7 and not pruned.network.removed_layers
    block = pruned.model[3:4]
    x = torch.rand(2, 16, 28, 28)
    torch.testing.assert_close(forward(block, pruned.network.masked_parameters())(x), x)


def lenet5_without_layers() -> PrunedNetwork:
    return prune(
        Recipe.one_step("lenet5", "digits", method="layer", criterion="loss_change", value=1.0)
    )


def test_a_refitted_network_is_smaller_and_its_cost_is_its_own():
    pruned = lenet5_without_layers()
    assert pruned.network.removed_layers == ("conv2", "fc1", "fc2")
    assert list(prunable(pruned.model)) == ["conv1", "fc3"]
    expected = {"conv1": 150, "conv2": 0, "fc1": 0, "fc2": 0, "fc3": 6 * 7 * 7 * 10}
    assert pruned.kept_weights == expected
    table = pruned.layer_table
    assert dict(zip(table["name"], table["kept"], strict=True)) == expected
    parameters = sum(parameter.numel() for parameter in pruned.model.parameters())
    assert pruned.masked.parameters == parameters == 150 + 6 + 2940 + 10
    assert pruned.masked.macs == 150 * 784 + 2940


# --------------------------------------------------------------------------------------- pixels


@pytest.mark.parametrize("grouping", ["position", "channel"])
def test_removed_pixels_do_not_change_the_logits(grouping):
    recipe = Recipe.one_step(
        "lenet300",
        "digits",
        method="feature",
        grouping=grouping,
        criterion="class_entropy",
        value=0.5,
    )
    pruned = prune(recipe)
    removed = ~pruned.masks["input"]
    [result] = pruned.step_results
    assert int(removed.sum()) == result.removed == 784 // 2
    assert pruned.sparsity == 0 and pruned.removed_share == 0.5
    x = torch.rand(4, 1, 28, 28)
    run = forward(pruned.model, pruned.network.masked_parameters())
    assert torch.equal(run(x), run(torch.where(removed, 99.0, x)))


# ------------------------------------------------------------------------------------ several steps


def test_each_step_is_applied_to_what_the_previous_ones_left():
    steps = (
        Step(method="layer", criterion="loss_change", value=0.34),
        Step(method="filter", criterion="taylor", value=0.3),
        Step(value=0.8),
    )
    pruned = prune(Recipe("lenet5", "digits", steps, calibration=64))
    layers, filters, weights = pruned.step_results
    assert (layers.removed, layers.total) == (1, 3)
    before = prune(pruned.recipe.without_last_step)
    kept_before = sum(before.kept_weights.values())
    assert weights.total == kept_before and weights.removed == round(0.8 * kept_before)
    assert sum(pruned.kept_weights.values()) == kept_before - weights.removed
    hidden = list(prunable(before.model).values())[:-1]
    assert filters.total == sum(len(layer.weight) for layer in hidden)


def test_the_same_step_twice_removes_half_of_the_remaining_units():
    twice = prune(Recipe("lenet300", "digits", (Step(value=0.5), Step(value=0.5))))
    assert twice.sparsity == pytest.approx(0.75, abs=1e-5)
    half_of_the_filters = Step(method="filter", value=0.5, scope="layer")
    filters = prune(Recipe("lenet5", "digits", (half_of_the_filters,) * 2))
    counts = [(result.total, result.removed) for result in filters.step_results]
    assert counts == [(226, 113), (113, 57)]


def test_a_refit_makes_single_weights_nonzero_again_but_not_units():
    steps = (
        Step(method="filter", criterion="magnitude", value=0.5, scope="layer"),
        Step(value=0.5),
        Step(method="layer", criterion="loss_change", value=0.34),
    )
    recipe = Recipe("lenet5", "digits", steps)
    before, after = prune(recipe.without_last_step), prune(recipe)
    [removed] = after.network.removed_layers
    refitted = {"conv2": "fc1", "fc1": "fc2", "fc2": "fc3"}[removed]
    surviving = before.masks[f"{refitted}.weight"].any(1)
    mask = after.masks[f"{refitted}.weight"]
    assert torch.equal(mask.any(1), surviving)
    assert torch.equal(mask.all(1), surviving)
    weight = after.model.get_parameter(f"{refitted}.weight")
    assert (weight[~surviving].abs() < 1e-6).all()


@pytest.mark.parametrize("criterion", criteria_for("lenet5", "neuron"))
def test_neurons_are_scored_where_a_layer_was_removed(criterion):
    steps = (
        Step(method="layer", criterion="random", value=0.3),
        Step(method="neuron", criterion=criterion, value=0.5),
    )
    for seed in range(3):  # another layer each time
        pruned = prune(Recipe("lenet5", "digits", steps, calibration=32, seed=seed))
        _, neurons = pruned.step_results
        assert neurons.removed == round(0.5 * neurons.total)


@pytest.mark.parametrize("network", ["lenet300", "lenet5", "resnet20"])
@pytest.mark.parametrize("grouping", METHODS["layer"].groupings)
def test_a_step_without_remaining_units_removes_nothing(network, grouping):
    steps = (
        Step(method="layer", grouping=grouping, value=1.0),
        Step(method="layer", grouping=grouping),
    )
    first, second = prune(Recipe(network, "digits", steps, calibration=32)).step_results
    assert first.removed == first.total > 0
    assert (second.total, second.removed) == (0, 0)


def test_a_unit_that_still_has_its_bias_is_not_removed():
    steps = (
        Step(scope="custom", value=0.0, values=(("fc1", 1.0),)),
        Step(method="filter", value=0.5, scope="layer"),
    )
    pruned = prune(Recipe("lenet5", "digits", steps))
    assert pruned.step_results[1].total == 226
    assert int(pruned.masks["fc1.bias"].sum()) == 60


def test_distances_between_filters_are_those_of_the_remaining_filters():
    steps = (
        Step(method="filter", criterion="random", value=0.5, scope="layer"),
        Step(method="filter", criterion="fpgm", value=0.5, scope="layer"),
    )
    pruned = prune(Recipe("lenet5-caffe", "digits", steps))
    remaining = pruned.before_step.masks["fc1.bias"]
    rows = pruned.before_step.model.get_parameter("fc1.weight")[remaining].double()
    expected = torch.cdist(rows, rows).sum(1)
    scores = torch.from_numpy(pruned.ranking["fc1"].scores)[remaining]
    torch.testing.assert_close(scores.double(), expected, rtol=1e-4, atol=1e-4)


def test_wanda_removes_the_same_share_of_the_remaining_weights_of_every_output():
    steps = (Step(value=0.8), Step(criterion="wanda", scope="layer", value=0.5))
    pruned = prune(Recipe("lenet5", "digits", steps, calibration=32))
    before = pruned.before_step.masks["fc2.weight"].sum(1)
    after = pruned.masks["fc2.weight"].sum(1)
    assert ((after - before / 2).abs() <= 1.5).all()


def random_scores(*steps: Step) -> np.ndarray:
    return rank_units(Recipe("lenet300", "digits", steps))["fc1"].scores


def test_random_steps_are_independent_of_each_other():
    random_step = Step(criterion="random", value=0.5)
    first = random_scores(random_step)
    second = random_scores(Step(value=0.1), random_step)
    both = np.isfinite(second)
    assert abs(np.corrcoef(first[both], second[both])[0, 1]) < 0.02
    filters = random_scores(Step(method="filter", criterion="random"))
    assert not np.array_equal(filters, first[:300])


# ---------------------------------------------------------------------------------------- notes


def test_a_note_explains_that_the_number_to_prune_is_not_the_number_of_removed_units():
    pruned = prune(Recipe.one_step("lenet5", "digits", method="filter", rule="max_over_n", value=5))
    [result] = pruned.step_results
    assert result.removed == 9
    assert result.note.startswith(
        "Asked to prune 5, removed 9: this rule removes every filter that scores below 1/5"
    )
    scores, kept = pruned.scores()
    assert (~kept).sum() == (scores < scores.max() / 5).sum() == 9


def test_a_note_explains_that_one_unit_of_each_layer_is_kept():
    pruned = prune(Recipe.one_step("lenet5", "digits", method="filter", value=1.0))
    [result] = pruned.step_results
    assert result.removed == 226 - 4
    assert "one filter of each layer is always kept" in result.note


def test_rounding_needs_no_note():
    [result] = prune(Recipe.one_step("lenet5", "digits", scope="layer", value=0.123)).step_results
    assert result.note == ""


def test_a_note_names_the_refitted_layer():
    [result] = lenet5_without_layers().step_results
    assert result.note.startswith("conv2, fc1, fc2 removed; fc3 (10 x 294) was refitted")

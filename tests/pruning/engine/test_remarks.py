import pytest
import torch

from pruning.engine.prune import prune, trained_model
from pruning.inference.prefix_cache import forward
from pruning.recipe.compatibility import scopes_for
from pruning.recipe.recipe import Recipe
from pruning.recipe.step import Step

one_step = Recipe.one_step


def note(recipe: Recipe) -> str:
    return prune(recipe).step_results[-1].note


@pytest.mark.parametrize(
    "lost, is_constant",
    [
        (("block2_0.conv1",), False),
        (("block2_0.shortcut.conv",), False),
        (("block1_0.conv1", "block1_0.conv2"), False),
        (("block2_0.conv2", "block2_0.shortcut.conv"), True),
        (("fc",), True),
        (("conv1", "block2_0.conv1"), True),
    ],
)
def test_the_warning_names_a_constant_network_exactly_where_it_is_constant(lost, is_constant):
    pruned = prune(one_step("resnet20", "digits", value=1.0, layers=lost))
    [warning] = pruned.warnings
    run = forward(pruned.model, pruned.network.masked_parameters())
    logits = run(torch.rand(4, 1, 28, 28))
    assert is_constant == bool(torch.allclose(logits, logits[:1].expand_as(logits), atol=1e-6))
    assert is_constant == ("the same answer for every image" in warning)
    assert warning.startswith(", ".join(lost))


@pytest.mark.parametrize("scope", scopes_for("sparsity", "weight"))
def test_a_network_without_any_weight(scope):
    assert prune(one_step("lenet300", "digits", value=1.0, scope=scope)).warnings == (
        "fc1, fc2, fc3 have lost all their weights: the network now gives the same answer for "
        "every image.",
    )


def test_many_lost_layers_are_one_warning():
    [warning] = prune(one_step("resnet20", "digits", value=1.0)).warnings
    assert warning.startswith(
        "conv1, block1_0.conv1 and 20 other layers have lost all their weights"
    )


def test_layers_that_were_removed_as_layers_need_no_warning():
    assert prune(one_step("resnet20", "digits", method="layer", value=0.34)).warnings == ()
    assert prune(one_step("lenet5", "digits", method="layer", value=0.4)).warnings == ()
    subnetwork = one_step("resnet20", "digits", method="layer", grouping="subnetwork", value=0.34)
    assert prune(subnetwork).warnings == ()
    [result] = prune(subnetwork).step_results
    assert result.unit == "subnetwork"


def test_nothing_surprising_has_no_note():
    assert note(one_step("lenet300", "digits", value=0.8)) == ""
    assert note(one_step("resnet20", "digits", method="layer", value=0.34)) == ""


def test_the_rule_max_over_n_removes_another_number_than_n():
    recipe = one_step("lenet5", "digits", method="filter", rule="max_over_n", value=2.0)
    removed = prune(recipe).removed_units
    assert note(recipe) == (
        f"Asked to prune 2, removed {removed}: this rule removes every filter that scores below "
        "1/2 of the largest score, however many those are."
    )
    custom = recipe.with_last_step(scope="custom", values=(("conv1", 3.0),))
    assert note(custom).startswith(f"Removed {prune(custom).removed_units}: every filter that")
    exact = recipe.with_last_step(value=float(max(1, removed)))
    if prune(exact).removed_units == exact.last_step.value:
        assert note(exact) == ""


def test_one_unit_of_each_layer_is_always_kept():
    recipe = one_step("lenet5", "digits", method="filter", scope="layer", value=1.0)
    units, removed = prune(recipe).ranking.units, prune(recipe).removed_units
    assert removed == units - 4
    assert note(recipe) == (
        f"Asked to remove 100.0%, removed {removed} of {units}: one filter of each layer is "
        "always kept."
    )


def test_a_refit_names_the_layers_and_whether_earlier_zeros_are_lost():
    removal = Step(method="layer", criterion="random", value=0.4)
    alone = prune(Recipe("lenet5", "digits", (removal,)))
    [removed] = alone.network.removed_layers[:1]
    text = alone.step_results[0].note
    assert text.startswith(f"{removed} removed; ")
    assert text.endswith("refitted by least squares to the new inputs.")
    refitted = text.removeprefix(f"{removed} removed; ").split()[0]
    weight = alone.model.get_submodule(refitted).weight
    assert f"{refitted} ({weight.shape[0]} x {weight.shape[1]}) was" in text
    assert not torch.equal(weight, trained_model(alone.recipe).get_submodule(refitted).weight)
    after = prune(Recipe("lenet5", "digits", (Step(value=0.5), removal)))
    assert after.step_results[-1].note.endswith(
        "Weights of these layers that previous steps had removed are nonzero again."
    )
    assert after.step_results[0].note == ""

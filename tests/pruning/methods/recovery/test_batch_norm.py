"""Recalibration of batch norms against statistics that the test computes."""

import torch
from torch import nn

from pruning.methods.recovery import RECOVERIES
from pruning.models.activations import record_activations
from pruning.recipe.recipe import Recipe
from tests.pruning.methods.recovery.common import context_of


def test_the_first_batch_norm_has_mean_and_variance_of_its_inputs():
    context = context_of(Recipe.one_step("resnet20", "digits", value=0.7), images=128)
    RECOVERIES["batch_norm"].function(context)
    [images] = context.batches(128)
    with record_activations(context.model, ["bn1"]) as recorded, torch.no_grad():
        context.model(images)
    inputs = recorded.inputs["bn1"].transpose(0, 1).flatten(1)
    norm = context.model.get_submodule("bn1")
    torch.testing.assert_close(norm.running_mean, inputs.mean(1), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(norm.running_var, inputs.var(1), rtol=1e-3, atol=1e-3)


def test_only_running_statistics_change():
    context = context_of(Recipe.one_step("resnet20", "digits", value=0.7))
    before = {key: value.clone() for key, value in context.model.named_parameters()}
    RECOVERIES["batch_norm"].function(context)
    for key, value in context.model.named_parameters():
        assert torch.equal(value, before[key])
    norms = [module for module in context.model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert {norm.momentum for norm in norms} == {0.1}
    assert not torch.equal(norms[0].running_mean, context.dense.get_submodule("bn1").running_mean)


def test_removed_pixels_are_not_part_of_the_statistics():
    recipe = Recipe.one_step("resnet20", "digits", method="feature", criterion="random", value=1.0)
    context = context_of(recipe, images=64)
    RECOVERIES["batch_norm"].function(context)
    pixels = context.masks["input"].sum()
    assert pixels == 1  # one pixel is always kept: the images are nearly empty
    dense = context.dense.get_submodule("bn1").running_var
    assert (context.model.get_submodule("bn1").running_var < 0.1 * dense).all()

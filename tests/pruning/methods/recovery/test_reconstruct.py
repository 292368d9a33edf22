"""Reconstruction against a fit that the test computes layer by layer."""

import numpy as np
import pytest
import torch

from pruning.methods.recovery import RECOVERIES
from pruning.methods.recovery import reconstruct as module
from pruning.models import prunable
from pruning.recipe.recipe import Recipe
from tests.pruning.methods.recovery.common import context_of
from tests.pruning.methods.test_least_squares import closed_form


def outputs_of(model, images):
    with torch.no_grad():
        return model(images)


def mean_error(context, model) -> float:
    images = torch.cat(context.batches(100))
    dense = outputs_of(context.dense, images)
    return float((outputs_of(model, context.mask_images(images)) - dense).square().mean())


def test_each_layer_of_a_fully_connected_network_is_the_closed_form():
    context = context_of(Recipe.one_step("lenet300", "digits", value=0.9), images=400)
    dense = context.dense
    RECOVERIES["reconstruct"].function(context)
    x = torch.cat(context.batches(400)).flatten(1).double().numpy()
    dense_x = x
    for name in ("fc1", "fc2", "fc3"):
        prior = dense.get_parameter(f"{name}.weight").double().numpy()
        bias = dense.get_parameter(f"{name}.bias").double().numpy()
        targets = dense_x @ prior.T + bias
        kept = context.masks[f"{name}.weight"].numpy()
        weight, new_bias = closed_form(x, targets, prior, kept, 0.01, has_bias=True)
        layer = context.model.get_submodule(name)
        np.testing.assert_allclose(layer.weight.numpy(), weight, rtol=1e-2, atol=1e-3)
        np.testing.assert_allclose(layer.bias.numpy(), new_bias, rtol=1e-2, atol=1e-3)
        x = np.maximum(0, x @ layer.weight.double().numpy().T + layer.bias.double().numpy())
        dense_x = np.maximum(0, targets)


@pytest.mark.slow
@pytest.mark.parametrize(
    "network, step",
    [
        ("lenet300", {"value": 0.9}),
        ("lenet5", {"value": 0.9}),
        ("lenet5", {"method": "filter", "scope": "layer", "value": 0.4}),
        ("lenet5", {"method": "layer", "value": 0.34}),
        ("resnet20", {"value": 0.7}),
        ("resnet20", {"method": "filter", "scope": "layer", "value": 0.3}),
        ("resnet20", {"method": "layer", "value": 0.34}),
        ("resnet20", {"method": "layer", "grouping": "subnetwork", "value": 0.34}),
    ],
)
def test_the_logits_come_closer_to_the_dense_ones(network, step):
    context = context_of(Recipe.one_step(network, "digits", **step))
    before = mean_error(context, context.model)
    RECOVERIES["reconstruct"].function(context)
    assert mean_error(context, context.model) < 0.5 * before


@pytest.mark.parametrize(
    "network", ["lenet300", "lenet5", pytest.param("resnet20", marks=pytest.mark.slow)]
)
def test_without_pruning_the_network_stays_the_same(network):
    context = context_of(Recipe.one_step(network, "digits", value=0.0))
    RECOVERIES["reconstruct"].function(context)
    images = torch.cat(context.batches(100))
    torch.testing.assert_close(
        outputs_of(context.model, images), outputs_of(context.dense, images), rtol=1e-3, atol=2e-3
    )


@pytest.mark.slow
def test_batch_norms_that_were_recalibrated_make_no_difference():
    recipe = Recipe.one_step("resnet20", "digits", value=0.6)
    alone, after = context_of(recipe), context_of(recipe)
    RECOVERIES["reconstruct"].function(alone)
    RECOVERIES["batch_norm"].function(after)
    RECOVERIES["reconstruct"].function(after)
    for key, value in alone.model.state_dict().items():
        assert torch.equal(value, after.model.state_dict()[key])


def test_activations_that_exceed_the_memory_are_computed_again(monkeypatch):
    recipe = Recipe.one_step("lenet5", "digits", value=0.8)
    stored, computed = context_of(recipe), context_of(recipe)
    RECOVERIES["reconstruct"].function(stored)
    monkeypatch.setattr(module, "MAX_STORED_BYTES", 0)
    RECOVERIES["reconstruct"].function(computed)
    for key, value in stored.model.state_dict().items():
        torch.testing.assert_close(value, computed.model.state_dict()[key])


def test_all_layers_but_those_without_weights_are_fitted():
    context = context_of(Recipe.one_step("lenet5", "digits", value=0.8))
    before = {name: layer.weight.clone() for name, layer in prunable(context.model).items()}
    RECOVERIES["reconstruct"].function(context)
    for name, layer in prunable(context.model).items():
        assert not torch.equal(layer.weight, before[name])


@pytest.mark.parametrize("step", [{"value": 0.5}, {"value": 1.0}, {"scope": "layer", "value": 0.9}])
@pytest.mark.parametrize("network", ["lenet300", "lenet5"])
@pytest.mark.parametrize("images", [1, 2])
def test_few_images_and_networks_without_weights_can_be_fitted(network, step, images):
    context = context_of(Recipe.one_step(network, "digits", **step), images=images)
    RECOVERIES["reconstruct"].function(context)
    for value in context.model.state_dict().values():
        assert torch.isfinite(value).all()


def test_a_layer_that_reads_constants_keeps_the_rest_of_the_network_finite():
    step = {"scope": "layer", "layers": ("fc1",), "value": 1.0}  # fc2 reads the same for all
    context = context_of(Recipe.one_step("lenet300", "digits", **step))
    RECOVERIES["reconstruct"].function(context)
    for value in context.model.state_dict().values():
        assert torch.isfinite(value).all()

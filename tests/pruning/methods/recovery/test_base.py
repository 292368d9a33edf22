"""What every registered recovery promises."""

import pytest
import torch

from pruning.methods.recovery import RECOVERIES
from pruning.models import checkpoints
from pruning.recipe.compatibility import recoveries_for
from pruning.recipe.recipe import Recipe
from tests.pruning.methods.recovery.common import context_of

CASES = []
for network in ("lenet300", "lenet5", "resnet20"):
    marks = [pytest.mark.slow] if network == "resnet20" else []
    for name in recoveries_for(network):
        CASES.append(pytest.param(network, name, marks=marks))
RECIPES = {
    "weight": {"value": 0.8},
    "filter": {"method": "filter", "scope": "layer", "value": 0.4},
    "layer": {"method": "layer", "value": 0.34},
    "subnetwork": {"method": "layer", "grouping": "subnetwork", "value": 0.7},
    "feature": {"method": "feature", "criterion": "random", "value": 0.3},
}


@pytest.mark.parametrize("method", RECIPES)
@pytest.mark.parametrize("network, name", CASES)
def test_masks_hold_and_the_dense_network_is_not_modified(network, name, method):
    recipe = Recipe.one_step(network, "digits", **RECIPES[method])
    shared = checkpoints.shared_model(network, "digits")
    before = {key: value.clone() for key, value in shared.state_dict().items()}
    context = context_of(recipe)
    RECOVERIES[name].function(context)
    for key, kept in context.masks.items():
        if key != "input":
            assert not context.model.get_parameter(key)[~kept].any()
    assert not context.model.training
    for key, value in shared.state_dict().items():
        assert torch.equal(value, before[key])
    for key, value in context.dense.state_dict().items():
        assert torch.equal(value, before[key])
    for module in [*context.model.modules(), *context.dense.modules()]:
        assert not module.training and not module._forward_hooks


@pytest.mark.parametrize("network, name", CASES)
def test_a_recovery_reports_its_progress_and_can_be_cancelled(network, name):
    recipe = Recipe.one_step(network, "digits", value=0.5)
    shares = []
    RECOVERIES[name].function(context_of(recipe, report=shares.append))
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1)

    def cancel(share):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        RECOVERIES[name].function(context_of(recipe, report=cancel))


def test_names_are_looked_up():
    with pytest.raises(ValueError, match=r"unknown recovery 'magic': choose from batch_norm, "):
        RECOVERIES.require("magic")

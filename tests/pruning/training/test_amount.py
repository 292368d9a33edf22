import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pruning.engine.prune import input_network, prune
from pruning.recipe.recipe import Recipe
from pruning.training.amount import Amount, cubic, everything, geometric, linear
from tests.pruning.recipe.strategies import steps

SHARES = st.floats(0, 1)


@given(SHARES)
def test_laws_start_at_nothing_and_end_at_everything(share):
    for law in (geometric, linear, cubic):
        assert law(0.0)(share) == pytest.approx(0)
        assert law(1.0)(share) == pytest.approx(share)
    assert everything(share) == share


@given(SHARES, SHARES, SHARES)
def test_laws_never_fall(share, one, other):
    low, high = sorted((one, other))
    for law in (geometric, linear, cubic):
        assert law(low)(share) <= law(high)(share) + 1e-12


@pytest.mark.slow
@given(st.data())
def test_all_at_once_removes_what_the_recipe_removes(data):
    """On the trained network itself, for every method, criterion, rule and scope."""
    step = data.draw(steps("lenet300"))
    recipe = Recipe("lenet300", "digits", (step,), calibration=32)
    start = input_network(recipe)
    pruned = Amount.of(recipe).prune(start, everything)
    expected = prune(recipe)
    assert pruned.removed_layers == expected.network.removed_layers
    assert pruned.masks.keys() == expected.masks.keys()
    for name, mask in expected.masks.items():
        assert torch.equal(mask, pruned.masks[name])


def test_units_of_previous_steps_do_not_count():
    first = Recipe.one_step("lenet300", "digits", value=0.5).last_step
    recipe = Recipe("lenet300", "digits", (first, first))
    amount = Amount.of(recipe)
    half_way = amount.prune(input_network(recipe), linear(0.5))
    removed = sum(int((~mask).sum()) for mask in half_way.masks.values())
    assert removed == pytest.approx(266_200 * (0.5 + 0.5 * 0.25), abs=2)


@pytest.mark.parametrize("scope", ["global", "layer", "erk"])
def test_parts_add_up_to_the_whole(scope):
    """The scores do not change here, so that rounds end where one step does."""
    recipe = Recipe.one_step("lenet300", "digits", value=0.9, scope=scope)
    amount = Amount.of(recipe)
    network = input_network(recipe)
    for progress in (0.25, 0.5, 0.75, 1.0):
        network = amount.prune(network, geometric(progress))
    for name, mask in prune(recipe).masks.items():
        assert torch.equal(mask, network.masks[name])

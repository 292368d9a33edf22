from dataclasses import replace

import pytest

from pruning.engine.evaluate import evaluate, validation_accuracy
from pruning.engine.prune import prune
from pruning.experiments.budgets import Budget, match_budget
from pruning.experiments.plan_baselines import baselines_for
from pruning.experiments.sensitivity import scan_layers
from pruning.experiments.sparsity_plan import plan_sparsities
from pruning.models import NETWORKS
from pruning.models.checkpoints import shipped
from pruning.recipe.recipe import Recipe

one_step = Recipe.one_step
LEVELS = (0.3, 0.6, 0.9)


def check_promises(scan, max_loss):
    """Hold what a plan promises against measurements of its own."""
    planned = plan_sparsities(scan, max_loss)
    plan = planned.plan
    recovery = scan.recipe.recovery
    assert plan.recipe.recovery == recovery
    assert plan.validation == validation_accuracy(plan.recipe)
    assert plan.validation >= planned.dense_validation - max_loss / 100 - 1e-9
    assert plan.effective == prune(plan.recipe).effective

    baselines = baselines_for(scan.recipe)
    share = plan.effective.parameters / prune(plan.recipe).dense.parameters
    assert len(planned.baselines) == len(baselines)
    for shown, recipe in zip(planned.baselines, baselines.values(), strict=True):
        assert shown.recipe.recovery == recovery
        assert shown.validation <= plan.validation
        if shown.recipe != plan.recipe:
            matched = match_budget(recipe, Budget("parameters", share)).recipe
            assert shown.recipe == matched
            assert shown.validation == validation_accuracy(matched)
    return planned


@pytest.mark.slow
@pytest.mark.parametrize("method", ["weight", "filter"])
@pytest.mark.parametrize("network", list(NETWORKS))
def test_no_baseline_of_its_size_is_more_accurate(network, method):
    if (network, "digits") not in shipped():
        pytest.skip(f"there is no {network} for the built-in digits")
    scan = scan_layers(one_step(network, "digits", method=method), levels=LEVELS)
    check_promises(scan, 2.0)


@pytest.mark.slow
@pytest.mark.parametrize("max_loss", [0.5, 10.0])
@pytest.mark.parametrize("method", ["weight", "filter"])
def test_a_plan_keeps_its_word(method, max_loss):
    scan = scan_layers(one_step("lenet300", "digits", method=method), levels=LEVELS)
    planned = check_promises(scan, max_loss)
    plan = planned.plan
    [evaluation] = evaluate([plan.recipe])
    assert plan.test == evaluation.accuracy
    assert plan.name.startswith("plan: ")
    assert list(planned.table()["plan"]) == [plan.name, *(b.name for b in planned.baselines)]
    pruned = prune(plan.recipe)
    for layer, sparsity in plan.sparsities.items():
        removed = pruned.removed_units_of(layer).double().mean()
        assert sparsity == pytest.approx(float(removed))


def test_a_plan_may_lose_nothing():
    scan = scan_layers(one_step("lenet300", "digits", method="filter"), levels=(0.9,))
    check_promises(scan, 0.0)


@pytest.mark.slow
def test_a_recovery_makes_a_plan_smaller():
    recipe = one_step("lenet300", "digits", method="filter")
    plain = check_promises(scan_layers(recipe, levels=LEVELS), 2.0)
    recovered_recipe = replace(recipe, recovery=("reconstruct",))
    recovered = check_promises(scan_layers(recovered_recipe, levels=LEVELS), 2.0)
    assert recovered.plan.effective.parameters < plain.plan.effective.parameters


def test_everything_may_go_where_everything_may_be_lost():
    scan = scan_layers(one_step("lenet300", "digits"), levels=(0.5, 1.0))
    assert plan_sparsities(scan, 100).plan.effective.parameters < 1000


@pytest.mark.slow
def test_a_larger_loss_removes_more_weights():
    scan = scan_layers(one_step("lenet300", "digits"), levels=LEVELS)
    sizes = []
    for max_loss in (0.0, 2.0, 10.0, 50.0):
        sizes.append(plan_sparsities(scan, max_loss).plan.effective.parameters)
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] < sizes[0]


@pytest.mark.parametrize("max_loss", [-1, 101, float("nan")])
def test_a_loss_out_of_range_is_refused(max_loss):
    scan = scan_layers(one_step("lenet300", "digits"), levels=(0.5,))
    with pytest.raises(ValueError, match="points to lose must be from 0 to 100"):
        plan_sparsities(scan, max_loss)


def test_progress_is_reported():
    scan = scan_layers(one_step("lenet300", "digits", method="filter"), levels=LEVELS)
    shares: list[float] = []
    plan_sparsities(scan, 3.0, shares.append)
    assert (
        shares[0] == 0
        and shares[-1] == 1
        and shares == sorted(shares)
        and all(0 <= share <= 1 for share in shares)
    )

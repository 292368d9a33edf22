import pytest

from pruning.data.datasets import DATASETS
from pruning.methods.criteria import CRITERIA
from pruning.methods.rules import RULES, SCOPES
from pruning.methods.units import METHODS
from pruning.models import NETWORKS, build, prunable
from pruning.recipe.compatibility import (
    canonical_step,
    criteria_for,
    dense_groups,
    find_incompatibility,
    groupings_for,
    layers_for,
    rules_for,
    scopes_for,
    variants_for,
)
from pruning.recipe.recipe import MAX_CALIBRATION, max_calibration_images
from pruning.recipe.step import Step


def test_every_registered_entry_is_described():
    for registry in (NETWORKS, DATASETS, METHODS, CRITERIA, RULES):
        for name, entry in registry.items():
            assert entry.name == name and entry.label
    for entry in (*CRITERIA.values(), *RULES.values()):
        assert entry.formula and entry.help.endswith(".") and entry.source
    for entry in CRITERIA.values():
        assert set(entry.applies_to) <= set(METHODS)
        assert set(entry.variant_methods) <= set(entry.applies_to)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("method", METHODS)
def test_what_is_offered_can_be_applied(network, method):
    criteria = criteria_for(network, method)
    assert criteria
    for criterion in criteria:
        for rule in rules_for(method, criterion):
            value = RULES[rule].patterns[0] if RULES[rule].patterns else 1.0
            for scope in scopes_for(rule, method):
                step = Step(method=method, criterion=criterion, rule=rule, scope=scope, value=value)
                assert find_incompatibility(step, network) is None
                canonical = canonical_step(step, network)
                assert canonical.scope == scope and canonical_step(canonical, network) == canonical


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("method", METHODS)
def test_what_is_not_offered_is_explained_with_what_is(network, method):
    offered = criteria_for(network, method)
    for criterion in set(CRITERIA) - set(offered):
        problem = find_incompatibility(Step(method=method, criterion=criterion), network)
        assert problem and problem.endswith(f"choose from {', '.join(offered)}")
    for criterion in offered:
        rules = rules_for(method, criterion)
        for rule in set(RULES) - set(rules):
            problem = find_incompatibility(
                Step(method=method, criterion=criterion, rule=rule), network
            )
            assert problem and problem.endswith(f"choose from {', '.join(rules)}")
    for rule in rules_for(method, offered[0]):
        scopes = scopes_for(rule, method)
        for scope in set(SCOPES) - set(scopes) - {"layer"}:
            step = Step(method=method, criterion=offered[0], rule=rule, scope=scope)
            problem = find_incompatibility(step, network)
            assert problem and problem.endswith(f"choose from {', '.join(scopes)}")


def test_batch_norm_criteria_need_batch_norms():
    assert "bn_scale" in criteria_for("resnet20", "filter")
    assert "bn_scale" not in criteria_for("lenet5", "filter")
    problem = find_incompatibility(Step(method="filter", criterion="bn_scale"), "lenet5")
    assert problem.startswith(
        "criterion 'bn_scale' needs a batch norm for every convolution, which lenet5 does not have"
    )


def test_rules_that_compare_with_the_largest_score_need_scores_that_are_not_negative():
    for criterion, entry in CRITERIA.items():
        for method in entry.applies_to:
            if entry.can_be_negative:
                rules = rules_for(method, criterion)
                assert not any(RULES[rule].needs_nonnegative for rule in rules)


def test_scopes():
    assert scopes_for("sparsity", "weight") == ["global", "layer", "erk", "custom"]
    assert scopes_for("sparsity", "filter") == ["global", "layer", "custom"]
    assert scopes_for("threshold", "weight") == ["global", "custom"]
    assert scopes_for("n_m", "weight") == scopes_for("sparsity", "layer") == ["global"]


def test_groupings_are_offered_where_they_differ():
    assert groupings_for("resnet20", "filter") == ["inside", "across"]
    assert groupings_for("lenet5", "filter") == groupings_for("lenet5", "weight") == []
    assert groupings_for("lenet5", "feature") == ["position", "channel"]
    for network in NETWORKS:
        assert groupings_for(network, "layer") == ["single", "subnetwork"]
    step = Step(method="filter", grouping="across")
    assert canonical_step(step, "lenet5").grouping == "inside"
    assert canonical_step(step, "resnet20").grouping == "across"


def test_variants_are_offered_where_they_differ():
    assert variants_for("filter", "magnitude") == ["l1", "l2"]
    assert variants_for("weight", "magnitude") == variants_for("filter", "taylor") == []
    assert canonical_step(Step(method="filter"), "lenet5").variant == "l1"
    problem = find_incompatibility(Step(variant="l1"), "lenet5")
    assert problem == "there is no measure to choose: leave out 'l1'"


def test_layers_are_those_of_the_groups():
    prunable_layers = prunable(build("lenet5", channels=1, size=28))
    assert layers_for("lenet5", "weight", "") == tuple(prunable_layers)
    assert layers_for("lenet5", "filter", "") == ("conv1", "conv2", "fc1", "fc2")
    assert layers_for("lenet5", "layer", "") == ("layers",)
    for name, group in dense_groups("resnet20", "filter", "inside").items():
        assert group.name == name and group.units > 0


def test_calibration_images_are_training_images_that_are_not_held_out():
    for name, dataset in DATASETS.items():
        most = max_calibration_images(name)
        assert most <= dataset.train_images - dataset.validation_images
        assert most <= MAX_CALIBRATION
    assert max_calibration_images("mnist") == MAX_CALIBRATION
    assert max_calibration_images("digits") < MAX_CALIBRATION

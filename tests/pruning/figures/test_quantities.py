import pytest

from pruning.engine.evaluate import evaluate
from pruning.figures import quantities
from pruning.methods.units import METHODS
from pruning.recipe.recipe import Recipe


def test_costs_are_the_effective_ones():
    recipe = Recipe.one_step("lenet300", "digits", value=0.98)
    [evaluation] = evaluate([recipe])
    effective, dense = evaluation.effective, evaluation.dense
    assert effective.parameters < evaluation.masked.parameters
    share = effective.parameters / dense.parameters
    assert quantities.EFFECTIVE_PARAMETERS.value(evaluation) == share
    assert quantities.EFFECTIVE_MACS.value(evaluation) == effective.macs / dense.macs
    assert quantities.EFFECTIVE_COMPRESSION.value(evaluation) == pytest.approx(1 / share)
    assert quantities.SPARSITY.value(evaluation) == evaluation.sparsity == pytest.approx(0.98)
    assert quantities.ACCURACY.value(evaluation) == evaluation.accuracy.value
    assert quantities.LOSS.value(evaluation) == evaluation.loss


@pytest.mark.parametrize(
    "method, criterion, attribute",
    [("filter", "magnitude", "sparsity"), ("feature", "random", "removed_share")],
)
def test_what_is_removed_is_the_sparsity_or_a_share_of_units_without_weights(
    method, criterion, attribute
):
    recipe = Recipe.one_step("lenet5", "digits", method=method, criterion=criterion, value=0.4)
    [evaluation] = evaluate([recipe])
    assert evaluation.sparsity != evaluation.removed_share
    assert quantities.removed(evaluation) == getattr(evaluation, attribute)
    assert quantities.removed_quantity([method]).value(evaluation) == getattr(evaluation, attribute)


@pytest.mark.parametrize(
    "quantity",
    [
        quantities.EFFECTIVE_PARAMETERS,
        quantities.EFFECTIVE_MACS,
        quantities.EFFECTIVE_COMPRESSION,
    ],
)
def test_titles_of_costs_say_effective(quantity):
    assert quantity.title.startswith("effective")


def test_the_title_says_what_was_removed():
    title = quantities.removed_quantity(["weight", "filter", "weight"]).title
    assert title == "sparsity of prunable weights"
    assert quantities.removed_quantity([]).title == title
    assert quantities.removed_quantity(["feature"]).title == "share of input pixels removed"
    both = quantities.removed_quantity(["weight", "feature"]).title
    assert both == "share of weights or input pixels removed"


@pytest.mark.parametrize("method", METHODS)
def test_titles_fit_a_phone(method):
    titles = [quantities.removed_quantity(["weight", method]).title]
    titles += [quantities.ACCURACY.title, quantities.LOSS.title]
    titles += [quantities.EFFECTIVE_PARAMETERS.title, quantities.EFFECTIVE_MACS.title]
    assert max(len(title) for title in titles) <= 42

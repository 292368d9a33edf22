from dataclasses import FrozenInstanceError, replace

import pytest

from pruning.recipe.step import Step


def test_a_step_is_a_frozen_value_of_named_fields():
    step = Step(method="filter", value=0.3)
    assert step == Step(value=0.3, method="filter") and hash(step) == hash(replace(step))
    with pytest.raises(FrozenInstanceError):
        step.value = 0.5
    with pytest.raises(TypeError):
        Step("filter")


def test_the_default_is_half_of_all_weights_by_magnitude():
    step = Step()
    assert (step.method, step.criterion, step.rule) == ("weight", "magnitude", "sparsity")
    assert (step.scope, step.value, step.values, step.layers) == ("global", 0.5, (), None)

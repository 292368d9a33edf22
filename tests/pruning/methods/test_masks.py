"""Masks: values that check themselves."""

import pytest
import torch

from pruning.methods.masks import Masks
from pruning.models import prunable
from tests.pruning.methods.common import LENET


def test_masks_are_values_and_check_themselves():
    masks = Masks({"fc1.weight": torch.ones(120, 400, dtype=torch.bool)})
    with pytest.raises(TypeError):
        masks["fc1.weight"] = torch.zeros(1)
    with pytest.raises(TypeError, match="float32"):
        Masks({"fc1.weight": torch.ones(120, 400)})
    with pytest.raises(ValueError, match="shape"):
        Masks({"fc1.weight": torch.ones(2, 2, dtype=torch.bool)}).apply(LENET)


def test_masks_of_two_steps_are_combined():
    first, second = torch.tensor([True, True, False]), torch.tensor([True, False, True])
    both = Masks({"a": first, "b": first}) & {"b": second, "c": second}
    assert torch.equal(both["a"], first) and torch.equal(both["c"], second)
    assert both["b"].tolist() == [True, False, False]


def test_counts_of_kept_parameters_and_shares_of_removed_weights():
    mask = torch.ones(84, 120, dtype=torch.bool)
    mask[0] = False
    mask[1, :30] = False
    masks = Masks({"fc2.weight": mask, "input": torch.ones(1, 28, 28, dtype=torch.bool)})
    total = sum(parameter.numel() for parameter in LENET.parameters())
    assert masks.count_kept_parameters(LENET) == total - 150
    shares = masks.removed_share_by_unit(LENET)
    assert list(shares) == list(prunable(LENET)) and not shares["fc1"].any()
    assert shares["fc2"][:3].tolist() == [1, 0.25, 0]
    complete = masks.complete(LENET)
    assert complete["fc2.weight"] is mask and complete["fc1.weight"].all()

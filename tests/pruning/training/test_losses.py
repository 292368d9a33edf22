import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pruning.models import build, prunable
from pruning.training.losses import PENALTIES, Distillation, cross_entropy


@pytest.fixture
def model():
    return build("resnet20", channels=1, size=28)


def test_l1_and_l2_are_the_norms_of_all_prunable_weights(model):
    weights = torch.cat([layer.weight.flatten() for layer in prunable(model).values()]).double()
    assert PENALTIES["l1"](model).item() == pytest.approx(weights.abs().sum().item(), rel=1e-5)
    expected = torch.linalg.vector_norm(weights).item() ** 2 / 2
    assert PENALTIES["l2"](model).item() == pytest.approx(expected, rel=1e-5)


def test_group_lasso_by_hand():
    model = nn.Sequential(nn.Conv2d(1, 2, (1, 4), bias=False), nn.Flatten())
    model[0].weight.data = torch.tensor([[3.0, 4, 0, 0], [0, 0, 0, 2]]).view(2, 1, 1, 4)
    assert PENALTIES["group_lasso"](model).item() == pytest.approx((5 + 2) * 2, rel=1e-6)


def test_group_lasso_has_a_gradient_where_a_filter_is_zero():
    layer = nn.Linear(3, 2)
    layer.weight.data.zero_()
    PENALTIES["group_lasso"](nn.Sequential(layer)).backward()
    assert layer.weight.grad.isfinite().all()


def test_batch_norm_scales_are_summed_and_a_network_without_them_is_refused(model):
    scales = 0.0
    for name, parameter in model.named_parameters():
        if isinstance(model.get_submodule(name.rpartition(".")[0]), nn.BatchNorm2d):
            scales += parameter.abs().sum().item() if name.endswith("weight") else 0.0
    assert PENALTIES["batch_norm"](model).item() == pytest.approx(scales, rel=1e-5)
    with pytest.raises(ValueError, match="needs a network with batch norms"):
        PENALTIES["batch_norm"](build("lenet5", channels=1, size=28))


def test_distillation_without_weight_is_cross_entropy():
    teacher = nn.Linear(4, 3)
    x, labels = torch.randn(5, 4), torch.tensor([0, 1, 2, 0, 1])
    logits = torch.randn(5, 3)
    expected = cross_entropy(logits, labels, x)
    torch.testing.assert_close(Distillation(teacher, 0.0, 4.0)(logits, labels, x), expected)


def test_distillation_is_zero_at_the_teachers_logits_and_matches_the_formula():
    teacher = nn.Linear(4, 3)
    x, labels = torch.randn(5, 4), torch.tensor([0, 1, 2, 0, 1])
    loss = Distillation(teacher, 1.0, 2.0)
    assert loss(teacher(x), labels, x).item() == pytest.approx(0, abs=1e-6)
    logits = torch.randn(5, 3)
    p = F.softmax(teacher(x) / 2, 1)
    q = F.softmax(logits / 2, 1)
    expected = 4 * (p * (p / q).log()).sum(1).mean()
    torch.testing.assert_close(loss(logits, labels, x), expected)

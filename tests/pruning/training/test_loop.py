import pytest
import torch
from torch import nn

from pruning.training.loop import TrainingDiverged, train_epoch
from pruning.training.losses import cross_entropy

X, LABELS = torch.randn(8, 4), torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])


def linear() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(4, 3)


def sgd(model: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9)


def test_an_epoch_makes_the_steps_of_the_plain_loop():
    batches = [(X[:4], LABELS[:4]), (X[4:], LABELS[4:])]
    model, expected = linear(), linear()
    result = train_epoch(model, sgd(model), batches, [0.1, 0.05], plain_loss)
    optimizer, losses, correct = sgd(expected), [], 0
    for (x, labels), rate in zip(batches, [0.1, 0.05], strict=True):
        optimizer.param_groups[0]["lr"] = rate
        logits = expected(x)
        loss = cross_entropy(logits, labels, x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        correct += int((logits.argmax(1) == labels).sum())
    torch.testing.assert_close(model.weight, expected.weight, atol=2e-3, rtol=0)  # bfloat16
    assert result.loss == pytest.approx(sum(losses) / 2, rel=1e-2)
    assert abs(result.accuracy - correct / 8) <= 1 / 8


def plain_loss(logits: torch.Tensor, labels: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return cross_entropy(logits.float(), labels, x)


def test_hooks_are_called_in_order():
    model, calls = linear(), []
    train_epoch(
        model,
        sgd(model),
        [(X, LABELS)] * 2,
        [0.1, 0.1],
        cross_entropy,
        before_step=lambda step: calls.append(("before", step)),
        after_step=lambda: calls.append("after"),
        report=lambda step, loss: calls.append(("report", step)),
    )
    one = [("before", 0), "after", ("report", 1)]
    assert calls == [*one, ("before", 1), "after", ("report", 2)]


def test_a_loss_that_is_not_finite_stops_before_its_step():
    model = linear()
    before = model.weight.detach().clone()

    def broken(logits, labels, x):
        return logits.sum() * float("nan")

    with pytest.raises(TrainingDiverged, match="nan in step 1"):
        train_epoch(model, sgd(model), [(X, LABELS)], [0.1], broken)
    assert torch.equal(model.weight, before)

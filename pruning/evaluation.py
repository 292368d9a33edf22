"""Accuracy: correct / total, measured batch by batch on masked parameters, never in place."""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce

import torch
from torch import nn
from torch.nn import functional as F

from pruning.datasets import Dataset, Images, normalise


@dataclass(frozen=True)
class Accuracy:
    """``correct`` of the ``images`` that were classified, out of a test set of ``total``."""

    correct: int
    images: int
    total: int

    @property
    def value(self) -> float:
        return self.correct / self.images

    @property
    def complete(self) -> bool:
        return self.images == self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% score interval (1927); of the full set the measured value itself, twice."""
        if self.complete:
            return self.value, self.value
        from scipy.stats import binomtest

        low, high = binomtest(self.correct, self.images).proportion_ci(0.95, "wilson")
        return float(low), float(high)


def count_correct(model: nn.Sequential, parameters: Mapping[str, torch.Tensor], images: Images, dataset: Dataset, *,
                  batch: int = 250) -> Iterator[int]:
    """Classify ``images`` and yield the number of correct ones of each batch, as it comes.

    Parameters
    ----------
    model : in eval mode; it is not modified
    parameters : replacements for some of its parameters, by name
    batch : images at a time; 250 is near the best for every network here on two cores
    """
    network = forward(model, parameters)
    for start in range(0, len(images), batch):
        with torch.inference_mode():
            logits = network(normalise(images.pixels[start:start + batch], dataset))  # (B, classes)
            correct = int((logits.argmax(1) == images.labels[start:start + batch]).sum())
        yield correct


def forward(model: nn.Sequential, parameters: Mapping[str, torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    """The network with some parameters replaced, as a function from images (N, C, H, W) to logits.

    A stage whose parameters are replaced is a copy: `torch.func.functional_call` would put the replacements into the
    shared network for the length of the call, where another visitor's thread finds them. The same sums as the network's own, stage by stage, but a convolution with 2x2 max-pooling behind it becomes one
    step: on two cores those two take nine tenths of a LeNet-5's time.
    """
    steps: list[Callable[[torch.Tensor], torch.Tensor]] = []
    stages = list(model.named_children())
    skip = False
    for (name, stage), following in zip(stages, [*(s for _, s in stages[1:]), None]):
        own = {key.removeprefix(f"{name}."): value for key, value in parameters.items() if key.startswith(f"{name}.")}
        if skip:
            skip = False
        elif _pools(stage, following):
            steps.append(_pooled(stage, own))
            skip = True
        else:
            steps.append(_replaced(stage, own) if own else stage)
    return lambda x: reduce(lambda value, step: step(value), steps, x)


def _replaced(stage: nn.Module, own: Mapping[str, torch.Tensor]) -> nn.Module:
    """A copy of the stage that shares all its tensors but the replaced ones."""
    tensors = (*stage.named_parameters(), *stage.named_buffers())
    return copy.deepcopy(stage, {id(tensor): own.get(name, tensor) for name, tensor in tensors})


def _pools(stage: nn.Module, following: nn.Module | None) -> bool:
    return (isinstance(stage, nn.Conv2d) and stage.stride == (1, 1) and stage.dilation == (1, 1) and stage.groups == 1
            and stage.padding_mode == "zeros" and isinstance(following, nn.MaxPool2d)
            and following.kernel_size == following.stride == 2 and following.padding == 0)


def _pooled(stage: nn.Conv2d, own: Mapping[str, torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    """Convolution and 2x2 max-pooling: four convolutions of stride 2, one for each pixel of a pool, and their maximum.

    The kernel, moved by 0 or 1 in each direction, gives four kernels that are one larger; the rest of them is zero.
    """
    weight, bias = own.get("weight", stage.weight).detach(), own.get("bias", stage.bias)
    outputs, inputs, height, width = weight.shape
    moved = weight.new_zeros(2, 2, outputs, inputs, height + 1, width + 1)
    for down in (0, 1):
        for right in (0, 1):
            moved[down, right, :, :, down:down + height, right:right + width] = weight
    moved = moved.flatten(0, 2).contiguous(memory_format=torch.channels_last)  # (4 x outputs, inputs, ...)
    bias = None if bias is None else bias.detach().repeat(4)

    def step(x: torch.Tensor) -> torch.Tensor:
        y = F.conv2d(x, moved, bias, stride=2, padding=stage.padding)  # (N, 4 x outputs, H / 2, W / 2)
        y = torch.maximum(y[:, :2 * outputs], y[:, 2 * outputs:])
        return torch.maximum(y[:, :outputs], y[:, outputs:])

    return step


def accuracy(model: nn.Module, images: Images, dataset: Dataset) -> float:
    """Correct / total of the network as it is, in eval mode, as a fraction."""
    training = model.training
    model.eval()
    correct = sum(count_correct(model, {}, images, dataset))
    model.train(training)
    return correct / len(images)

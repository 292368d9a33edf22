"""Small networks, images and contexts for the tests of criteria."""

import copy
import math
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from pruning.data import datasets
from pruning.data.datasets import DATASETS, normalise
from pruning.methods.criteria import CRITERIA, Context
from pruning.methods.ranking import Ranking
from pruning.methods.rules import RULES
from pruning.methods.units import METHODS, groups
from pruning.models import build
from pruning.models.blocks import ResidualBlock

LN2, LN3 = math.log(2), math.log(3)


@dataclass(frozen=True, eq=False)
class Given(Context):
    """A context with images and labels of its own, in batches of two."""

    images: torch.Tensor = field(default_factory=lambda: torch.empty(0))
    labels: torch.Tensor = field(default_factory=lambda: torch.empty(0))
    classes: int = 10

    def batches(self, size: int = 128):
        yield from zip(self.images.clone().split(2), self.labels.split(2), strict=True)


def grouped(model, method, x, grouping=""):
    grouping = grouping or next(iter(METHODS[method].groupings), "")
    return groups(copy.deepcopy(model).float(), method, grouping, x.shape[1], x.shape[2])


def scores(criterion, model, method, x, y, grouping="", measure="", only=None, seed=0):
    found = only or grouped(model, method, x, grouping)
    measure = measure or next(iter(CRITERIA[criterion].variants), "")
    context = Given(
        copy.deepcopy(model),
        found,
        method,
        "digits",
        len(x),
        seed,
        measure,
        images=x,
        labels=y,
        classes=model(x).shape[1],
    )
    return CRITERIA[criterion].function(context)


def frozen(seed=0, **stages) -> nn.Sequential:
    """In float64 and eval mode; all parameters and batch-norm statistics random."""
    model, generator = (
        nn.Sequential(OrderedDict(stages)).double().eval().requires_grad_(False),
        torch.Generator(),
    )
    generator.manual_seed(seed)
    for p in model.parameters():
        p.copy_(
            torch.randn(p.shape, generator=generator) * (0.6 if p.ndim > 1 else 0.3) + (p.ndim == 1)
        )
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.copy_(torch.randn(m.num_features, generator=generator))
            m.running_var.copy_(torch.rand(m.num_features, generator=generator) + 0.5)
    return model


def residual() -> nn.Sequential:
    """Strides, paddings, batch norms, both kinds of shortcut; images 1x6x6."""
    return frozen(
        conv1=nn.Conv2d(1, 2, 3, stride=2, padding=1, bias=False),
        bn1=nn.BatchNorm2d(2),
        relu1=nn.ReLU(),
        block=ResidualBlock(2, 2, 1),
        last=ResidualBlock(2, 3, 2),
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        fc=nn.Linear(3, 3),
    )


def staged() -> nn.Sequential:
    """Two blocks that can be removed, one that cannot, and a third; images 1x6x6."""
    return frozen(
        conv1=nn.Conv2d(1, 2, 3, stride=2, padding=1, bias=False),
        bn1=nn.BatchNorm2d(2),
        relu1=nn.ReLU(),
        first=ResidualBlock(2, 2, 1),
        second=ResidualBlock(2, 2, 1),
        wider=ResidualBlock(2, 3, 2),
        third=ResidualBlock(3, 3, 1),
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        fc=nn.Linear(3, 3),
    )


def pooled() -> nn.Sequential:
    """A LeNet in small, with biases; images 1x6x6."""
    return frozen(
        conv1=nn.Conv2d(1, 3, 3, padding=1),
        pool1=nn.MaxPool2d(2),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(3, 4, 3, padding=1),
        relu2=nn.ReLU(),
        flatten=nn.Flatten(),
        fc1=nn.Linear(36, 5),
        relu3=nn.ReLU(),
        fc2=nn.Linear(5, 3),
    )


SMALL = {"residual": residual, "pooled": pooled}


# By group: modules at which the channels of the small networks are set to zero, and their ReLUs.
SWITCHES = {
    "residual": {
        "conv1": ["bn1", "block.bn2"],
        "block.conv1": ["block.bn1"],
        "last.conv1": ["last.bn1"],
        "last.conv2": ["last.bn2", "last.shortcut.bn"],
    },
    "pooled": {"conv1": ["conv1"], "conv2": ["conv2"], "fc1": ["fc1"]},
}


SEEN = {
    "residual": {
        "conv1": ["relu1", "block.relu2"],
        "block.conv1": ["block.relu1"],
        "last.conv1": ["last.relu1"],
        "last.conv2": ["last.relu2"],
    },
    "pooled": {"conv1": ["relu1"], "conv2": ["relu2"], "fc1": ["relu3"]},
}


GROUPING = {"residual": "across", "pooled": "inside"}


def images(count=5, channels=1, size=6, classes=3, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(count, channels, size, size, generator=generator, dtype=torch.float64),
        torch.randint(classes, (count,), generator=generator),
    )


def loss(model, x, y) -> float:
    return float(F.cross_entropy(model(x), y))


def digits(count) -> tuple[torch.Tensor, torch.Tensor]:
    some = datasets.calibration("digits", count)
    return normalise(some.pixels, DATASETS["digits"]), some.labels


def by_hand(weights, last) -> nn.Sequential:
    """3 inputs, 2 hidden units, 2 classes, no biases."""
    model = frozen(flatten=nn.Flatten(), fc1=nn.Linear(3, 2), relu1=nn.ReLU(), fc2=nn.Linear(2, 2))
    for layer, values in ((model.fc1, weights), (model.fc2, last)):
        layer.weight.copy_(torch.tensor(values))
        layer.bias.zero_()
    return model


def ours(model, method, found, amount) -> dict[str, torch.Tensor]:
    """What sparsity in each layer keeps, {parameter: mask}."""
    layers = groups(model, method, "inside" if method == "filter" else "", 1, 28)
    ranking = Ranking.of(found, layers)
    choice = RULES["sparsity"].select(ranking, amount, "layer")
    return {
        key: mask
        for name, cut in choice.items()
        for key, mask in METHODS[method]
        .masks_for(model, layers[name], cut.removed(ranking[name]))
        .items()
    }


LENET = build("lenet5", channels=1, size=28).requires_grad_(False).eval()


def ridge_by_hand(x, y, ridge) -> tuple[np.ndarray, np.ndarray]:
    """Weight (o, i) and bias (o,) by NumPy: centred data, the penalty as further rows."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    mx, my = x.mean(0), y.mean(0)
    penalty = math.sqrt(len(x) * ridge * x.var(0).mean())
    rows = np.concatenate([x - mx, penalty * np.eye(x.shape[1])])
    weight = np.linalg.lstsq(rows, np.concatenate([y - my, np.zeros((x.shape[1], y.shape[1]))]))[
        0
    ].T
    return weight, my - weight @ mx

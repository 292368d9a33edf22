"""The registry of criteria and what they are given."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from pruning.data import datasets
from pruning.data.datasets import DATASETS, normalise
from pruning.methods.units import METHODS, UnitGroup, layers_in
from pruning.runtime.registry import Registry, register

Scores = dict[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class Context:
    """What a criterion may look at.

    ``model`` is a private copy, in eval mode, of what the steps before have left, gradients off: a criterion may hook it
    and ask its gradients. ``input`` is the mask of the images, if they have one. ``calibration`` says how many training
    images are looked at. ``alive`` (units,) bool says for each group which units earlier steps have left, all where it
    says nothing; ``step`` is how many those were. ``report(share)`` is told how far the work is; what it raises ends it.
    """

    model: nn.Sequential
    groups: Mapping[str, UnitGroup]
    method: str
    dataset: str
    calibration: int = 1024
    seed: int = 0
    variant: str = ""
    input: torch.Tensor | None = None
    alive: Mapping[str, torch.Tensor] = field(default_factory=dict)
    step: int = 0
    report: Callable[[float], None] = lambda share: None

    def batches(self, size: int = 64) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The calibration images, normalised and masked (B, C, H, W), and their labels (B,); always the same."""
        images = datasets.calibration(self.dataset, self.calibration)
        for start in range(0, len(images), size):
            x = normalise(images.pixels[start : start + size], DATASETS[self.dataset])
            yield x if self.input is None else x * self.input, images.labels[start : start + size]
            self.report(min(1.0, (start + size) / len(images)))

    @property
    def classes(self) -> int:
        return len(DATASETS[self.dataset].classes)

    def weight(self, layer: str) -> torch.Tensor:
        return self.model.get_submodule(layer).weight

    def vectors(self, group: UnitGroup, of: Callable[[str], torch.Tensor]) -> list[torch.Tensor]:
        """For each unit of filters or layers one vector of all its values, where ``of(layer)`` has the weight's shape."""
        if self.method == "layer":
            return [
                torch.cat([of(layer).flatten() for layer in layers_in(self.model, name)])
                for name in group.names
            ]
        return list(torch.cat([of(layer).flatten(1) for layer in group.layers], 1))


@dataclass(frozen=True)
class Criterion:
    """``function(context) -> {group: scores}``; scores are floats of any shape, one per unit in index order.

    ``applies_to`` names the methods it can score. ``variants`` are its variants, the first one by default, and
    ``variant_methods`` the methods for which they differ. ``needs_data``: it looks at calibration images; ``is_random``: its scores
    depend on the seed; ``can_be_negative``: they can be negative; ``needs_batch_norm``: it needs batch norms.
    """

    name: str
    function: Callable[[Context], Scores]
    label: str
    formula: str
    source: str
    help: str
    applies_to: tuple[str, ...]
    variants: Mapping[str, str] = field(default_factory=dict)
    variant_methods: tuple[str, ...] = ()
    needs_data: bool = False
    is_random: bool = False
    can_be_negative: bool = False
    needs_batch_norm: bool = False


CRITERIA: Registry[Criterion] = Registry("criterion")


def criterion(name: str, **info) -> Callable:
    assert set(info["applies_to"]) <= set(METHODS), name
    return register(CRITERIA, Criterion, name, **info)

"""The registry of criteria and what they are given."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from pruning.registry import Registry, register


@dataclass(frozen=True)
class Context:
    """What a criterion may look at. The network is shared by everybody: look, never touch."""

    model: nn.Module
    dataset: str
    method: str
    seed: int


@dataclass(frozen=True)
class Criterion:
    """``function(context) -> {layer: scores}``; scores float32 of any shape, one per unit in index order.

    ``applies_to`` names the methods it can score; ``seeded`` tells that its scores depend on the seed.
    """

    name: str
    function: Callable[[Context], dict[str, torch.Tensor]]
    label: str
    formula: str
    source: str
    help: str
    applies_to: tuple[str, ...]
    seeded: bool = False


CRITERIA: Registry[Criterion] = Registry("criterion")


def criterion(name: str, **info) -> Callable:
    return register(CRITERIA, Criterion, name, **info)

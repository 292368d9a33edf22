"""A network as a list of steps, each of which is a module applied to the results of others."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import nn

IMAGE = "x"
"""Name of the images among the inputs of steps."""


@dataclass(frozen=True)
class Step:
    """One operation of a network.

    Parameters
    ----------
    name : str
        Name of its module, and of its result.
    inputs : tuple of str
        Names of earlier steps, or ``IMAGE``, whose results are the arguments.
    shape : tuple of int
        Shape of the result for one image, without the batch.
    """

    name: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]


class GraphNetwork(nn.Module):
    """A network that applies its steps in order; the result of the last one are the logits.

    Parameters
    ----------
    modules : mapping of str to nn.Module
        The module of each step. Dots in a name separate the parts of the network, as in
        ``layer1.0.conv1``.
    steps : sequence of Step
        The operations, in an order in which every input is computed before it is read.
    shape : tuple of int
        Shape of one image, (channels, height, width).
    """

    def __init__(
        self, modules: Mapping[str, nn.Module], steps: Sequence[Step], shape: tuple[int, ...]
    ):
        super().__init__()
        self.steps = tuple(steps)
        self.shape = tuple(shape)
        for step in self.steps:
            self._insert(step.name, modules[step.name])
        self._released = released_results(self.steps)
        self._shapes = {IMAGE: self.shape, **{step.name: step.shape for step in self.steps}}

    def _insert(self, name: str, module: nn.Module) -> None:
        """Add a module below containers for the first parts of its name."""
        *containers, own_name = name.split(".")
        parent: nn.Module = self
        for part in containers:
            if part not in parent._modules:
                parent.add_module(part, nn.Module())
            parent = parent.get_submodule(part)
        parent.add_module(own_name, module)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply all steps.

        Parameters
        ----------
        x : torch.Tensor
            Images (N, channels, height, width).

        Returns
        -------
        torch.Tensor
            Logits (N, classes).
        """
        results = {IMAGE: x}
        for step in self.steps:
            inputs = [results[name] for name in step.inputs]
            results[step.name] = self.get_submodule(step.name)(*inputs)
            for name in self._released[step.name]:
                del results[name]  # nothing reads it any more
        return results[self.steps[-1].name]

    @cached_property
    def peak_values(self) -> int:
        """Largest number of values, for one image, that are in memory at a time; at least 1."""
        sizes = {name: math.prod(shape) for name, shape in self._shapes.items()}
        live = largest = sizes[IMAGE]
        for step in self.steps:
            live += sizes[step.name]
            largest = max(largest, live)
            for name in self._released[step.name]:
                live -= sizes[name]
        return max(1, largest)

    def input_shapes(self, step: Step) -> list[tuple[int, ...]]:
        """Return the shapes of the inputs of a step, without the batch.

        Parameters
        ----------
        step : Step
            One of the steps.

        Returns
        -------
        list of tuple of int
            One for each input.
        """
        return [self._shapes[name] for name in step.inputs]


RESERVED = frozenset([IMAGE, "steps", "shape", "_released", "_shapes", *dir(GraphNetwork)])
"""Names that a module of a network cannot have."""


def is_reserved(name: str) -> bool:
    """Tell whether a network cannot have a module of this name.

    Parameters
    ----------
    name : str
        With dots between its parts.

    Returns
    -------
    bool
        True if the name or a part of it has another meaning.
    """
    parts = name.split(".")
    return parts[0] in RESERVED or any(part in RESERVED for part in parts[1:] if part != IMAGE)


class _Reader(Protocol):
    """An operation with the names of its result and of the results that it reads."""

    @property
    def name(self) -> str:
        """Name of its result."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the results that it reads."""


def released_results(operations: Sequence[_Reader]) -> dict[str, list[str]]:
    """Find the results that need not be kept after an operation.

    Parameters
    ----------
    operations : sequence
        With ``name`` and ``inputs``, in the order in which they are applied.

    Returns
    -------
    dict of str to list of str
        For each operation the results that no later one reads.
    """
    last_reader = {}
    for operation in operations:
        for name in operation.inputs:
            last_reader[name] = operation.name
    released: dict[str, list[str]] = {operation.name: [] for operation in operations}
    for name, reader in last_reader.items():
        released[reader].append(name)
    return released


def macs_of(module: nn.Module, shape: tuple[int, ...]) -> int:
    """Count the multiply-accumulates of a module for one image.

    Parameters
    ----------
    module : nn.Module
        Any module of a network.
    shape : tuple of int
        Shape of its result, without the batch.

    Returns
    -------
    int
        Weights times positions of a convolution or a linear layer; 0 for other modules.
    """
    if not isinstance(module, nn.Conv2d | nn.Linear):
        return 0
    return module.weight.numel() * math.prod(shape[1:])


def without_unread_steps(steps: Sequence[Step]) -> list[Step]:
    """Leave out steps whose result makes no difference to the last one.

    Parameters
    ----------
    steps : sequence of Step
        All steps of a network.

    Returns
    -------
    list of Step
        The others, in the same order.
    """
    read = {steps[-1].name}
    kept = []
    for step in reversed(steps):
        if step.name in read:
            read.update(step.inputs)
            kept.append(step)
    return kept[::-1]

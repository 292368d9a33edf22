"""The registry of criteria, and the context that a criterion scores units in."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from pruning.data import datasets
from pruning.data.datasets import DATASETS, normalise
from pruning.methods.units import METHODS, UnitGroup, layers_of
from pruning.runtime.progress import ignore_progress
from pruning.runtime.registry import Registry, register

Scores = dict[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class Context:
    """Everything that a criterion may use.

    Attributes
    ----------
    model : nn.Module
        Private copy of the network after the previous steps, in eval mode, gradients off. A
        criterion may add hooks and compute gradients.
    groups : mapping of str to UnitGroup
        Groups to score by name.
    method, dataset : str
        Names of the method and the dataset.
    calibration : int
        Number of calibration images, which are training images.
    seed : int
        Seed of random scores.
    variant : str
        Name of the criterion's variant, empty where it has none.
    input : torch.Tensor, optional
        Mask of the images, (channels or 1, height, width) float.
    surviving_units : mapping of str to torch.Tensor
        Units of each group that previous steps have not removed, (units,) bool; all of a group
        that is missing.
    step_index : int
        Number of previous steps.
    report : callable
        ``report(share)`` is called with the finished share of the work; an exception that it
        raises ends the work.
    draw : int
        Which of the disjoint draws of calibration images is used.
    """

    model: nn.Module
    groups: Mapping[str, UnitGroup]
    method: str
    dataset: str
    calibration: int = 1024
    seed: int = 0
    variant: str = ""
    input: torch.Tensor | None = None
    surviving_units: Mapping[str, torch.Tensor] = field(default_factory=dict)
    step_index: int = 0
    report: Callable[[float], None] = ignore_progress
    draw: int = 0

    def batches(self, size: int = 64) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Iterate over the calibration images, always the same.

        Parameters
        ----------
        size : int, default 64
            Images of a batch.

        Yields
        ------
        x : torch.Tensor
            Images, normalised and masked, (B, C, H, W).
        labels : torch.Tensor
            (B,) int.
        """
        images = datasets.calibration(self.dataset, self.calibration, self.draw)
        for start in range(0, len(images), size):
            stop = start + size
            x = normalise(images.pixels[start:stop], DATASETS[self.dataset])
            if self.input is not None:
                x = x * self.input
            yield x, images.labels[start:stop]
            self.report(min(1.0, stop / len(images)))

    @property
    def classes(self) -> int:
        """Number of classes of the dataset."""
        return len(DATASETS[self.dataset].classes)

    def weight(self, layer: str) -> torch.Tensor:
        """Return the weight of a layer or the scale of a batch norm.

        Parameters
        ----------
        layer : str
            Name of the module.

        Returns
        -------
        torch.Tensor
            The parameter itself.
        """
        return self.model.get_parameter(f"{layer}.weight")

    def vectors(
        self, group: UnitGroup, values_of: Callable[[str], torch.Tensor]
    ) -> list[torch.Tensor]:
        """Collect all values of each unit, for units that consist of several weights.

        Parameters
        ----------
        group : UnitGroup
            Group of filters, or of layers or subnetworks, which have members.
        values_of : callable
            ``values_of(layer)`` returns a tensor in the shape of the layer's weight.

        Returns
        -------
        list of torch.Tensor
            One vector for each unit.
        """
        if group.members:  # each unit consists of whole layers
            vectors = []
            for unit in range(group.units):
                layers = layers_of(self.model, group, unit)
                vectors.append(torch.cat([values_of(layer).flatten() for layer in layers]))
            return vectors
        rows = torch.cat([group.by_unit(layer, values_of(layer)) for layer in group.layers], 1)
        return list(rows)


CriterionFunction = Callable[[Context], Scores]


@dataclass(frozen=True)
class Criterion:
    """A way to score the importance of units.

    Attributes
    ----------
    name : str
        Key in ``CRITERIA``.
    function : callable
        ``function(context)`` returns {group: scores}, floats of any shape, one for each unit in
        index order. The lowest scores are removed first.
    label, formula, source, help : str
        Label, LaTeX formula, reference and help text.
    applies_to : tuple of str
        Methods whose units it can score.
    variants : mapping of str to str
        Variants with their labels, the default first.
    variant_methods : tuple of str
        Methods for which the variants differ.
    needs_data : bool
        Whether it uses calibration images.
    is_random : bool
        Whether scores depend on the seed.
    can_be_negative : bool
        Whether scores can be negative.
    needs_batch_norm : bool
        Whether it is defined only for networks with batch norms.
    is_slow : bool
        Whether scoring evaluates the network once for each unit.
    """

    name: str
    function: CriterionFunction
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
    is_slow: bool = False


CRITERIA: Registry[Criterion] = Registry("criterion")


def criterion(name: str, **info: Any) -> Callable[[CriterionFunction], CriterionFunction]:
    """Register the decorated function as a criterion.

    Parameters
    ----------
    name : str
        Key in ``CRITERIA``.
    **info
        Further fields of `Criterion`.

    Returns
    -------
    callable
        Decorator that returns the function unchanged.

    Raises
    ------
    ValueError
        If ``applies_to`` names a method that does not exist.
    """
    unknown = set(info["applies_to"]) - set(METHODS)
    if unknown:
        raise ValueError(f"criterion {name!r} applies to unknown methods {sorted(unknown)}")
    return register(CRITERIA, Criterion, name, **info)

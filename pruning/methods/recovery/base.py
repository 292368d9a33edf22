"""The registry of recoveries, and the context in which a recovery runs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from pruning.data.datasets import DATASETS, calibration, normalise
from pruning.methods.masks import Masks
from pruning.runtime.progress import ignore_progress
from pruning.runtime.registry import Registry, register


@dataclass(frozen=True, eq=False)
class RecoveryContext:
    """Everything that a recovery may use.

    Attributes
    ----------
    model : nn.Module
        Private copy of the masked network, in eval mode, gradients off. The recovery modifies it
        in place; masked parameters must stay zero.
    dense : nn.Module
        Private copy of the trained network before pruning. A recovery may add hooks, but does not
        modify its parameters.
    masks : Masks
        Which parameters of the model are kept.
    dataset : str
        Name of the dataset.
    calibration : int
        Number of calibration images, which are training images.
    report : callable
        ``report(share)`` is called with the finished share of the work; an exception that it
        raises ends the work.
    draw : int
        Which of the disjoint draws of calibration images is used.
    """

    model: nn.Module
    dense: nn.Module
    masks: Masks
    dataset: str
    calibration: int
    report: Callable[[float], None] = ignore_progress
    draw: int = 0

    def batches(self, size: int) -> list[torch.Tensor]:
        """Return the calibration images, always the same, without the mask of the images.

        Parameters
        ----------
        size : int
            Images per batch.

        Returns
        -------
        list of torch.Tensor
            Normalised images, (B, C, H, W).
        """
        images = calibration(self.dataset, self.calibration, self.draw)
        data = DATASETS[self.dataset]
        return [normalise(pixels, data) for pixels in images.pixels.split(size)]

    def mask_images(self, images: torch.Tensor) -> torch.Tensor:
        """Set removed pixels of images to zero.

        Parameters
        ----------
        images : torch.Tensor
            Normalised images, (B, C, H, W).

        Returns
        -------
        torch.Tensor
            What the pruned network reads.
        """
        mask = self.masks.get("input")
        return images if mask is None else images * mask


RecoveryFunction = Callable[[RecoveryContext], None]


@dataclass(frozen=True)
class Recovery:
    """A way to change the remaining parameters of a pruned network, without training.

    Attributes
    ----------
    name : str
        Key in ``RECOVERIES``.
    function : callable
        ``function(context)`` modifies ``context.model``.
    label, formula, source, help : str
        Label, LaTeX formula, reference and help text.
    needs_batch_norm : bool
        Whether it changes nothing in a network without batch norms.
    replaces : tuple of str
        Recoveries that make no difference before this one.
    """

    name: str
    function: RecoveryFunction
    label: str
    formula: str
    source: str
    help: str
    needs_batch_norm: bool = False
    replaces: tuple[str, ...] = ()


RECOVERIES: Registry[Recovery] = Registry("recovery")


def recovery(name: str, **info: Any) -> Callable[[RecoveryFunction], RecoveryFunction]:
    """Register the decorated function as a recovery.

    Recoveries are applied in the order of their registration.

    Parameters
    ----------
    name : str
        Key in ``RECOVERIES``.
    **info
        Further fields of `Recovery`.

    Returns
    -------
    callable
        Decorator that returns the function unchanged.
    """
    return register(RECOVERIES, Recovery, name, **info)

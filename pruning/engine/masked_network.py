"""A network and the masks of its parameters."""

import copy
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import nn

from pruning.methods.masks import Masks


@dataclass(frozen=True, eq=False)
class MaskedNetwork:
    """A network, shared and never modified, and masks for its parameters.

    Parameters
    ----------
    model : nn.Module
        The trained network itself, unless plain layers were removed from it.
    masks : Masks
        Which parameters are kept; empty for the dense network.
    removed_layers : tuple of str
        Plain layers that were removed from ``model``.
    removed_blocks : tuple of str
        Residual blocks whose masks remove all their parameters.
    is_recovered : bool
        Whether a recovery has changed the kept parameters of ``model``.
    """

    model: nn.Module
    masks: Masks = field(default_factory=lambda: Masks({}))
    removed_layers: tuple[str, ...] = ()
    removed_blocks: tuple[str, ...] = ()
    is_recovered: bool = False

    @cached_property
    def parameters(self) -> int:
        """Number of parameters that the masks keep, biases and batch norms included."""
        return self.masks.count_kept_parameters(self.model)

    @property
    def input_mask(self) -> torch.Tensor | None:
        """Mask of the input pixels, float32 (1 or channels, height, width), or None."""
        mask = self.masks.get("input")
        return None if mask is None else mask.float()

    @property
    def bytes(self) -> int:
        """Approximate memory of the masks, and of the model if it is not the trained one."""
        size = self.masks.bytes
        if self.removed_layers or self.is_recovered:
            size += 4 * self.parameters
        return size

    def masked_parameters(self) -> dict[str, torch.Tensor]:
        """Return masked copies of the masked parameters.

        Returns
        -------
        dict of str to torch.Tensor
            By parameter name; ``input`` is the mask of the images.
        """
        return self.masks.apply(self.model)

    def copy(self) -> nn.Module:
        """Return the masked network as a module of its own.

        Returns
        -------
        nn.Module
            In eval mode; the mask of the images is not part of it.
        """
        model = copy.deepcopy(self.model)
        state = self.masked_parameters()
        state.pop("input", None)
        model.load_state_dict(state, strict=False)
        return model

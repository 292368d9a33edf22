"""Masks: which parameters of a network are kept, as a value."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np
import torch
from torch import nn

from pruning.models import prunable


class Masks(Mapping[str, torch.Tensor]):
    """Masks by parameter name, immutable; parameters without a mask are kept.

    The images have a mask with the name ``input``: (channels, height, width), or
    (1, height, width) for all channels.

    Parameters
    ----------
    kept : mapping of str to torch.Tensor
        Bool in the shape of the parameter, True = kept.

    Raises
    ------
    TypeError
        If a mask is not bool.
    """

    def __init__(self, kept: Mapping[str, torch.Tensor]):
        for name, mask in kept.items():
            if mask.dtype != torch.bool:
                raise TypeError(f"the mask of {name} is {mask.dtype}, not bool")
        self._kept = MappingProxyType(dict(kept))

    def __getitem__(self, name: str) -> torch.Tensor:
        return self._kept[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def bytes(self) -> int:
        """Memory of the masks, at least 1."""
        return sum(mask.numel() for mask in self.values()) + 1

    def __and__(self, other: Mapping[str, torch.Tensor]) -> "Masks":
        """Return masks of the parameters that both keep."""
        kept = dict(self)
        for name, mask in other.items():
            kept[name] = kept[name] & mask if name in kept else mask
        return Masks(kept)

    def apply(self, model: nn.Module) -> dict[str, torch.Tensor]:
        """Mask copies of the masked parameters, for `prefix_cache.forward`.

        Parameters
        ----------
        model : nn.Module
            Network of the parameters, not modified.

        Returns
        -------
        dict of str to torch.Tensor
            Masked parameters by name; ``input`` is the mask of the images as float.

        Raises
        ------
        ValueError
            If a mask does not have the shape of its parameter.
        """
        parameters = dict(model.named_parameters())
        masked = {}
        for name, mask in self.items():
            if name == "input":
                masked[name] = mask.float()
                continue
            parameter = parameters[name]
            if mask.shape != parameter.shape:
                raise ValueError(
                    f"the mask of {name} has shape {tuple(mask.shape)}, "
                    f"not {tuple(parameter.shape)}"
                )
            masked[name] = torch.where(mask, parameter.detach(), 0.0)
        return masked

    def removed_share_by_unit(self, model: nn.Module) -> dict[str, np.ndarray]:
        """Compute the share of removed weights of each output unit.

        Parameters
        ----------
        model : nn.Module
            Network of the masks.

        Returns
        -------
        dict of str to np.ndarray
            (outputs,) float32 for each prunable layer.
        """
        shares = {}
        for name, mask in self.complete(model).items():
            kept = mask.flatten(1).float().mean(1).numpy()
            shares[name.removesuffix(".weight")] = 1 - kept
        return shares

    def complete(self, model: nn.Module) -> dict[str, torch.Tensor]:
        """Return a mask for every prunable weight, by parameter name.

        Parameters
        ----------
        model : nn.Module
            Network of the masks.

        Returns
        -------
        dict of str to torch.Tensor
            Bool in the shape of the weight; all True where there is no mask.
        """
        masks = {}
        for layer in prunable(model):
            name = f"{layer}.weight"
            mask = self.get(name)
            if mask is None:
                mask = torch.ones(model.get_parameter(name).shape, dtype=torch.bool)
            masks[name] = mask
        return masks

    def count_kept_parameters(self, model: nn.Module) -> int:
        """Count the kept parameters.

        Parameters
        ----------
        model : nn.Module
            Network of the masks.

        Returns
        -------
        int
            Biases and batch norm included.
        """
        count = 0
        for name, parameter in model.named_parameters():
            count += int(self[name].sum()) if name in self else parameter.numel()
        return count

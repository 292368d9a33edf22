"""Which parameters live, as a value."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import torch
from torch import nn

from pruning.models import prunable


class Masks(Mapping[str, torch.Tensor]):
    """{parameter name: (parameter's shape) bool, True = kept}; parameters without a mask live whole.

    The image has a mask of its own, ``input``: (channels, height, width), or (1, height, width) for all channels.
    """

    def __init__(self, kept: Mapping[str, torch.Tensor]):
        for name, mask in kept.items():
            if mask.dtype != torch.bool:
                raise TypeError(f"the mask of {name} is {mask.dtype}, not bool")
        self._kept = MappingProxyType(dict(kept))

    def __getitem__(self, name: str) -> torch.Tensor:
        return self._kept[name]

    def __iter__(self):
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def bytes(self) -> int:
        return sum(mask.numel() for mask in self.values()) + 1

    def __and__(self, other: Mapping[str, torch.Tensor]) -> "Masks":
        """What both keep."""
        return Masks(
            {
                **self,
                **{
                    name: self[name] & mask if name in self else mask
                    for name, mask in other.items()
                },
            }
        )

    def apply(self, model: nn.Module) -> dict[str, torch.Tensor]:
        """Masked copies of the masked parameters, for `inference.forward`; the model stays as it is.

        Raises
        ------
        ValueError : a mask does not have its parameter's shape.
        """
        parameters = dict(model.named_parameters())
        for name, mask in self.items():
            if name != "input" and mask.shape != parameters[name].shape:
                raise ValueError(
                    f"the mask of {name} has shape {tuple(mask.shape)}, not {tuple(parameters[name].shape)}"
                )
        return {
            name: mask.float()
            if name == "input"
            else torch.where(mask, parameters[name].detach(), 0.0)
            for name, mask in self.items()
        }

    def shares(self, model: nn.Module) -> dict[str, np.ndarray]:
        """For each prunable layer the share of removed weights of each output unit, (outputs,) float32."""
        return {
            name.removesuffix(".weight"): 1 - mask.flatten(1).float().mean(1).numpy()
            for name, mask in self.complete(model).items()
        }

    def complete(self, model: nn.Module) -> dict[str, torch.Tensor]:
        """A mask for every prunable weight tensor, by name, those without one all True."""
        return {
            f"{name}.weight": self.get(
                f"{name}.weight", torch.ones(layer.weight.shape, dtype=torch.bool)
            )
            for name, layer in prunable(model).items()
        }

    def left(self, model: nn.Module) -> int:
        """How many parameters live, biases and batch norm included."""
        return sum(
            int(self[name].sum()) if name in self else p.numel()
            for name, p in model.named_parameters()
        )

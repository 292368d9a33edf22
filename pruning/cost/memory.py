"""Peak memory of the activations of a network."""

import copy
from dataclasses import dataclass

import torch
from torch import nn

from pruning.models.activations import record_activations


@dataclass(frozen=True)
class _Step:
    """One leaf module of a forward pass: the tensors that it reads and writes."""

    inputs: tuple[torch.Tensor, ...]
    output: torch.Tensor

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        return (*self.inputs, self.output)


def peak_memory_bytes(model: nn.Module, channels: int, size: int) -> int:
    """Count the bytes of activations that must be in memory at once for one image.

    An activation is live from the module that writes it to the last module that reads it. The
    peak is the largest sum of live activations over all modules. On a residual connection, the
    input of the shortcut is therefore live throughout the residual branch. Views share the
    memory of their base and are counted once.

    Parameters
    ----------
    model
        A network; not modified.
    channels, size
        Channels, and height and width, of the image.

    Returns
    -------
    int
        Peak memory in bytes.
    """
    steps = _trace(model, channels, size)
    last_use: dict[int, int] = {}
    for index, step in enumerate(steps):
        for tensor in step.tensors:
            last_use[tensor.data_ptr()] = index

    peak = 0
    live_bytes: dict[int, int] = {}
    for index, step in enumerate(steps):
        for tensor in step.tensors:
            live_bytes[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        peak = max(peak, sum(live_bytes.values()))
        live_bytes = {
            address: count for address, count in live_bytes.items() if last_use[address] > index
        }
    return peak


def _trace(model: nn.Module, channels: int, size: int) -> list[_Step]:
    """Record the leaf modules of a forward pass of one image, in order of execution.

    The steps hold their tensors, so that every address stays unique.
    """
    model = copy.deepcopy(model).eval()
    steps: list[_Step] = []

    def add_step(
        name: str, module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor
    ) -> None:
        steps.append(_Step(inputs, output))

    leaves = [name for name, module in model.named_modules() if not list(module.children())]
    dtype = next(model.parameters()).dtype
    with record_activations(model, leaves, add_step), torch.no_grad():
        model(torch.zeros(1, channels, size, size, dtype=dtype))
    return steps

"""Inputs and outputs of a network's modules, recorded during its forward passes."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import nn

OnForward = Callable[[str, nn.Module, tuple[torch.Tensor, ...], torch.Tensor], None]


@dataclass
class RecordedActivations:
    """First inputs and outputs of the recorded modules.

    Attributes
    ----------
    inputs, outputs : dict of str to torch.Tensor
        Tensors of the latest forward pass by module name, in the order in which the modules
        first ran. They are not detached from the autograd graph.
    """

    inputs: dict[str, torch.Tensor] = field(default_factory=dict)
    outputs: dict[str, torch.Tensor] = field(default_factory=dict)


@contextmanager
def record_activations(
    model: nn.Module,
    names: Iterable[str],
    on_forward: OnForward | None = None,
    *,
    keep_inputs: bool = True,
    keep_outputs: bool = True,
) -> Iterator[RecordedActivations]:
    """Record what modules of a network read and return while the context is open.

    The hooks are removed when the context is left, also after an exception.

    Parameters
    ----------
    model : nn.Module
        Network whose forward passes are recorded.
    names : iterable of str
        Names of submodules; each must return one tensor.
    on_forward : callable, optional
        ``on_forward(name, module, inputs, output)``, called at each forward pass of a named
        module, where ``inputs`` is the tuple of its positional arguments.
    keep_inputs, keep_outputs : bool, default True
        Whether to keep the tensors. False saves memory where `on_forward` is sufficient.

    Yields
    ------
    RecordedActivations
        Updated by every forward pass.

    Raises
    ------
    AttributeError
        If the network has no module of that name.
    """
    recorded = RecordedActivations()

    def record(
        name: str, module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor
    ) -> None:
        if keep_inputs:
            recorded.inputs[name] = inputs[0]
        if keep_outputs:
            recorded.outputs[name] = output
        if on_forward is not None:
            on_forward(name, module, inputs, output)

    handles = []
    try:
        for name in names:
            module = model.get_submodule(name)
            handles.append(module.register_forward_hook(partial(record, name)))
        yield recorded
    finally:
        for handle in handles:
            handle.remove()

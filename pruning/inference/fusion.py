"""The forward pass of a network as a list of operations, some of which compute several modules.

A fusion is a function from modules to one faster operation. `@fusion(kinds...)` registers it for
consecutive stages of these kinds; the first registered fusion that applies is used.
"""

import copy
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_weights

from pruning.inference.onednn import ConvolutionShape, fused_operations
from pruning.models.blocks import Add, ResidualBlock
from pruning.models.graph_network import IMAGE, GraphNetwork, Step, released_results
from pruning.models.stages import stages_of

Operation = Callable[[torch.Tensor], torch.Tensor]
Make = TypeVar("Make", bound=Callable[..., Operation])


@dataclass(frozen=True)
class Fusion:
    """A registered fusion of consecutive modules.

    Attributes
    ----------
    kinds : tuple of type
        Kinds of the modules, in order.
    applies : callable
        ``applies(*modules)`` is a further condition.
    make : callable
        Makes the operation that replaces the modules.
    """

    kinds: tuple[type[nn.Module], ...]
    applies: Callable[..., bool]
    make: Callable[..., Operation]

    def fits(self, stages: Sequence[nn.Module]) -> bool:
        """Whether the fusion applies to the first of these stages.

        Parameters
        ----------
        stages : sequence of nn.Module
            The stages that are still to be computed, in order.

        Returns
        -------
        bool
            True if kinds and condition are met.
        """
        if len(stages) < len(self.kinds):
            return False
        modules = stages[: len(self.kinds)]
        same_kinds = all(map(isinstance, modules, self.kinds))
        return same_kinds and self.applies(*modules)


_FUSIONS: list[Fusion] = []


def _always(*modules: nn.Module) -> bool:
    return True


def fusion(
    *kinds: type[nn.Module], applies: Callable[..., bool] = _always
) -> Callable[[Make], Make]:
    """Register the decorated function as the fusion of consecutive stages.

    Parameters
    ----------
    *kinds : type
        The module class of each stage, in order.
    applies : callable
        A further condition on the modules; they are its arguments.

    Returns
    -------
    callable
        A decorator, which returns the function unchanged.
    """

    def register(make: Make) -> Make:
        _FUSIONS.append(Fusion(kinds, applies, make))
        return make

    return register


@dataclass(frozen=True, eq=False)
class Part:
    """Consecutive stages that one operation computes.

    Parameters
    ----------
    stages : mapping from str to nn.Module
        The stages by name, in order. They are never modified.
    replacements : mapping from str to torch.Tensor
        The replaced parameters of these stages, by full name.
    make : callable
        The fusion: from the modules of the stages to the operation.
    """

    stages: Mapping[str, nn.Module]
    replacements: Mapping[str, torch.Tensor]
    make: Callable[..., Operation]

    def operation(self) -> Operation:
        """Make the operation, for eval mode and without gradients.

        Returns
        -------
        callable
            From the input of the first stage to the output of the last.
        """
        modules = [
            _with_replacements(name, stage, self.replacements)
            for name, stage in self.stages.items()
        ]
        return self.make(*modules)


def fuse(model: nn.Module, parameters: Mapping[str, torch.Tensor]) -> list[Part]:
    """Divide a network into parts, each computed by one operation.

    Parameters
    ----------
    model : nn.Module
        A network of named stages. It is not modified.
    parameters : mapping from str to torch.Tensor
        Replacements of some of its parameters and buffers, by name.

    Returns
    -------
    list of Part
        All stages, in order.
    """
    all_stages = stages_of(model)
    names, modules = list(all_stages), list(all_stages.values())
    parts = []
    start = 0
    while start < len(modules):
        chosen = _first_fusion(modules[start:])
        end = start + len(chosen.kinds)
        stages = dict(zip(names[start:end], modules[start:end], strict=True))
        replacements = _replacements_of(stages, parameters)
        parts.append(Part(stages, replacements, chosen.make))
        start = end
    return parts


def _replacements_of(
    stages: Mapping[str, nn.Module], parameters: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Return those of the parameters that are replaced in some stages."""
    replacements = {}
    for name, stage in stages.items():
        for key in tensors_of(name, stage):
            if key in parameters:
                replacements[key] = parameters[key]
    return replacements


def _first_fusion(stages: Sequence[nn.Module]) -> Fusion:
    return next(candidate for candidate in _FUSIONS if candidate.fits(stages))


def _with_replacements(
    name: str, stage: nn.Module, replacements: Mapping[str, torch.Tensor]
) -> nn.Module:
    """Copy the stage; the copy shares all tensors but the replaced ones.

    `torch.func.functional_call` would put the replacements into the shared network for the length
    of the call, where another thread would read them.
    """
    tensors = tensors_of(name, stage)
    if not any(key in replacements for key in tensors):
        return stage
    # deepcopy returns what its memo holds for an identifier instead of copying the tensor.
    memo = {id(tensor): replacements.get(key, tensor) for key, tensor in tensors.items()}
    return copy.deepcopy(stage, memo)


def tensors_of(name: str, stage: nn.Module) -> dict[str, torch.Tensor]:
    """Return the parameters and buffers of a stage.

    Parameters
    ----------
    name : str
        Name of the stage.
    stage : nn.Module
        The stage.

    Returns
    -------
    dict of str to torch.Tensor
        By their names in the network.
    """
    # A part of a graph has the full names of its modules.
    prefix = "" if isinstance(stage, GraphNetwork) else name
    return dict([*stage.named_parameters(prefix=prefix), *stage.named_buffers(prefix=prefix)])


def _can_fold(conv: nn.Module, norm: nn.Module) -> bool:
    """Whether the batch norm can be folded into the weights of the convolution."""
    return (
        isinstance(conv, nn.Conv2d)
        and conv.padding_mode == "zeros"
        and isinstance(norm, nn.BatchNorm2d)
        and norm.track_running_stats
        and norm.affine
    )


def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d, *, relu: bool) -> Callable[..., torch.Tensor]:
    """Fold a batch norm into its convolution: ``run(x, addend=None)``, with ReLU at the end.

    With oneDNN, convolution, batch norm, addition and ReLU are one pass over the output, not four.
    """
    assert norm.running_mean is not None and norm.running_var is not None
    folded = fuse_conv_bn_weights(
        conv.weight,
        conv.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )
    weight, bias = (tensor.detach() for tensor in folded)
    weight = weight.contiguous(memory_format=torch.channels_last)
    operations = fused_operations()
    is_supported = weight.dtype == torch.float32 and weight.numel() > 0
    if operations and is_supported and not isinstance(conv.padding, str):
        shape = ConvolutionShape(conv.padding, conv.stride, conv.dilation, conv.groups)
        return operations.conv2d(weight, bias, shape, relu=relu)

    def run(x: torch.Tensor, addend: torch.Tensor | None = None) -> torch.Tensor:
        y = F.conv2d(x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)
        if addend is not None:
            y = y + addend
        return F.relu(y) if relu else y

    return run


def _conv_can_fold(conv: nn.Conv2d, norm: nn.BatchNorm2d, relu: nn.ReLU) -> bool:
    return _can_fold(conv, norm)


@fusion(nn.Conv2d, nn.BatchNorm2d, nn.ReLU, applies=_conv_can_fold)
def _conv_norm_relu(conv: nn.Conv2d, norm: nn.BatchNorm2d, relu: nn.ReLU) -> Operation:
    return _fold(conv, norm, relu=True)


def _pools_by_two(conv: nn.Conv2d, pool: nn.MaxPool2d) -> bool:
    return (
        conv.stride == (1, 1)
        and conv.dilation == (1, 1)
        and conv.groups == 1
        and conv.padding_mode == "zeros"
        and not isinstance(conv.padding, str)
        and pool.kernel_size == pool.stride == 2
        and pool.padding == 0
        and pool.dilation == 1
        and not pool.ceil_mode
        and not pool.return_indices
    )


@fusion(nn.Conv2d, nn.MaxPool2d, applies=_pools_by_two)
def _conv_max_pool(conv: nn.Conv2d, pool: nn.MaxPool2d) -> Operation:
    """Convolution and 2x2 max pooling as the maximum of four convolutions of stride 2.

    Each computes one of the four pixels of a pooling window. Its kernel is the original one,
    shifted by 0 or 1 pixels in each direction and padded with zeros. These two modules take nine
    tenths of a LeNet-5's time on two cores.
    """
    weight = conv.weight.detach()
    outputs, inputs, height, width = weight.shape
    shifted = weight.new_zeros(2, 2, outputs, inputs, height + 1, width + 1)
    for down in (0, 1):
        for right in (0, 1):
            shifted[down, right, :, :, down : down + height, right : right + width] = weight
    shifted = shifted.flatten(0, 2)  # (4 x outputs, inputs, height + 1, width + 1)
    shifted = shifted.contiguous(memory_format=torch.channels_last)
    bias = None if conv.bias is None else conv.bias.detach().repeat(4)

    def run(x: torch.Tensor) -> torch.Tensor:
        y = F.conv2d(x, shifted, bias, stride=2, padding=conv.padding)
        y = torch.maximum(y[:, : 2 * outputs], y[:, 2 * outputs :])  # y: (N, 4 x outputs, H, W)
        return torch.maximum(y[:, :outputs], y[:, outputs:])

    return run


def _block_can_fold(block: ResidualBlock) -> bool:
    shortcut = block.shortcut
    return (
        _can_fold(block.conv1, block.bn1)
        and _can_fold(block.conv2, block.bn2)
        and (
            isinstance(shortcut, nn.Identity)
            or (isinstance(shortcut, nn.Sequential) and _can_fold(*shortcut))
        )
    )


@fusion(ResidualBlock, applies=_block_can_fold)
def _residual_block(block: ResidualBlock) -> Operation:
    first = _fold(block.conv1, block.bn1, relu=True)
    second = _fold(block.conv2, block.bn2, relu=True)
    shortcut: Operation = block.shortcut
    if isinstance(block.shortcut, nn.Sequential):
        conv, norm = block.shortcut
        assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        shortcut = _fold(conv, norm, relu=False)

    def run(x: torch.Tensor) -> torch.Tensor:
        return second(first(x), shortcut(x))

    return run


@fusion(GraphNetwork)
def _branches(network: GraphNetwork) -> Operation:
    """Parallel branches, in which convolution, batch norm, addition and ReLU are one pass."""
    operations = [each.operation() for each in _passes(network)]
    released = released_results(operations)
    result = network.steps[-1].name

    def run(x: torch.Tensor) -> torch.Tensor:
        results = {IMAGE: x}
        for operation in operations:
            inputs = [results[name] for name in operation.inputs]
            results[operation.name] = operation.apply(*inputs)
            del inputs
            for name in released[operation.name]:
                del results[name]
        return results[result]

    return run


@dataclass(frozen=True)
class _NamedOperation:
    """An operation of a graph, with the names of its inputs and of its result."""

    name: str
    inputs: tuple[str, ...]
    apply: Callable[..., torch.Tensor]


@dataclass
class _Pass:
    """A step of a graph; a convolution with its batch norm, an addition and a ReLU if they follow.

    The second input of a convolution is added to its output.
    """

    name: str
    inputs: tuple[str, ...]
    module: nn.Module
    norm: nn.BatchNorm2d | None = None
    relu: bool = False

    @property
    def is_open(self) -> bool:
        """Whether an addition or a ReLU can be joined."""
        return self.norm is not None and not self.relu

    def operation(self) -> _NamedOperation:
        """Make the operation."""
        if self.norm is None:
            return _NamedOperation(self.name, self.inputs, self.module)
        assert isinstance(self.module, nn.Conv2d)
        folded = _fold(self.module, self.norm, relu=self.relu)
        return _NamedOperation(self.name, self.inputs, folded)


def _passes(network: GraphNetwork) -> list[_Pass]:
    """Join batch norms, additions and ReLUs to the convolutions before them."""
    readers: Counter[str] = Counter()
    for step in network.steps:
        readers.update(step.inputs)
    passes: dict[str, _Pass] = {}
    for step in network.steps:
        module = network.get_submodule(step.name)
        # An addition is joined to the operand that is computed last: the other one is there then.
        produced = [passes[name] for name in passes if name in step.inputs and readers[name] == 1]
        before = produced[-1] if produced else None
        joined = None if before is None else _joined(before, step, module)
        if before is not None and joined is not None:
            del passes[before.name]
        passes[step.name] = joined or _Pass(step.name, step.inputs, module)
    return list(passes.values())


def _joined(before: _Pass, step: Step, module: nn.Module) -> _Pass | None:
    """Join a step to the pass before it, if one operation computes both."""
    if isinstance(module, nn.BatchNorm2d):
        is_plain = before.norm is None and _can_fold(before.module, module)
        return replace(before, name=step.name, norm=module) if is_plain else None
    if isinstance(module, nn.ReLU) and before.is_open:
        return replace(before, name=step.name, relu=True)
    if isinstance(module, Add) and before.is_open and len(before.inputs) == 1:
        [other] = [name for name in step.inputs if name != before.name] or [before.name]
        if other != before.name:
            return replace(before, name=step.name, inputs=(*before.inputs, other))
    return None


@fusion(nn.Module)
def _unfused(stage: nn.Module) -> Operation:
    """The stage itself; registered last, so that it applies where no other fusion does."""
    return stage

"""A network, with some parameters replaced, as the steps in which it is computed: some of its modules in one, and faster."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_weights

from pruning.models.resnet import ResidualBlock

Step = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, eq=False)
class Part:
    """What one step does: the network's ``stages``, by name; ``own``: the replacements that are in them, by full name."""

    stages: Mapping[str, nn.Module]
    own: Mapping[str, torch.Tensor]
    make: Callable[..., Step]

    def step(self) -> Step:
        """The stages, in eval mode, stay as they are: those with replacements are copied. No gradients."""
        return self.make(*(_replaced(name, stage, self.own) for name, stage in self.stages.items()))


def parts(model: nn.Sequential, parameters: Mapping[str, torch.Tensor]) -> list[Part]:
    """The network's steps in order."""
    stages, found = list(model.named_children()), []
    while stages:
        count, make = next(
            (count, make)
            for count, fits, make in _KINDS
            if len(stages) >= count and fits(*(stage for _, stage in stages[:count]))
        )
        these, stages = dict(stages[:count]), stages[count:]
        found.append(
            Part(
                these,
                {key: value for key, value in parameters.items() if key.partition(".")[0] in these},
                make,
            )
        )
    return found


def _replaced(name: str, stage: nn.Module, own: Mapping[str, torch.Tensor]) -> nn.Module:
    """A copy of the stage that shares all its tensors but the replaced ones.

    `torch.func.functional_call` would put the replacements into the shared network for the length of the call, where
    another visitor's thread finds them.
    """
    tensors = (*stage.named_parameters(prefix=name), *stage.named_buffers(prefix=name))
    if not any(key in own for key, _ in tensors):
        return stage
    return copy.deepcopy(stage, {id(tensor): own.get(key, tensor) for key, tensor in tensors})


def _pools(conv: nn.Module, pool: nn.Module) -> bool:
    return (
        isinstance(conv, nn.Conv2d)
        and conv.stride == (1, 1)
        and conv.dilation == (1, 1)
        and conv.groups == 1
        and conv.padding_mode == "zeros"
        and isinstance(pool, nn.MaxPool2d)
        and pool.kernel_size == pool.stride == 2
        and pool.padding == 0
    )


def _pooled(conv: nn.Conv2d, pool: nn.MaxPool2d) -> Step:
    """Convolution and 2x2 max-pooling: four convolutions of stride 2, one for each pixel of a pool, and their maximum.

    The kernel, moved by 0 or 1 in each direction, gives four kernels that are one larger; the rest of them is zero.
    On two cores the two take nine tenths of a LeNet-5's time.
    """
    weight = conv.weight.detach()
    outputs, inputs, height, width = weight.shape
    moved = weight.new_zeros(2, 2, outputs, inputs, height + 1, width + 1)
    for down in (0, 1):
        for right in (0, 1):
            moved[down, right, :, :, down : down + height, right : right + width] = weight
    moved = moved.flatten(0, 2).contiguous(
        memory_format=torch.channels_last
    )  # (4 x outputs, inputs, ...)
    bias = None if conv.bias is None else conv.bias.detach().repeat(4)

    def step(x: torch.Tensor) -> torch.Tensor:
        y = F.conv2d(
            x, moved, bias, stride=2, padding=conv.padding
        )  # (N, 4 x outputs, H / 2, W / 2)
        y = torch.maximum(y[:, : 2 * outputs], y[:, 2 * outputs :])
        return torch.maximum(y[:, :outputs], y[:, outputs:])

    return step


def _normed(conv: nn.Module, norm: nn.Module) -> bool:
    return (
        isinstance(conv, nn.Conv2d)
        and conv.padding_mode == "zeros"
        and isinstance(norm, nn.BatchNorm2d)
        and norm.track_running_stats
        and norm.affine
    )


def _folded(conv: nn.Conv2d, norm: nn.BatchNorm2d, rectified: bool) -> Callable[..., torch.Tensor]:
    """Convolution and batch norm as one convolution, what is to be added to it, and ReLU: one pass over the output, not four."""
    weight, bias = (
        tensor.detach()
        for tensor in fuse_conv_bn_weights(
            conv.weight,
            conv.bias,
            norm.running_mean,
            norm.running_var,
            norm.eps,
            norm.weight,
            norm.bias,
        )
    )
    weight = weight.contiguous(memory_format=torch.channels_last)
    shape = conv.padding, conv.stride, conv.dilation, conv.groups
    if weight.dtype == torch.float32 and weight.numel() and torch.backends.mkldnn.is_available():
        return _fused(weight, bias, shape, rectified)

    def step(x: torch.Tensor, plus: torch.Tensor | None = None) -> torch.Tensor:
        y = F.conv2d(x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)
        y = y if plus is None else y + plus
        return F.relu(y) if rectified else y

    return step


def _fused(
    weight: torch.Tensor, bias: torch.Tensor, shape: tuple, rectified: bool
) -> Callable[..., torch.Tensor]:
    """The same in one operation, of those that PyTorch's own compiler uses: it has no other name for them."""
    weight = torch._C._nn.mkldnn_reorder_conv2d_weight(weight.to_mkldnn(), *shape)
    one, two = (
        torch.ops.mkldnn._convolution_pointwise,
        torch.ops.mkldnn._convolution_pointwise.binary,
    )

    def step(x: torch.Tensor, plus: torch.Tensor | None = None) -> torch.Tensor:
        if plus is None:
            return one(x, weight, bias, *shape, "relu" if rectified else "none", [], "")
        return two(
            x, plus, weight, bias, *shape, "add", 1.0, "relu" if rectified else None, [], None
        )

    return step


def _is_block(stage: nn.Module) -> bool:
    return (
        isinstance(stage, ResidualBlock)
        and _normed(stage.conv1, stage.bn1)
        and _normed(stage.conv2, stage.bn2)
        and (
            isinstance(stage.shortcut, nn.Identity)
            or isinstance(stage.shortcut, nn.Sequential)
            and _normed(*stage.shortcut)
        )
    )


def _block(block: ResidualBlock) -> Step:
    first, second = (
        _folded(block.conv1, block.bn1, rectified=True),
        _folded(block.conv2, block.bn2, rectified=True),
    )
    shortcut = (
        block.shortcut
        if isinstance(block.shortcut, nn.Identity)
        else _folded(*block.shortcut, rectified=False)
    )
    return lambda x: second(first(x), shortcut(x))


# How many stages, whether a step can be made of them, and how: the first that fits is taken.
_KINDS = (
    (
        3,
        lambda conv, norm, relu: _normed(conv, norm) and isinstance(relu, nn.ReLU),
        lambda conv, norm, relu: _folded(conv, norm, rectified=True),
    ),
    (2, _pools, _pooled),
    (1, _is_block, _block),
    (1, lambda stage: True, lambda stage: stage),
)

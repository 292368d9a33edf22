"""PyTorch's private oneDNN operations: convolution, addition and ReLU in one pass over the output.

`torch.compile` uses them; there is no public name for them. Any release of PyTorch may rename
them, so they are looked up and tried once, and `fused_operations` returns None if they fail.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter

import torch
from cachetools import cached
from torch.nn import functional as F

_PACK_WEIGHT = "_C._nn.mkldnn_reorder_conv2d_weight"
_CONVOLUTION = "ops.mkldnn._convolution_pointwise"
_CONVOLUTION_ADD = "ops.mkldnn._convolution_pointwise.binary"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConvolutionShape:
    """How a convolution moves over its input, in the order of oneDNN's arguments.

    Attributes
    ----------
    padding, stride, dilation : tuple of int
        Height and width.
    groups : int
        Number of groups of channels.
    """

    padding: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    @property
    def arguments(self) -> tuple:
        """Arguments of the oneDNN operations: padding, stride, dilation, groups."""
        return self.padding, self.stride, self.dilation, self.groups


@dataclass(frozen=True)
class FusedOperations:
    """The three private operations.

    Attributes
    ----------
    pack_weight : callable
        Brings a weight into oneDNN's memory format.
    convolution, convolution_add : callable
        Convolution without and with the addition of another tensor.
    """

    pack_weight: Callable
    convolution: Callable
    convolution_add: Callable

    def conv2d(
        self, weight: torch.Tensor, bias: torch.Tensor, shape: ConvolutionShape, *, relu: bool
    ) -> Callable[..., torch.Tensor]:
        """Make a convolution of packed weights, with an optional sum and ReLU.

        Parameters
        ----------
        weight : torch.Tensor
            Kernels in float32, of shape (outputs, inputs / groups, height, width).
        bias : torch.Tensor
            Biases, of shape (outputs,).
        shape : ConvolutionShape
            Padding, stride, dilation and groups.
        relu : bool
            Whether ReLU is applied at the end.

        Returns
        -------
        callable
            ``run(x, addend=None)``: the convolution of ``x``, plus ``addend``, and ReLU.
        """
        arguments = shape.arguments
        packed = self.pack_weight(weight.to_mkldnn(), *arguments)
        convolution, convolution_add = self.convolution, self.convolution_add
        unary = "relu" if relu else "none"
        unary_after_add = "relu" if relu else None

        def run(x: torch.Tensor, addend: torch.Tensor | None = None) -> torch.Tensor:
            if addend is None:
                return convolution(x, packed, bias, *arguments, unary, [], "")
            return convolution_add(
                x, addend, packed, bias, *arguments, "add", 1.0, unary_after_add, [], None
            )

        return run


def missing_symbols() -> list[str]:
    """List the private operations that this PyTorch does not have.

    Returns
    -------
    list of str
        Full names, such as ``torch.ops.mkldnn._convolution_pointwise``; empty if all are there.
    """
    return [
        f"torch.{symbol}"
        for symbol in (_PACK_WEIGHT, _CONVOLUTION, _CONVOLUTION_ADD)
        if not _has_symbol(symbol)
    ]


@cached({}, condition=threading.Condition())  # two threads at once would log the warning twice
def fused_operations() -> FusedOperations | None:
    """Look up the private operations and try them; the result is cached for the process.

    Returns
    -------
    FusedOperations or None
        None where PyTorch was built without oneDNN, where an operation is missing, and where one
        computes something else; the last two are logged as one warning.
    """
    if not torch.backends.mkldnn.is_available():
        return None
    missing = missing_symbols()
    if missing:
        _logger.warning(
            "this PyTorch (%s) has no %s: convolutions are computed without fusion, more slowly",
            torch.__version__,
            ", ".join(missing),
        )
        return None
    operations = FusedOperations(
        attrgetter(_PACK_WEIGHT)(torch),
        attrgetter(_CONVOLUTION)(torch),
        attrgetter(_CONVOLUTION_ADD)(torch),
    )
    problem = _problem_of(operations)
    if problem:
        _logger.warning(
            "the oneDNN operations of this PyTorch (%s) failed their test: %s; "
            "convolutions are computed without fusion, more slowly",
            torch.__version__,
            problem,
        )
        return None
    return operations


def _has_symbol(symbol: str) -> bool:
    try:
        attrgetter(symbol)(torch)
    except (AttributeError, RuntimeError):
        return False
    return True


def _problem_of(operations: FusedOperations) -> str | None:
    """Compare a tiny convolution with PyTorch's own; None if all results agree."""
    weight = torch.linspace(-1, 1, 18).view(1, 2, 3, 3)
    bias = torch.tensor([0.25])
    x = torch.linspace(-2, 1, 32).view(1, 2, 4, 4)
    shape = ConvolutionShape((1, 1), (1, 1), (1, 1), 1)
    expected = F.conv2d(x, weight, bias, padding=1)
    addend = torch.linspace(-3, 3, 16).view(1, 1, 4, 4)
    try:
        for relu in (False, True):
            run = operations.conv2d(weight, bias, shape, relu=relu)
            finish = F.relu if relu else torch.clone
            if not torch.allclose(run(x), finish(expected), atol=1e-4):
                return f"torch.{_CONVOLUTION} gives other values"
            if not torch.allclose(run(x, addend), finish(expected + addend), atol=1e-4):
                return f"torch.{_CONVOLUTION_ADD} gives other values"
    except (RuntimeError, TypeError) as error:
        return str(error).partition("\n")[0]
    return None

"""How long networks really take, and how much memory their activations need."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from pruning.models.resnet import ResidualBlock


@dataclass(frozen=True)
class Latency:
    """Seconds for one batch: the median of ``runs``, and the quartiles."""

    batch: int
    median: float
    low: float
    high: float
    runs: int


def latencies(
    networks: Mapping[str, nn.Module],
    channels: int,
    size: int,
    batch: int,
    *,
    seconds: float = 1.0,
    least: int = 15,
    report: Callable[[], None] = lambda: None,
) -> dict[str, Latency]:
    """Each network on the same random images, in turns, so that a noisy machine hits them all.

    At least ``least`` runs each, and more until ``seconds`` are over. ``report`` is called between turns; what it raises
    ends the work.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, channels, size, size, generator=generator).to(
        memory_format=torch.channels_last
    )
    taken: dict[str, list[float]] = {name: [] for name in networks}
    until = time.perf_counter() + seconds
    with torch.inference_mode():
        for network in networks.values():
            network(x)  # the first call allocates
        while len(min(taken.values(), key=len)) < least or time.perf_counter() < until:
            for name, network in networks.items():
                began = time.perf_counter()
                network(x)
                taken[name].append(time.perf_counter() - began)
            report()
    return {name: _summary(batch, times) for name, times in taken.items()}


def _summary(batch: int, times: list[float]) -> Latency:
    low, median, high = statistics.quantiles(times, n=4)
    return Latency(batch, median, low, high, len(times))


def peak_activations(model: nn.Module, channels: int, size: int) -> int:
    """The most bytes of activations that are needed at once for one image: a step's input and output and, inside a
    residual block, what waits meanwhile: the block's input for the shortcut, then its own path for the addition."""
    most, waiting = 0, None  # waiting: the input of the block, then the output of its own path

    def step(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal most
        live = {
            t.data_ptr(): t[0].numel() * t.element_size()
            for t in (*inputs, output, waiting)
            if t is not None
        }
        most = max(most, sum(live.values()))

    def enter(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        nonlocal waiting
        waiting = inputs[0]

    def turn(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal waiting
        waiting = output

    def leave(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal waiting
        waiting = None

    hooks = []
    for module in model.modules():
        if isinstance(module, ResidualBlock):
            hooks += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]
        if not list(module.children()):
            hooks.append(module.register_forward_hook(step))
    hooks += [
        block.bn2.register_forward_hook(turn)
        for block in model.modules()
        if isinstance(block, ResidualBlock)
    ]  # after `step`
    with torch.no_grad():
        model(torch.zeros(1, channels, size, size, dtype=next(model.parameters()).dtype))
    for hook in hooks:
        hook.remove()
    return most

"""Measured latency of networks on this machine."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from pruning.runtime.progress import ignore_progress

MeasurementCallback = Callable[[], None]
"""Called between measurements; an exception that it raises ends the work."""


@dataclass(frozen=True)
class Latency:
    """Seconds of one forward pass.

    Parameters
    ----------
    batch
        Number of images of the forward pass.
    median, low, high
        Median, lower quartile and upper quartile of the measured times, in seconds.
    runs
        Number of measured forward passes.
    """

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
    min_runs: int = 15,
    report: MeasurementCallback = ignore_progress,
) -> dict[str, Latency]:
    """Measure the latency of several networks on the same random images.

    The networks run in turns, so that disturbances of the machine affect all of them equally.

    Parameters
    ----------
    networks
        Networks in eval mode, by name.
    channels, size
        Channels, and height and width, of the images.
    batch
        Number of images of a forward pass.
    seconds
        Minimum duration of the measurement, all networks together.
    min_runs
        Minimum number of forward passes of each network.
    report
        Called after each round; an exception that it raises ends the measurement.

    Returns
    -------
    dict of str to Latency
        The latency of each network, by name.
    """
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch, channels, size, size, generator=generator)
    images = images.to(memory_format=torch.channels_last)
    times: dict[str, list[float]] = {name: [] for name in networks}
    rounds = 0
    deadline = time.perf_counter() + seconds
    with torch.inference_mode():
        for network in networks.values():
            network(images)  # warm-up: the first forward pass allocates memory
        while rounds < min_runs or time.perf_counter() < deadline:
            for name, network in networks.items():
                start = time.perf_counter()
                network(images)
                times[name].append(time.perf_counter() - start)
            rounds += 1
            report()
    return {name: _summarize(batch, values) for name, values in times.items()}


def _summarize(batch: int, times: list[float]) -> Latency:
    low, median, high = statistics.quantiles(times, n=4)
    return Latency(batch=batch, median=median, low=low, high=high, runs=len(times))

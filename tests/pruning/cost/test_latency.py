import pytest
import torch
from torch import nn

from pruning.cost.latency import latencies


class Recorder(nn.Module):
    """Records its forward passes in a list that it shares with others."""

    def __init__(self, name: str, calls: list[str]):
        super().__init__()
        self.name = name
        self.calls = calls

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls.append(self.name)
        return x


def test_networks_are_measured_in_turns():
    calls: list[str] = []
    networks = {name: Recorder(name, calls) for name in ("a", "b")}
    measured = latencies(networks, 1, 28, 2, seconds=0.0, min_runs=15)
    assert calls == ["a", "b"] * 16  # one warm-up each
    first = measured["a"]
    assert (first.batch, first.runs) == (2, 15) and first.low <= first.median <= first.high


def test_a_measurement_lasts_at_least_as_long_as_asked_for():
    calls: list[str] = []
    measured = latencies({"a": Recorder("a", calls)}, 1, 28, 1, seconds=0.05, min_runs=1)
    assert measured["a"].runs > 15 and len(calls) == measured["a"].runs + 1


def test_an_exception_of_report_ends_the_measurement():
    calls: list[str] = []

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        latencies({"a": Recorder("a", calls)}, 1, 28, 1, report=stop)
    assert calls == ["a", "a"]

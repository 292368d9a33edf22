"""The weights of a run, epoch by epoch, with a slider and a play button in the figure."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pruning.figures.parts import HIGHLIGHT, KEPT, SHARE_SCALE, Trace
from pruning.training.record import EpochRecord, histogram_edges

FRAME_MS = 400
HEIGHT = 480


def run_film(records: Sequence[EpochRecord], deviation: float) -> go.Figure:
    """Draw the histogram of the remaining weights, and the sparsity of each layer.

    Parameters
    ----------
    records : sequence of EpochRecord
        At least one.
    deviation : float
        Standard deviation of the weights before the run, see `histogram_edges`.

    Returns
    -------
    go.Figure
        A frame for each epoch; the last one is shown at first.
    """
    edges = histogram_edges(deviation)
    figure = make_subplots(
        1,
        2,
        subplot_titles=("Remaining weights", "Sparsity by layer and epoch"),
        horizontal_spacing=0.16,
        column_widths=[0.5, 0.5],
    )
    last = records[-1]
    figure.add_trace(_histogram(last, edges), 1, 1)
    figure.add_trace(_heatmap(records), 1, 2)
    figure.add_trace(_marker(last), 1, 2)
    figure.frames = [_frame(record, edges) for record in records]
    highest = max(max(record.histogram) for record in records)
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 62, "r": 12, "t": 88, "b": 120},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        showlegend=False,
        bargap=0,
        sliders=[_slider(records)],
        updatemenus=[_play_button()],
    )
    figure.update_xaxes(title="weight", row=1, col=1, zeroline=False)
    figure.update_yaxes(
        title="number in bin", range=[0, 1.05 * max(1, highest)], tickformat="~s", row=1, col=1
    )
    figure.update_xaxes(title="epoch", showgrid=False, row=1, col=2)
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category", row=1, col=2)
    return figure


def _histogram(record: EpochRecord, edges: np.ndarray) -> Trace:
    return {
        "type": "bar",
        "x": ((edges[:-1] + edges[1:]) / 2).astype(np.float32),
        "y": list(record.histogram),
        "marker": {"color": KEPT, "line": {"width": 0}},
        "hovertemplate": "%{y:,} weights near %{x:.4g}<extra></extra>",
    }


def _heatmap(records: Sequence[EpochRecord]) -> Trace:
    layers = list(records[0].layer_sparsity)
    rows = []
    for layer in layers:
        rows.append([record.layer_sparsity[layer] for record in records])
    return {
        "type": "heatmap",
        "z": np.array(rows, np.float32),
        "x": [record.epoch for record in records],
        "y": layers,
        **SHARE_SCALE,
        "colorbar": {"title": {"text": "sparsity"}, "tickformat": ".0%", "thickness": 12},
        "hovertemplate": "%{y}, epoch %{x}: %{z:.1%} of the weights removed<extra></extra>",
    }


def _marker(record: EpochRecord) -> Trace:
    """Mark the epoch of the histogram above the heatmap."""
    layers = list(record.layer_sparsity)
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [record.epoch, record.epoch],
        "y": [layers[0], layers[-1]],
        "line": {"color": HIGHLIGHT, "width": 3},
        "hoverinfo": "skip",
    }


def _frame(record: EpochRecord, edges: np.ndarray) -> go.Frame:
    return go.Frame(
        name=str(record.epoch),
        data=[_histogram(record, edges), _marker(record)],
        traces=[0, 2],
    )


def _slider(records: Sequence[EpochRecord]) -> dict[str, Any]:
    steps = []
    for record in records:
        label = str(record.epoch)
        arguments = [[label], {"mode": "immediate", "frame": {"duration": 0}}]
        steps.append({"label": label, "method": "animate", "args": arguments})
    return {
        "active": len(records) - 1,
        "steps": steps,
        "currentvalue": {"prefix": "epoch "},
        "x": 0.0,
        "len": 1.0,
        "y": -0.18,
        "pad": {"t": 10},
    }


def _play_button() -> dict[str, Any]:
    settings = {"frame": {"duration": FRAME_MS}, "fromcurrent": False, "mode": "immediate"}
    return {
        "type": "buttons",
        "showactive": False,
        "x": 0.0,
        "y": 1.27,
        "xanchor": "left",
        "yanchor": "top",
        "buttons": [{"label": "▶ Play", "method": "animate", "args": [None, settings]}],
    }


def alt_of_run_film(records: Sequence[EpochRecord]) -> str:
    """Describe `run_film` in words.

    Parameters
    ----------
    records : sequence of EpochRecord
        At least one.

    Returns
    -------
    str
        Epochs and the sparsity of each layer after the last.
    """
    layers = []
    for name, sparsity in records[-1].layer_sparsity.items():
        layers.append(f"{name} {sparsity:.0%}")
    return (
        f"Histogram of the remaining weights and sparsity of each layer after each of "
        f"{len(records)} epochs; after the last one: {', '.join(layers)}."
    )

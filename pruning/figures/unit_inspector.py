"""One unit: its weights, and what it does on a few images."""

import numpy as np
import plotly.graph_objects as go

from pruning.figures.parts import KEPT, layout

MOST = 12  # kernels that are drawn side by side


def weights(values: np.ndarray) -> go.Figure:
    """``values`` (inputs,) as a line, or (inputs, height, width) as kernels side by side, at most 12."""
    if values.ndim == 1:
        bars = {
            "type": "scatter",
            "mode": "lines",
            "x": np.arange(len(values)),
            "y": values.astype(np.float32),
            "line": {"color": KEPT, "width": 1},
            "hovertemplate": "input %{x}: %{y:.4f}<extra></extra>",
        }
        return go.Figure([bars], layout(x={"title": "input"}, y={"title": "weight"}, height=230))
    shown = values[:MOST]
    count, height, width = shown.shape
    row = (
        np.pad(shown, ((0, 0), (0, 0), (0, 1)), constant_values=np.nan)
        .transpose(1, 0, 2)
        .reshape(height, -1)[:, :-1]
    )
    limit = float(np.abs(shown).max()) or 1.0
    picture = {
        "type": "heatmap",
        "z": row.astype(np.float32),
        "colorscale": "RdBu",
        "zmin": -limit,
        "zmax": limit,
        "colorbar": {"title": {"text": "weight", "side": "right"}, "thickness": 12},
        "hovertemplate": "%{z:.4f}<extra></extra>",
    }
    ticks = np.arange(count) * (width + 1) + (width - 1) / 2
    of = f" (first {MOST} of {len(values)})" if len(values) > MOST else ""
    return go.Figure(
        [picture],
        layout(
            x={
                "title": f"input channel{of}",
                "tickvals": ticks,
                "ticktext": [str(i) for i in range(count)],
                "showgrid": False,
            },
            y={
                "title": "kernel row",
                "autorange": "reversed",
                "scaleanchor": "x",
                "showgrid": False,
                "constrain": "domain",
                "showticklabels": False,
            },
            height=230,
            right=84,
        ),
    )


def activations(images: np.ndarray, values: np.ndarray) -> go.Figure:
    """Grey ``images`` (n, C, H, W) uint8 above what the unit does on each: maps (n, h, w), or numbers (n,)."""
    pictures = images.mean(1)  # (n, H, W)
    count, size, _ = pictures.shape
    gap = 2
    width = size + gap
    traces = [
        _map(
            np.pad(pictures, ((0, 0), (0, 0), (0, gap)), constant_values=np.nan),
            "gray",
            0,
            255,
            "y2",
        )
    ]
    texts = []
    if values.ndim == 3:
        repeated = [
            np.repeat(np.repeat(v, -(-size // v.shape[0]), 0), -(-size // v.shape[1]), 1)[
                :size, :size
            ]
            for v in values
        ]
        top = float(values.max()) or 1.0
        traces.append(
            _map(
                np.pad(np.stack(repeated), ((0, 0), (0, 0), (0, gap)), constant_values=np.nan),
                "Cividis",
                min(0.0, float(values.min())),
                top,
                "y",
                "activation",
            )
        )
    else:
        traces.append(
            {
                "type": "bar",
                "x": np.arange(count) * width + size / 2,
                "y": values.astype(np.float32),
                "width": size * 0.6,
                "marker": {"color": KEPT},
                "hovertemplate": "%{y:.3f}<extra></extra>",
                "showlegend": False,
            }
        )
    plain = {"showticklabels": False, "showgrid": False, "ticks": "", "zeroline": False}
    figure = layout(
        x={"title": "calibration images", "range": [-1, count * width - gap]} | plain,
        y={"title": "activation", "domain": [0, 0.48], "showgrid": False}
        | ({"autorange": "reversed", "showticklabels": False} if values.ndim == 3 else {}),
        height=300,
        right=84,
        annotations=texts,
    )
    figure["yaxis2"] = {
        "domain": [0.52, 1],
        "autorange": "reversed",
        "title": {"text": "image"},
    } | plain
    return go.Figure(traces, figure)


def _map(
    pictures: np.ndarray, scale: str, low: float, high: float, axis: str, title: str = ""
) -> dict:
    row = pictures.transpose(1, 0, 2).reshape(pictures.shape[1], -1)
    bar = (
        {
            "colorbar": {
                "title": {"text": title, "side": "right"},
                "thickness": 12,
                "len": 0.5,
                "y": 0.24,
            }
        }
        if title
        else {"showscale": False}
    )
    return {
        "type": "heatmap",
        "z": row.astype(np.float32),
        "colorscale": scale,
        "zmin": low,
        "zmax": high,
        "yaxis": axis,
        **bar,
        "hoverinfo": "z" if title else "skip",
    }

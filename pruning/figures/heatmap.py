"""Where the removed weights are: a row per layer, its output units from left to right."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from pruning.figures.parts import MARK, SHARE, layout

COLUMNS = 60


def heatmap(shares: Mapping[str, np.ndarray], chosen: tuple[str, int] | None = None) -> go.Figure:
    """``shares`` gives for each layer the share of removed weights of each output unit, (units,).

    Each row is as wide as the picture: a layer with more than 60 units is binned (mean), one with fewer repeats. An
    invisible point over each unit or bin can be clicked: its ``customdata`` is [layer, first unit]. ``chosen`` is marked.
    """
    rows, texts, points = [], [], []
    for name, values in shares.items():
        edges = np.arange(COLUMNS + 1) * len(values) // COLUMNS
        starts, ends = edges[:-1], np.maximum(edges[1:], edges[:-1] + 1)
        sums = np.concatenate([[0.0], np.cumsum(values)])
        row = (sums[ends] - sums[starts]) / (ends - starts)
        rows.append(row)
        for start in dict.fromkeys(starts.tolist()):
            places = np.flatnonzero(starts == start)
            end = int(ends[places[0]])
            points.append((float(places.mean()), name, start))
            texts.append(
                f"{name}, unit {start}"
                + (f" to {end - 1}" if end > start + 1 else "")
                + f" of {len(values)}: {row[places[0]]:.1%} removed"
            )
    labels = list(shares)
    picture = {
        "type": "heatmap",
        "z": np.array(rows, np.float32),
        "y": labels,
        "ygap": 1,
        **SHARE,
        "hoverinfo": "skip",
        "colorbar": {
            "title": {"text": "share removed", "side": "right"},
            "tickformat": ".0%",
            "thickness": 12,
        },
    }
    clicks = {
        "type": "scatter",
        "mode": "markers",
        "x": np.array([x for x, _, _ in points], np.float32),
        "y": [name for _, name, _ in points],
        "customdata": [[name, unit] for _, name, unit in points],
        "text": texts,
        "marker": {"size": 14, "opacity": 0, "symbol": "square"},
        "hovertemplate": "%{text}<extra></extra>",
        "showlegend": False,
    }
    marks = [
        (x, name) for x, name, unit in points if chosen and name == chosen[0] and unit <= chosen[1]
    ][-1:]
    mark = {
        "type": "scatter",
        "mode": "markers",
        "x": [x for x, _ in marks],
        "y": [name for _, name in marks],
        "marker": {"size": 13, "color": "rgba(0,0,0,0)", "line": {"color": MARK, "width": 2.5}},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    return go.Figure(
        [picture, clicks, mark],
        layout(
            x={
                "title": "output units of the layer, first to last",
                "showticklabels": False,
                "ticks": "",
                "showgrid": False,
                "range": [-0.5, COLUMNS - 0.5],
            },
            y={
                "title": "layer",
                "autorange": "reversed",
                "showgrid": False,
                "type": "category",
                "dtick": 1,
                "tickfont": {"size": 11},
            },
            hoverdistance=60,
            hovermode="closest",
            height=max(300, 90 + 17 * len(labels)),
            left=34 + 6 * max(map(len, labels)),
            right=84,
        ),
    )


def pixels(scores: np.ndarray) -> go.Figure:
    """The scores of input pixels, (channels or 1, H, W), mean over channels; NaN where an earlier step removed them."""
    values = scores.mean(0).astype(np.float32)
    height, width = values.shape
    rows, columns = np.indices(values.shape)
    picture = {
        "type": "heatmap",
        "z": values,
        "colorscale": "Cividis",
        "hoverinfo": "skip",
        "colorbar": {"title": {"text": "score", "side": "right"}, "thickness": 12},
    }
    clicks = {
        "type": "scatter",
        "mode": "markers",
        "x": columns.ravel().astype(np.uint8),
        "y": rows.ravel().astype(np.uint8),
        "customdata": [["input", i] for i in range(values.size)],
        "marker": {"size": 8, "opacity": 0},
        "showlegend": False,
        "text": [
            f"row {r}, column {c}: {v:.4g}"
            for r, c, v in zip(rows.ravel(), columns.ravel(), values.ravel())
        ],
        "hovertemplate": "%{text}<extra></extra>",
    }
    plain = {"showgrid": False, "constrain": "domain"}
    return go.Figure(
        [picture, clicks],
        layout(
            x={"title": "pixel column", "range": [-0.5, width - 0.5]} | plain,
            hovermode="closest",
            height=300,
            right=84,
            y={"title": "pixel row", "range": [height - 0.5, -0.5], "scaleanchor": "x"} | plain,
        ),
    )


def alt(shares: Mapping[str, np.ndarray]) -> str:
    told = "; ".join(
        f"{name} {values.mean():.0%} (unit by unit {values.min():.0%} to {values.max():.0%})"
        for name, values in shares.items()
    )
    return f"Heatmap of the share of removed weights per layer and output unit: {told}."

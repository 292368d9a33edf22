"""What the accuracy loses when one layer alone is pruned."""

import numpy as np
import plotly.graph_objects as go

from pruning.experiments.sensitivity import Scan
from pruning.figures.parts import QUIET, layout


def heatmap(found: Scan, chosen: dict[str, float] | None = None) -> go.Figure:
    """A row per layer, a column per level; ``chosen`` {layer: level} are marked."""
    table = found.accuracies
    z = table.to_numpy(np.float32)
    picture = {
        "type": "heatmap",
        "z": z,
        "x": [f"{level:.0%}" for level in found.levels],
        "y": list(found.layers),
        "colorscale": "Cividis",
        "zmin": 0,
        "zmax": 1,
        "xgap": 1,
        "ygap": 1,
        "texttemplate": "%{text}",
        "textfont": {"size": 10},
        "text": [["" if np.isnan(v) else f"{100 * v:.0f}" for v in row] for row in z],
        "customdata": _told(found),
        "colorbar": {
            "title": {"text": "validation accuracy", "side": "right"},
            "tickformat": ".0%",
            "thickness": 12,
        },
        "hovertemplate": "%{y}, %{x} removed: %{customdata}<extra></extra>",
    }
    marks = [(f"{level:.0%}", layer) for layer, level in (chosen or {}).items() if level]
    mark = {
        "type": "scatter",
        "mode": "markers",
        "x": [x for x, _ in marks],
        "y": [y for _, y in marks],
        "hoverinfo": "skip",
        "marker": {"symbol": "square-open", "size": 16, "color": "#D55E00", "line": {"width": 2.5}},
        "showlegend": False,
    }
    return go.Figure(
        [picture, mark],
        layout(
            x={"title": "sparsity of the layer alone", "type": "category", "showgrid": False},
            right=84,
            y={
                "title": "layer",
                "type": "category",
                "autorange": "reversed",
                "dtick": 1,
                "showgrid": False,
            },
            height=max(320, 90 + 20 * len(found.layers)),
            left=64 + 7 * max(map(len, found.layers)),
        ),
    )


def _told(found: Scan) -> list[list[str]]:
    return [
        ["not yet" if p is None else f"{p.accuracy.value:.2%} of {p.tally.images:,}" for p in row]
        for row in found.points
    ]


def curves(found: Scan) -> go.Figure:
    """A line per layer, from the image (blue) to the classifier (yellow)."""
    import plotly.colors

    place = np.linspace(0.25, 0.95, len(found.layers))
    colours = plotly.colors.sample_colorscale("Viridis", list(place))
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": layer,
            "line": {"color": colour, "width": 2},
            "marker": {"size": 5},
            "x": [level for level, p in zip(found.levels, row) if p],
            "y": [p.accuracy.value for p in row if p],
            "hovertemplate": f"{layer}, " + "%{x:.0%} removed: %{y:.2%}<extra></extra>",
        }
        for layer, row, colour in zip(found.layers, found.points, colours)
    ]
    dense = (
        []
        if found.dense is None
        else [
            {
                "type": "line",
                "x0": 0,
                "x1": 1,
                "y0": found.dense.accuracy.value,
                "y1": found.dense.accuracy.value,
                "line": {"color": QUIET, "dash": "dot"},
            }
        ]
    )
    return go.Figure(
        traces,
        layout(
            x={"title": "sparsity of the layer alone", "range": [-0.02, 1.02], "tickformat": ".0%"},
            shapes=dense,
            showlegend=len(traces) > 1,
            y={"title": "validation accuracy", "range": [0, 1.03], "tickformat": ".0%"},
            height=max(320, 90 + 20 * len(traces)),
            legend={"orientation": "v", "x": 1.01, "y": 1, "font": {"size": 10}},
            right=40 + 7 * max(map(len, found.layers)),
        ),
    )


def alt(found: Scan) -> str:
    told = "; ".join(
        f"{layer} "
        + ", ".join(
            f"{level:.0%} {p.accuracy.value:.1%}" for level, p in zip(found.levels, row) if p
        )
        for layer, row in zip(found.layers, found.points)
    )
    return f"Validation accuracy when one layer alone is pruned: {told}."

"""Where the removed weights are: a row per layer, its output units from left to right."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from pruning.figures.style import SHARE, layout

COLUMNS = 60


def heatmap(shares: Mapping[str, np.ndarray]) -> go.Figure:
    """``shares`` gives for each layer the share of removed weights of each output unit, (units,).

    Each row is as wide as the picture: a layer with more than 60 units is binned (mean), one with fewer repeats.
    """
    rows, texts = [], []
    for values in shares.values():
        edges = np.arange(COLUMNS + 1) * len(values) // COLUMNS
        starts, ends = edges[:-1], np.maximum(edges[1:], edges[:-1] + 1)
        sums = np.concatenate([[0.0], np.cumsum(values)])
        rows.append((sums[ends] - sums[starts]) / (ends - starts))
        texts.append([f"unit {a}" + (f" to {b - 1}" if b > a + 1 else "") + f" of {len(values)}"
                      for a, b in zip(starts, ends)])
    labels = list(shares)
    picture = {
        "type": "heatmap", "z": np.array(rows, np.float32), "y": labels, "customdata": texts, "ygap": 1, **SHARE,
        "colorbar": {"title": {"text": "share removed", "side": "right"}, "tickformat": ".0%", "thickness": 12},
        "hovertemplate": "%{y}, %{customdata}: %{z:.1%} removed<extra></extra>"}
    return go.Figure([picture], layout(
        x={"title": "output units of the layer, first to last", "showticklabels": False, "ticks": "", "showgrid": False},
        y={"title": "layer", "autorange": "reversed", "showgrid": False, "type": "category", "dtick": 1,
           "tickfont": {"size": 11}},
        height=max(300, 90 + 17 * len(labels)), left=34 + 6 * max(map(len, labels)), right=84))


def alt(shares: Mapping[str, np.ndarray]) -> str:
    told = "; ".join(f"{name} {values.mean():.0%} (unit by unit {values.min():.0%} to {values.max():.0%})"
                     for name, values in shares.items())
    return f"Heatmap of the share of removed weights per layer and output unit: {told}."

"""A square table as a picture: how far criteria agree."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pruning.figures.parts import layout


def matrix(table: pd.DataFrame, *, title: str, low: float, what: str = "criterion") -> go.Figure:
    """``table`` square, with the same names on both sides, values from ``low`` to 1; NaN is left empty."""
    names = list(table.columns)
    values = table.to_numpy(np.float32)
    texts = [["–" if np.isnan(v) else f"{v:.2f}" for v in row] for row in values]
    colours = "Cividis" if low == 0 else "RdBu"
    picture = {
        "type": "heatmap",
        "z": values,
        "x": names,
        "y": names,
        "colorscale": colours,
        "zmin": low,
        "zmax": 1,
        "text": texts,
        "texttemplate": "%{text}" if len(names) <= 12 else "",
        "xgap": 1,
        "ygap": 1,
        "colorbar": {"title": {"text": title, "side": "right"}, "thickness": 12},
        "hovertemplate": "%{y} and %{x}: %{text}<extra></extra>",
    }
    room = 20 + 7 * max(map(len, names))
    figure = layout(
        x={"title": what, "tickangle": -40, "showgrid": False, "type": "category"},
        y={"title": what, "autorange": "reversed", "showgrid": False, "type": "category"},
        height=150 + room + 30 * len(names),
        left=30 + room,
        right=84,
    )
    figure["margin"]["b"] = 30 + room
    return go.Figure([picture], figure)


def alt(table: pd.DataFrame, what: str) -> str:
    names = list(table.columns)
    told = "; ".join(
        f"{a} and {b} {table.loc[a, b]:.2f}" for i, a in enumerate(names) for b in names[i + 1 :]
    )
    return f"Matrix of the {what}: {told or 'one criterion only'}."

"""How the weights are distributed, and which part of them goes."""

import numpy as np
import plotly.graph_objects as go

from pruning.figures.style import KEPT, MARK, REMOVED, finish


def histogram(weights: np.ndarray, kept: np.ndarray, *, threshold: float | None = None, log: bool = False,
              bins: int = 161) -> go.Figure:
    """Counts of ``weights`` (n,), split by ``kept`` (n,) bool; lines at +-``threshold``. Bins are made here, so that
    the browser gets 161 numbers and not n."""
    limit = float(np.abs(weights).max()) or 1.0
    counts, edges = np.histogram(weights, bins, (-limit, limit))
    alive, _ = np.histogram(weights[kept], edges)
    centres, width = (edges[:-1] + edges[1:]) / 2, edges[1] - edges[0]
    figure = go.Figure()
    for name, height, base, colour in (("kept", alive, np.zeros_like(alive), KEPT),
                                       ("removed", counts - alive, alive, REMOVED)):
        figure.add_bar(x=centres.astype(np.float32), y=height.astype(np.int32), base=None if log else base,
                       width=width, name=name, marker={"color": colour, "line_width": 0},
                       hovertemplate=f"%{{y:,}} {name} near %{{x:.4f}}<extra></extra>")
    if threshold is not None:
        for side in (-threshold, threshold):
            if abs(side) <= limit:
                figure.add_vline(side, line={"color": MARK, "width": 2, "dash": "dash"})
    finish(figure, x="weight", y="weights in bin (log scale)" if log else "weights in bin", height=300,
           barmode="overlay", bargap=0)
    figure.update_yaxes(type="log" if log else "linear", rangemode="tozero", tickformat="~s")
    return figure


def alt(weights: np.ndarray, kept: np.ndarray, where: str) -> str:
    return (f"Histogram of the {len(weights):,} weights of {where}, from {weights.min():.3f} to {weights.max():.3f}: "
            f"{int(kept.sum()):,} kept, {int((~kept).sum()):,} removed.")

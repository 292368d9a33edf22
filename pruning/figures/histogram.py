"""How the weights are distributed, and which part of them goes."""

import numpy as np
import plotly.graph_objects as go

from pruning.figures.style import KEPT, MARK, REMOVED, layout


def histogram(weights: np.ndarray, kept: np.ndarray, *, threshold: float | None = None, log: bool = False,
              bins: int = 161) -> go.Figure:
    """Counts of ``weights`` (n,), split by ``kept`` (n,) bool; lines at +-``threshold``. Bins are made here, so that
    the browser gets 161 numbers and not n. All weights are drawn in one colour and the kept ones over them."""
    limit = float(np.quantile(np.abs(weights), 0.999)) or 1.0
    weights = np.clip(weights, -limit, limit)  # a few large weights would squeeze all others into one line
    counts, edges = np.histogram(weights, bins, (-limit, limit))
    alive, _ = np.histogram(weights[kept], edges)
    left = np.repeat(edges, 2)[1:-1].astype(np.float32)  # each bin's two corners: one path draws faster than 161 bars
    areas = [{
        "type": "scatter", "mode": "lines", "name": name, "x": left, "y": np.repeat(heights, 2).astype(np.int32),
        "fill": "tozeroy", "fillcolor": colour, "line": {"color": colour, "width": 1},
        "hovertemplate": f"%{{y:,}} {what} near %{{x:.4f}}<extra></extra>",
    } for name, what, heights, colour in (("removed", "weights", counts, REMOVED), ("kept", "kept", alive, KEPT))]
    lines = [{"type": "line", "x0": side, "x1": side, "y0": 0, "y1": 1, "yref": "paper",
              "line": {"color": MARK, "width": 2, "dash": "dash"}}
             for side in ((-threshold, threshold) if threshold is not None else ()) if abs(side) <= limit]
    return go.Figure(areas, layout(
        x={"title": "weight (the outermost bins hold the largest 0.1%, too)"}, height=300, shapes=lines,
        y={"title": "weights in bin (log scale)" if log else "weights in bin", "type": "log" if log else "linear",
           "rangemode": "tozero", "tickformat": "~s"}))


def alt(weights: np.ndarray, kept: np.ndarray, where: str) -> str:
    return (f"Histogram of the {len(weights):,} weights of {where}, from {weights.min():.3f} to {weights.max():.3f}: "
            f"{int(kept.sum()):,} kept, {int((~kept).sum()):,} removed.")

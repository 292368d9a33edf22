"""How often the units of a layer are active, in two networks."""

import numpy as np

from pruning.figures.parts import KEPT, NEUTRAL, layout, legend_height, share_axis
from pruning.figures.plain_figure import PlainFigure


def activity_figure(
    before: np.ndarray, after: np.ndarray, names: tuple[str, str], layer: str
) -> PlainFigure:
    """Draw the share of images for which each unit is active.

    Parameters
    ----------
    before, after : np.ndarray
        (units,) from 0 to 1.
    names : tuple of str
        Names of the two networks.
    layer : str
        Name of the layer.

    Returns
    -------
    PlainFigure
        A point for each unit; a unit at zero is dead.
    """
    styles = (("circle-open", NEUTRAL, 9), ("circle", KEPT, 6))
    traces = []
    for name, values, (symbol, colour, size) in zip(names, (before, after), styles, strict=True):
        trace = {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "x": np.arange(len(values)),
            "y": values,
            "marker": {"color": colour, "size": size, "symbol": symbol},
            "hovertemplate": f"unit %{{x}} of {layer}: active for %{{y:.1%}} of the images",
        }
        traces.append(trace)
    legend = legend_height(names)
    figure_layout = layout(
        x={"title": f"unit of {layer}"},
        y=share_axis("share of images with output > 0"),
        height=300 + legend,
        top=14 + legend,
    )
    return PlainFigure(traces, figure_layout)


def alt_of_activity(before: np.ndarray, after: np.ndarray, layer: str) -> str:
    """Describe `activity_figure` in words.

    Parameters
    ----------
    before, after : np.ndarray
        (units,) from 0 to 1.
    layer : str
        Name of the layer.

    Returns
    -------
    str
        Means and numbers of units that are never active.
    """
    return (
        f"Share of images for which the {len(before)} units of {layer} are active: mean "
        f"{before.mean():.0%} before, {after.mean():.0%} after; never active "
        f"{int((before == 0).sum())} before, {int((after == 0).sum())} after."
    )

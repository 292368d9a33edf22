"""Outputs of a layer for one image."""

from collections.abc import Sequence

import numpy as np

from pruning.figures.parts import KEPT, NEUTRAL, Trace, layout
from pruning.figures.plain_figure import PlainFigure
from pruning.figures.tiles import Scale, symmetric_scale, tiles

MAX_MAPS = 64


def map_scale(maps: Sequence[np.ndarray], title: str) -> Scale:
    """Return one scale for the outputs of several networks.

    Parameters
    ----------
    maps : sequence of np.ndarray
        Outputs of one layer.
    title : str
        What they are.

    Returns
    -------
    Scale
        From zero, or around zero if there are negative outputs.
    """
    values = np.concatenate([each.ravel() for each in maps])
    if values.min(initial=0.0) < 0:
        return symmetric_scale(values, title)
    return Scale("Cividis", 0.0, float(values.max(initial=0.0)) or 1.0, title)


def feature_maps(maps: np.ndarray, scale: Scale, layer: str) -> PlainFigure:
    """Draw the feature maps of a convolution.

    Parameters
    ----------
    maps : np.ndarray
        (channels, height, width) float32.
    scale : Scale
        Of their values.
    layer : str
        Name of the layer.

    Returns
    -------
    PlainFigure
        The first 64 channels.
    """
    shown = maps[:MAX_MAPS]
    texts = []
    for channel, values in enumerate(shown):
        texts.append(
            f"{layer}, channel {channel}: mean {values.mean():.3g}, largest {values.max():.3g}"
        )
    return tiles(shown, texts=texts, scale=scale)


def unit_outputs(before: np.ndarray, after: np.ndarray, names: tuple[str, str]) -> PlainFigure:
    """Draw the outputs of the units of a linear layer in two networks.

    Parameters
    ----------
    before, after : np.ndarray
        (units,) float32.
    names : tuple of str
        Names of the two networks.

    Returns
    -------
    PlainFigure
        A point for each unit, in the order of the first network's outputs.
    """
    order = np.argsort(-before, kind="stable")
    positions = np.arange(len(before))
    traces: list[Trace] = []
    for name, values, colour in zip(names, (before, after), (NEUTRAL, KEPT), strict=True):
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": positions,
                "y": values[order].astype(np.float32),
                "customdata": order,
                "marker": {"color": colour, "size": 6},
                "hovertemplate": "unit %{customdata}: %{y:.3g}<extra></extra>",
            }
        )
    figure_layout = layout(
        x={"title": f"units, by their output in the {names[0]} network"},
        y={"title": "output", "zeroline": True},
        height=300,
    )
    return PlainFigure(traces, figure_layout)


def alt_of_outputs(outputs: np.ndarray, layer: str, network: str) -> str:
    """Describe the outputs of a layer in words.

    Parameters
    ----------
    outputs : np.ndarray
        (units,) or (channels, height, width).
    layer, network : str
        Names of the layer and of the network.

    Returns
    -------
    str
        How many units are active, and their mean.
    """
    active = int((outputs.reshape(len(outputs), -1) > 0).any(1).sum())
    return (
        f"Outputs of {layer} in the {network} network: {active} of {len(outputs)} are positive "
        f"somewhere, mean {outputs.mean():.3g}."
    )


def alt_of_difference(difference: np.ndarray, layer: str) -> str:
    """Describe the difference of the outputs of a layer in words.

    Parameters
    ----------
    difference : np.ndarray
        (channels, height, width), after minus before.
    layer : str
        Name of the layer.

    Returns
    -------
    str
        The channel that has changed most.
    """
    changes = np.abs(difference).mean((1, 2))
    most = int(changes.argmax())
    return (
        f"Difference of the outputs of {layer}, after minus before: largest in channel {most}, "
        f"mean {changes[most]:.3g}; mean over all channels {changes.mean():.3g}."
    )

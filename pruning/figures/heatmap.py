"""Weights removed from each unit: a row for each layer, its output units from left to right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pruning.figures.parts import (
    COLOUR_BAR_MARGIN,
    HIGHLIGHT,
    REMOVAL_DIFFERENCES,
    SHARE_SCALE,
    Trace,
    click_points,
    colour_bar,
    join_descriptions,
    label_margin,
    layer_axis,
    layout,
)
from pruning.figures.plain_figure import PlainFigure

COLUMNS = 60


@dataclass(frozen=True)
class _Bin:
    """One unit or several neighbouring ones of a layer.

    Parameters
    ----------
    layer : str
        Name of the layer.
    first_unit : int
        Index of its first unit.
    x : float
        Horizontal position of its centre.
    text : str
        Hover text.
    """

    layer: str
    first_unit: int
    x: float
    text: str


def removal_heatmap(
    shares: Mapping[str, np.ndarray], selected: tuple[str, int] | None = None
) -> PlainFigure:
    """Draw the share of removed weights of each output unit of each layer.

    Parameters
    ----------
    shares : mapping of str to np.ndarray
        (units,) for each layer.
    selected : tuple of (str, int), optional
        Layer and unit to mark.

    Returns
    -------
    PlainFigure
        Each row is as wide as the figure: units of a layer with more than 60 are averaged in bins;
        with fewer, one unit spans several columns. Over each unit or bin is an invisible point
        that can be clicked; its ``customdata`` is [layer, first unit].
    """
    style = {**SHARE_SCALE, "colorbar": colour_bar("share of weights removed", tickformat=".0%")}
    return _heatmap(shares, style, "{:.1%} removed", selected)


def removal_difference(
    first: Mapping[str, np.ndarray],
    second: Mapping[str, np.ndarray],
    selected: tuple[str, int] | None = None,
) -> PlainFigure:
    """Draw how much more one network removes of each output unit than another one.

    Parameters
    ----------
    first, second : mapping of str to np.ndarray
        (units,) for each layer: share of removed weights in A and in B, of the same layers.
    selected : tuple of (str, int), optional
        Layer and unit to mark.

    Returns
    -------
    PlainFigure
        As of `removal_heatmap`, of the share in B minus that in A.
    """
    differences = {layer: second[layer] - first[layer] for layer in second}
    title = "share of weights removed, B minus A"
    style = {
        "colorscale": REMOVAL_DIFFERENCES,
        "zmin": -1,
        "zmax": 1,
        "colorbar": colour_bar(title, tickformat="+.0%"),
    }
    return _heatmap(differences, style, "{:+.1%} removed in B against A", selected)


def _heatmap(
    values_by_layer: Mapping[str, np.ndarray],
    style: Trace,
    hover: str,
    selected: tuple[str, int] | None,
) -> PlainFigure:
    """Draw a row for each layer; ``hover`` formats a value."""
    layers = list(values_by_layer)
    rows, bins = [], []
    for layer, values in values_by_layer.items():
        starts, ends = _bin_edges(len(values))
        row = _bin_means(values, starts, ends)
        rows.append(row)
        bins += _bins(layer, len(values), starts, ends, row, hover)
    picture = {
        "type": "heatmap",
        "z": np.array(rows, np.float32),
        "y": layers,
        "ygap": 1,
        "hoverinfo": "skip",
        **style,
    }
    clicks = click_points(
        np.array([unit_bin.x for unit_bin in bins], np.float32),
        [unit_bin.layer for unit_bin in bins],
        [[unit_bin.layer, unit_bin.first_unit] for unit_bin in bins],
        [unit_bin.text for unit_bin in bins],
        size=14,
    )
    x_axis = {
        "title": f"output units (averaged if more than {COLUMNS})",
        "showticklabels": False,
        "ticks": "",
        "showgrid": False,
        "range": [-0.5, COLUMNS - 0.5],
    }
    figure_layout = layout(
        x=x_axis,
        y=layer_axis(),
        height=max(300, 90 + 17 * len(layers)),
        left=label_margin(layers),
        right=COLOUR_BAR_MARGIN,
        hoverdistance=60,
        hovermode="closest",
    )
    return PlainFigure([picture, clicks, _mark(_find_bin(bins, selected))], figure_layout)


def _bin_edges(units: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first unit of each column, and the one after its last, each (COLUMNS,)."""
    edges = np.arange(COLUMNS + 1) * units // COLUMNS
    starts = edges[:-1]
    return starts, np.maximum(edges[1:], starts + 1)


def _bin_means(values: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return (sums[ends] - sums[starts]) / (ends - starts)


def _bins(
    layer: str, units: int, starts: np.ndarray, ends: np.ndarray, row: np.ndarray, hover: str
) -> list[_Bin]:
    """Merge the columns that show the same unit."""
    first_units, columns, widths = np.unique(starts, return_index=True, return_counts=True)
    centres = columns + (widths - 1) / 2
    last_units, shares = ends[columns] - 1, row[columns]
    bins = []
    for first, last, centre, share in zip(
        first_units.tolist(), last_units.tolist(), centres.tolist(), shares.tolist(), strict=True
    ):
        described = f"unit {first}" if first == last else f"unit {first} to {last}"
        text = f"{layer}, {described} of {units}: {hover.format(share)}"
        bins.append(_Bin(layer, first, centre, text))
    return bins


def _find_bin(bins: Sequence[_Bin], selected: tuple[str, int] | None) -> _Bin | None:
    if selected is None:
        return None
    layer, unit = selected
    match = None
    for unit_bin in bins:
        if unit_bin.layer == layer and unit_bin.first_unit <= unit:
            match = unit_bin
    return match


def _mark(unit_bin: _Bin | None) -> Trace:
    x, y = ([], []) if unit_bin is None else ([unit_bin.x], [unit_bin.layer])
    outline = {"color": HIGHLIGHT, "width": 2.5}
    return {
        "type": "scatter",
        "mode": "markers",
        "x": x,
        "y": y,
        "marker": {"size": 13, "color": "rgba(0,0,0,0)", "line": outline},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def alt_of_removal_heatmap(shares: Mapping[str, np.ndarray]) -> str:
    """Describe `removal_heatmap` in words.

    Parameters
    ----------
    shares : mapping of str to np.ndarray
        (units,) for each layer.

    Returns
    -------
    str
        Mean and range of each layer.
    """
    descriptions = []
    for layer, values in shares.items():
        unit_range = f"unit by unit {values.min():.0%} to {values.max():.0%}"
        descriptions.append(f"{layer} {values.mean():.0%} ({unit_range})")
    description = join_descriptions(descriptions, "no layers")
    return f"Heatmap of the share of removed weights per layer and output unit: {description}."


def alt_of_removal_difference(
    first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]
) -> str:
    """Describe `removal_difference` in words.

    Parameters
    ----------
    first, second : mapping of str to np.ndarray
        As of `removal_difference`.

    Returns
    -------
    str
        Mean of each layer in both networks.
    """
    descriptions = []
    for layer in second:
        descriptions.append(
            f"{layer} {first[layer].mean():.0%} in A, {second[layer].mean():.0%} in B"
        )
    description = join_descriptions(descriptions, "no layers")
    return f"Heatmap of the share of removed weights per output unit, B minus A: {description}."

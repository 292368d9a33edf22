"""A pruned network in a notebook: its costs, and a row for each layer."""

from html import escape

import numpy as np
from plotly.colors import sample_colorscale

from pruning.cost.macs import Cost, CostByLayer
from pruning.engine.pruned_network import PrunedNetwork
from pruning.recipe.labels import recipe_label

CELLS = 48
"""Cells of the heatmap of a layer: its units, or runs of adjacent units."""
SCALE = "Cividis"
CELL_STYLE = "display:inline-block;width:6px;height:14px;background:"


def network_html(pruned: PrunedNetwork) -> str:
    """Draw a pruned network as HTML, without any script.

    Parameters
    ----------
    pruned : PrunedNetwork
        The network.

    Returns
    -------
    str
        A table of costs, and a table of layers with the share of removed weights of their units.
    """
    shares = pruned.removed_share_by_unit
    rows = []
    for layer in pruned.layer_table.itertuples():
        cells = "".join(_cell(share) for share in _shortened(shares[layer.name]))
        rows.append(
            f"<tr><td>{escape(layer.name)}</td><td>{escape(layer.shape)}</td>"
            f"<td>{layer.weights:,}</td><td>{layer.kept:,}</td><td>{layer.sparsity:.1%}</td>"
            f'<td style="white-space:nowrap;text-align:left">{cells}</td></tr>'
        )
    header = "<tr><th>layer</th><th>shape</th><th>weights</th><th>kept</th><th>sparsity</th>"
    return (
        f"<div><p><b>{escape(recipe_label(pruned.recipe))}</b></p>"
        f"{_costs_html(pruned)}"
        f"<table>{header}<th>removed weights of each unit</th></tr>{''.join(rows)}</table></div>"
    )


def _costs_html(pruned: PrunedNetwork) -> str:
    rows = []
    costs: dict[str, Cost | CostByLayer] = {
        "dense": pruned.dense,
        "masked": pruned.masked,
        "effective": pruned.effective,
    }
    for name, cost in costs.items():
        rows.append(f"<tr><td>{name}</td><td>{cost.parameters:,}</td><td>{cost.macs:,}</td></tr>")
    header = "<tr><th></th><th>parameters</th><th>MACs of an image</th></tr>"
    return f"<table>{header}{''.join(rows)}</table>"


def _shortened(shares: np.ndarray) -> list[float]:
    """Return at most `CELLS` means of adjacent units."""
    parts = np.array_split(shares, min(CELLS, len(shares)))
    return [float(part.mean()) for part in parts]


def _cell(share: float) -> str:
    [colour] = sample_colorscale(SCALE, [min(1.0, max(0.0, share))])
    return f'<span style="{CELL_STYLE}{colour}" title="{share:.0%} removed"></span>'

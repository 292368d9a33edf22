"""Scores of the layers that can be removed."""

from collections.abc import Mapping
from dataclasses import dataclass

from pruning.figures.parts import KEPT, REMOVED, Trace, join_descriptions, label_margin, layout
from pruning.figures.plain_figure import PlainFigure


@dataclass(frozen=True)
class ScoredLayer:
    """Score of a layer, and whether it is kept.

    Parameters
    ----------
    score : float
        Its score.
    kept : bool
        False if it is removed.
    """

    score: float
    kept: bool


def layer_scores(layers: Mapping[str, ScoredLayer], *, title: str) -> PlainFigure:
    """Draw a bar for each layer.

    Parameters
    ----------
    layers : mapping of str to ScoredLayer
        In network order.
    title : str
        Title of the horizontal axis.

    Returns
    -------
    PlainFigure
        The first layer on top.
    """
    names = list(layers)
    removed = {name: layer.score for name, layer in layers.items() if not layer.kept}
    kept = {name: layer.score for name, layer in layers.items() if layer.kept}
    y_axis = {
        "title": "layer",
        "type": "category",
        "categoryorder": "array",
        "categoryarray": names[::-1],
        "showgrid": False,
        "tickfont": {"size": 11},
    }
    figure_layout = layout(
        x={"title": title}, y=y_axis, height=300, left=label_margin(names), barmode="overlay"
    )
    traces = [_bars("removed", REMOVED, removed), _bars("kept", KEPT, kept)]
    return PlainFigure(traces, figure_layout)


def _bars(name: str, colour: str, scores: Mapping[str, float]) -> Trace:
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "y": list(scores),
        "x": list(scores.values()),
        "marker": {"color": colour},
        "hovertemplate": "%{y}: %{x:.4g}<extra></extra>",
    }


def alt_of_layer_scores(layers: Mapping[str, ScoredLayer]) -> str:
    """Describe `layer_scores` in words.

    Parameters
    ----------
    layers : mapping of str to ScoredLayer
        In network order.

    Returns
    -------
    str
        Score of each layer, and whether it is kept.
    """
    descriptions = []
    for name, layer in layers.items():
        state = "kept" if layer.kept else "removed"
        descriptions.append(f"{name} {layer.score:.3g}, {state}")
    return f"Scores: {join_descriptions(descriptions, 'no layers')}."

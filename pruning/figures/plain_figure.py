"""Figures of dictionaries, which are not checked each time they are drawn."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import plotly.graph_objects as go
import plotly.io
from _plotly_utils.utils import to_typed_array_spec
from plotly.basedatatypes import BaseFigure

from pruning.figures.parts import Trace

FONT_SIZE = 12
"""Size of text in figures, in pixels, where nothing else is set."""


class PlainFigure(BaseFigure):
    """A figure whose dictionaries are sent to plotly.js as they are.

    ``go.Figure`` would check and copy every part, which takes several times as long as all else in
    drawing a figure. The tests check each figure that they draw.

    Parameters
    ----------
    data : sequence of dict
        The traces.
    layout : dict
        As of `pruning.figures.parts.layout`.
    """

    def __init__(self, data: Sequence[Trace], layout: Trace) -> None:
        # BaseFigure's own initialization would build the graph objects.
        self._traces = data
        self._settings = layout

    def to_dict(self) -> dict[str, Any]:
        """Return the dictionaries, with arrays as plotly.js reads them.

        Returns
        -------
        dict
            With ``data`` and ``layout``.
        """
        template = _template(plotly.io.templates.default)
        return {
            "data": [_encode(trace) for trace in self._traces],
            "layout": {"template": template, **_encode(self._settings)},
        }

    def enlarged(self, factor: float) -> "PlainFigure":
        """Return the figure with larger text and margins, for a projector.

        Parameters
        ----------
        factor : float
            Size of the text in the new figure / in this one.

        Returns
        -------
        PlainFigure
            With the same traces.
        """
        settings = dict(self._settings)
        font = {"size": round(factor * FONT_SIZE)}
        settings["font"] = font
        settings["legend"] = {**settings.get("legend", {}), "font": font}
        margin = dict(settings["margin"])
        for side in ("l", "r", "t", "b"):
            margin[side] = round(factor * margin[side])
        settings["margin"] = margin
        for name, part in self._settings.items():
            if name.startswith(("xaxis", "yaxis")):
                title = {**part.get("title", {}), "font": font}
                settings[name] = {**part, "tickfont": font, "title": title}
        return PlainFigure(self._traces, settings)

    @property
    def checked(self) -> go.Figure:
        """The figure as graph objects; raises ValueError if a part is not valid."""
        return go.Figure(list(self._traces), self._settings)

    @property
    def data(self) -> tuple:
        """The traces as graph objects."""
        return self.checked.data

    @property
    def layout(self) -> go.Layout:
        """The layout as a graph object."""
        return self.checked.layout


def _encode(value: Any) -> Any:
    """Encode arrays and leave out None, as plotly does itself."""
    if isinstance(value, np.ndarray):
        return to_typed_array_spec(value)
    if isinstance(value, dict):
        return {key: _encode(part) for key, part in value.items() if part is not None}
    return value


@cache
def _template(name: str) -> Trace:
    return plotly.io.templates[name].to_plotly_json()

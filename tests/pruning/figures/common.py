"""Helpers of the tests of figures."""

import base64
import io

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from pruning.figures import parts


def titles(figure: go.Figure) -> tuple[str, str]:
    """Return the titles of both axes."""
    return figure.layout.xaxis.title.text, figure.layout.yaxis.title.text


def decode_image(figure: go.Figure) -> np.ndarray:
    """Return the pixels (H, W, 4) of the image trace of a figure."""
    source = figure.data[0].source.partition(",")[2]
    return np.array(Image.open(io.BytesIO(base64.b64decode(source))).convert("RGBA"))


def rgb(colour: str) -> tuple[int, ...]:
    """Return red, green and blue of "#rrggbb"."""
    return tuple(int(colour[start : start + 2], 16) for start in (1, 3, 5))


KEPT = rgb(parts.KEPT)
REMOVED = rgb(parts.REMOVED)

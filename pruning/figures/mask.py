"""The mask of one layer, weight by weight, as an image."""

import base64
import io

import numpy as np
import plotly.graph_objects as go
from PIL import Image, ImageColor

from pruning.figures.style import KEPT, REMOVED, SHARE, layout

LARGEST = 1000  # pixels a side; beyond, a pixel is the mean of several weights
GAP = 255  # palette entry between kernels; 0 (kept) to 254 (removed) are shares


def mask(kept: np.ndarray) -> go.Figure:
    """``kept`` bool, (outputs, inputs) of a linear layer or (outputs, inputs, height, width) of a convolution.

    A linear layer is drawn as its matrix, a convolution as a grid of kernels: a column per output channel, a row per
    input channel.
    """
    removed = (~kept).astype(np.uint8) * 254
    if kept.ndim == 4:
        outputs, inputs, height, width = kept.shape
        grid = np.pad(removed, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=GAP)  # a line after each kernel
        picture = grid.transpose(1, 2, 0, 3).reshape(inputs * (height + 1), outputs * (width + 1))[:-1, :-1]
        x, y = ("output channel", outputs, width + 1), ("input channel", inputs, height + 1)
    else:
        picture = removed
        x, y = ("input", kept.shape[1], 1), ("output unit", kept.shape[0], 1)
    full = picture.shape
    picture = _shrunk(picture)
    scale = [whole / small for whole, small in zip(full, picture.shape)]
    image = {"type": "image", "source": _png(picture), "hoverinfo": "skip", "x0": (scale[1] - 1) / 2, "dx": scale[1],
             "y0": (scale[0] - 1) / 2, "dy": scale[0]}
    # Kernels keep their shape; a matrix fills the picture.
    shape = {"autorange": "reversed", "scaleanchor": "x" if kept.ndim == 4 else False}
    return go.Figure([image], layout(x=_axis(*x), y=_axis(*y) | shape, height=300))


def _axis(title: str, count: int, step: int) -> dict:
    shown = np.unique(np.linspace(0, count - 1, min(count, 6)).astype(int))
    return {"title": title, "tickvals": shown * step + max(0, step - 2) / 2, "ticktext": [str(i) for i in shown],
            "showgrid": False, "constrain": "domain"}


def pixels(kept: np.ndarray, channels: int, size: int) -> go.Figure:
    """For a linear layer that reads the image, (outputs, channels x size x size): the share removed at each pixel."""
    share = 1 - kept.reshape(-1, size, size).mean(0)
    picture = {"type": "heatmap", "z": share.astype(np.float32), "showscale": False, **SHARE,
               "hovertemplate": "row %{y}, column %{x}: %{z:.1%} removed<extra></extra>"}
    shape = {"showgrid": False, "constrain": "domain"}
    return go.Figure([picture], layout(x={"title": "pixel column"} | shape, height=300,
                                       y={"title": "pixel row", "autorange": "reversed", "scaleanchor": "x"} | shape))


def alt(kept: np.ndarray, layer: str) -> str:
    kind = "a grid of kernels" if kept.ndim == 4 else "a matrix"
    return (f"Mask of {layer} as {kind}, {' x '.join(map(str, kept.shape))} weights: "
            f"{int(kept.sum()):,} kept (blue), {int((~kept).sum()):,} removed (orange).")


def _shrunk(picture: np.ndarray) -> np.ndarray:
    height, width = (min(side, LARGEST) for side in picture.shape)
    if (height, width) == picture.shape:
        return picture
    rows = np.add.reduceat(picture.astype(np.float32), np.arange(height) * picture.shape[0] // height, axis=0)
    sums = np.add.reduceat(rows, np.arange(width) * picture.shape[1] // width, axis=1)
    counts = [np.diff(np.append(np.arange(n) * whole // n, whole)) for n, whole in zip((height, width), picture.shape)]
    return np.round(sums / np.outer(*counts)).astype(np.uint8)


def _png(picture: np.ndarray) -> str:
    kept, removed = (np.array(ImageColor.getrgb(colour)) for colour in (KEPT, REMOVED))
    shares = np.linspace(0, 1, GAP)[:, None]
    image = Image.fromarray(picture, mode="P")
    image.putpalette([*np.round(kept + (removed - kept) * shares).astype(np.uint8).ravel().tolist(), 0, 0, 0])
    out = io.BytesIO()
    image.save(out, "PNG", transparency=GAP, compress_level=1)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()

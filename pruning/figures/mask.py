"""The mask of one layer, weight by weight, as an image."""

import base64
import io

import numpy as np
import plotly.graph_objects as go
from PIL import Image, ImageColor

from pruning.figures.parts import KEPT, REMOVED, SHARE, layout

LARGEST = 1000  # pixels a side; beyond, a pixel is the mean of several weights
GAP = 255  # palette entry between kernels; 0 (kept) to 254 (removed) are shares


def mask(kept: np.ndarray, layer: str = "") -> go.Figure:
    """``kept`` bool, (outputs, inputs) of a linear layer or (outputs, inputs, height, width) of a convolution.

    A linear layer is drawn as its matrix, a convolution as a grid of kernels: a column per output channel, a row per
    input channel. Invisible points over the output units can be clicked: their ``customdata`` is [layer, unit].
    """
    removed = (~kept).astype(np.uint8) * 254
    if kept.ndim == 4:
        outputs, inputs, height, width = kept.shape
        grid = np.pad(
            removed, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=GAP
        )  # a line after each kernel
        picture = grid.transpose(1, 2, 0, 3).reshape(inputs * (height + 1), outputs * (width + 1))[
            :-1, :-1
        ]
        x, y = ("output channel", outputs, width + 1), ("input channel", inputs, height + 1)
    else:
        picture = removed
        x, y = ("input", kept.shape[1], 1), ("output unit", kept.shape[0], 1)
    full = picture.shape  # in weights, with the gaps
    picture = _shrunk(picture)
    scale = [whole / small for whole, small in zip(full, picture.shape)]
    image = {
        "type": "image",
        "source": _png(picture),
        "hoverinfo": "skip",
        "x0": (scale[1] - 1) / 2,
        "dx": scale[1],
        "y0": (scale[0] - 1) / 2,
        "dy": scale[0],
    }
    # Kernels keep their shape; a matrix fills the picture.
    shape = {"range": [full[0] - 0.5, -0.5], "scaleanchor": "x" if kept.ndim == 4 else False}
    units = np.arange(len(kept))
    shares = 1 - kept.reshape(len(kept), -1).mean(1)
    texts = [f"{layer} unit {i}: {share:.1%} removed" for i, share in enumerate(shares)]
    across, middle = (
        (units * x[2] + max(0, x[2] - 2) / 2, full[0] / 2)
        if kept.ndim == 4
        else (full[1] / 2, units)
    )
    clicks = _clicks(
        np.broadcast_to(across, units.shape),
        np.broadcast_to(middle, units.shape),
        [[layer, int(i)] for i in units],
        texts,
        10,
    )
    return go.Figure(
        [image, clicks],
        layout(
            x=_axis(*x) | {"range": [-0.5, full[1] - 0.5]},
            y=_axis(*y) | shape,
            height=300,
            hovermode="closest",
            hoverdistance=400,
        ),
    )


def _axis(title: str, count: int, step: int) -> dict:
    shown = np.unique(np.linspace(0, count - 1, min(count, 6)).astype(int))
    return {
        "title": title,
        "tickvals": shown * step + max(0, step - 2) / 2,
        "ticktext": [str(i) for i in shown],
        "showgrid": False,
        "constrain": "domain",
    }


def pixels(kept: np.ndarray, channels: int, size: int) -> go.Figure:
    """For a linear layer that reads the image, (outputs, channels x size x size): the share removed at each pixel."""
    share = 1 - kept.reshape(-1, size, size).mean(0)
    picture = {
        "type": "heatmap",
        "z": share.astype(np.float32),
        "showscale": False,
        **SHARE,
        "hovertemplate": "row %{y}, column %{x}: %{z:.1%} removed<extra></extra>",
    }
    shape = {"showgrid": False, "constrain": "domain"}
    return go.Figure(
        [picture],
        layout(
            x={"title": "pixel column"} | shape,
            height=300,
            y={"title": "pixel row", "autorange": "reversed", "scaleanchor": "x"} | shape,
        ),
    )


def alt(kept: np.ndarray, layer: str) -> str:
    kind = "a grid of kernels" if kept.ndim == 4 else "a matrix"
    return (
        f"Mask of {layer} as {kind}, {' x '.join(map(str, kept.shape))} weights: "
        f"{int(kept.sum()):,} kept (blue), {int((~kept).sum()):,} removed (orange)."
    )


def _shrunk(picture: np.ndarray) -> np.ndarray:
    height, width = (min(side, LARGEST) for side in picture.shape)
    if (height, width) == picture.shape:
        return picture
    rows = np.add.reduceat(
        picture.astype(np.float32), np.arange(height) * picture.shape[0] // height, axis=0
    )
    sums = np.add.reduceat(rows, np.arange(width) * picture.shape[1] // width, axis=1)
    counts = [
        np.diff(np.append(np.arange(n) * whole // n, whole))
        for n, whole in zip((height, width), picture.shape)
    ]
    return np.round(sums / np.outer(*counts)).astype(np.uint8)


def _png(picture: np.ndarray) -> str:
    kept, removed = (np.array(ImageColor.getrgb(colour)) for colour in (KEPT, REMOVED))
    shares = np.linspace(0, 1, GAP)[:, None]
    image = Image.fromarray(picture, mode="P")
    image.putpalette(
        [*np.round(kept + (removed - kept) * shares).astype(np.uint8).ravel().tolist(), 0, 0, 0]
    )
    out = io.BytesIO()
    image.save(out, "PNG", transparency=GAP, compress_level=1)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def image(pixels: np.ndarray, kept: np.ndarray) -> go.Figure:
    """An image (C, H, W) uint8 under the mask of its pixels, (1 or C, H, W) bool: removed ones are orange.

    Where some channels of a pixel are removed, the orange is as strong as their share.
    """
    colour = np.repeat(pixels, 3, 0) if len(pixels) == 1 else pixels  # (3, H, W)
    share = 1 - kept.mean(0, keepdims=True)  # (1, H, W)
    removed = np.array(ImageColor.getrgb(REMOVED))[:, None, None]
    mixed = np.round(colour * (1 - 0.85 * share) + removed * 0.85 * share).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(mixed.transpose(1, 2, 0)).resize(
        (mixed.shape[2] * 8, mixed.shape[1] * 8), Image.Resampling.NEAREST
    ).save(out, "PNG", compress_level=1)
    source = "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
    picture = {
        "type": "image",
        "source": source,
        "hoverinfo": "skip",
        "x0": -0.4375,
        "dx": 0.125,
        "y0": -0.4375,
        "dy": 0.125,
    }
    rows, columns = np.indices(kept.shape[1:])
    clicks = _clicks(
        columns.ravel(),
        rows.ravel(),
        [["input", int(i)] for i in range(rows.size)],
        [
            f"row {r}, column {c}: {s:.0%} removed"
            for r, c, s in zip(rows.ravel(), columns.ravel(), share.ravel())
        ],
        9,
    )
    shape = {"showgrid": False, "constrain": "domain"}
    height, width = kept.shape[1:]
    return go.Figure(
        [picture, clicks],
        layout(
            x={"title": "pixel column", "range": [-0.5, width - 0.5]} | shape,
            height=300,
            hovermode="closest",
            y={"title": "pixel row", "range": [height - 0.5, -0.5], "scaleanchor": "x"} | shape,
        ),
    )


def _clicks(x, y, custom: list, texts: list[str], size: int) -> dict:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": np.asarray(x, np.float32),
        "y": np.asarray(y, np.float32),
        "customdata": custom,
        "text": texts,
        "marker": {"size": size, "opacity": 0, "symbol": "square"},
        "hovertemplate": "%{text}<extra></extra>",
        "showlegend": False,
    }

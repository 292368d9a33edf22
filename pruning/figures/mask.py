"""Mask of one layer, weight by weight, as an image."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageColor

from pruning.figures.parts import KEPT, REMOVED, Trace, click_points, layout, png_uri
from pruning.figures.plain_figure import PlainFigure

MAX_SIDE = 1000
"""Side of the image in pixels; in larger layers a pixel is the mean of several weights."""
GAP = 255
"""Palette entry of the lines between kernels; 0 (kept) to 254 (removed) are shares."""
MAX_TICKS = 6


@dataclass(frozen=True)
class Axis:
    """Channels or units along one side of a mask.

    Parameters
    ----------
    title : str
        Title of the axis.
    count : int
        Number of channels or units.
    pitch : int
        Distance from one to the next, in weights: 1, or the size of a kernel and the line after it.
    """

    title: str
    count: int
    pitch: int = 1

    def centres(self, indices: np.ndarray) -> np.ndarray:
        """Return positions of the centres of channels or units.

        Parameters
        ----------
        indices : np.ndarray
            (n,) int.

        Returns
        -------
        np.ndarray
            (n,) in weights.
        """
        return indices * self.pitch + max(0, self.pitch - 2) / 2

    def settings(self) -> Trace:
        """Return title and tick labels as of `layout`.

        Returns
        -------
        dict
            Settings of a Plotly axis.
        """
        count = min(self.count, MAX_TICKS)
        labelled = np.unique(np.linspace(0, self.count - 1, count).astype(int))
        return {
            "title": self.title,
            "tickvals": self.centres(labelled),
            "ticktext": [str(index) for index in labelled],
            "showgrid": False,
            "constrain": "domain",
        }


def layer_mask(kept: np.ndarray, layer: str = "") -> PlainFigure:
    """Draw the mask of a layer, removed weights in orange.

    Parameters
    ----------
    kept : np.ndarray
        Mask, bool: (outputs, inputs) of a linear layer or (outputs, inputs, height, width) of a
        convolution.
    layer : str
        Name of the layer.

    Returns
    -------
    PlainFigure
        A linear layer is drawn as its matrix, a convolution as a grid of kernels: a column for
        each output channel, a row for each input channel. Over each output unit is an invisible
        point that can be clicked; its ``customdata`` is [layer, unit].
    """
    removed = (~kept).astype(np.uint8) * 254
    units = np.arange(len(kept))
    is_convolution = kept.ndim == 4
    if is_convolution:
        outputs, inputs, height, width = kept.shape
        picture = _kernel_grid(removed)
        x = Axis("output channel", outputs, width + 1)
        y = Axis("input channel", inputs, height + 1)
        click_x = x.centres(units)
        click_y = np.full(len(units), picture.shape[0] / 2)
    else:
        picture = removed
        x = Axis("input", kept.shape[1])
        y = Axis("output unit", kept.shape[0])
        click_x = np.full(len(units), picture.shape[1] / 2)
        click_y = units
    clicks = click_points(
        click_x.astype(np.float32),
        click_y.astype(np.float32),
        [[layer, unit] for unit in units.tolist()],
        _unit_texts(kept, layer),
        size=10,
    )
    rows, columns = picture.shape
    x_axis = x.settings() | {"range": [-0.5, columns - 0.5]}
    y_axis = y.settings() | {"range": [rows - 0.5, -0.5]}
    y_axis["scaleanchor"] = "x" if is_convolution else False  # a matrix fills the figure
    figure_layout = layout(
        x=x_axis,
        y=y_axis,
        height=300,
        hovermode="closest",
        hoverdistance=400,
    )
    return PlainFigure([_image_trace(picture), clicks], figure_layout)


def _kernel_grid(removed: np.ndarray) -> np.ndarray:
    """Arrange kernels (outputs, inputs, height, width) in a grid with a line between them."""
    outputs, inputs, height, width = removed.shape
    padding = ((0, 0), (0, 0), (0, 1), (0, 1))  # a line after each kernel
    padded = np.pad(removed, padding, constant_values=GAP)
    grid = padded.transpose(1, 2, 0, 3)  # (inputs, height + 1, outputs, width + 1)
    return grid.reshape(inputs * (height + 1), outputs * (width + 1))[:-1, :-1]


def _unit_texts(kept: np.ndarray, layer: str) -> list[str]:
    shares = 1 - kept.reshape(len(kept), -1).mean(1)
    return [f"{layer} unit {unit}: {share:.1%} removed" for unit, share in enumerate(shares)]


def _image_trace(picture: np.ndarray) -> Trace:
    """Draw palette entries, one for each weight, in the coordinates of the weights."""
    shrunk = _shrink(picture)
    row_scale = picture.shape[0] / shrunk.shape[0]  # weights per pixel
    column_scale = picture.shape[1] / shrunk.shape[1]
    return {
        "type": "image",
        "source": _encode(shrunk),
        "hoverinfo": "skip",
        "x0": (column_scale - 1) / 2,
        "dx": column_scale,
        "y0": (row_scale - 1) / 2,
        "dy": row_scale,
    }


def _shrink(picture: np.ndarray) -> np.ndarray:
    """Average neighbouring weights until no side is longer than MAX_SIDE."""
    if max(picture.shape) <= MAX_SIDE:
        return picture
    is_gap = picture == GAP
    sums = _block_sums(np.where(is_gap, 0, picture))
    weights = _block_sums(~is_gap)
    means = np.round(sums / np.maximum(1, weights))
    return np.where(weights > 0, means, GAP).astype(np.uint8)


def _block_sums(values: np.ndarray) -> np.ndarray:
    """Sum blocks of neighbouring entries, so that no side is longer than MAX_SIDE."""
    height, width = values.shape
    row_sums = np.add.reduceat(values.astype(np.float32), _block_starts(height), axis=0)
    return np.add.reduceat(row_sums, _block_starts(width), axis=1)


def _block_starts(length: int) -> np.ndarray:
    blocks = min(length, MAX_SIDE)
    return np.arange(blocks) * length // blocks


def _encode(picture: np.ndarray) -> str:
    kept, removed = np.array(ImageColor.getrgb(KEPT)), np.array(ImageColor.getrgb(REMOVED))
    shares = np.linspace(0, 1, GAP)[:, None]
    colours = np.round(kept + (removed - kept) * shares).astype(np.uint8)
    image = Image.fromarray(picture, mode="P")
    image.putpalette([*colours.ravel().tolist(), 0, 0, 0])
    return png_uri(image, transparency=GAP)


def alt_of_layer_mask(kept: np.ndarray, layer: str) -> str:
    """Describe `layer_mask` in words.

    Parameters
    ----------
    kept : np.ndarray
        As of `layer_mask`.
    layer : str
        Name of the layer.

    Returns
    -------
    str
        Shape and numbers.
    """
    kind = "a grid of kernels" if kept.ndim == 4 else "a matrix"
    shape = " x ".join(str(size) for size in kept.shape)
    return (
        f"Mask of {layer} as {kind}, {shape} weights: "
        f"{int(kept.sum()):,} kept (blue), {int((~kept).sum()):,} removed (orange)."
    )

"""Mask of one layer, weight by weight, as an image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageColor

from pruning.figures.parts import (
    KEPT,
    REMOVED,
    REMOVED_IN_A,
    REMOVED_IN_B,
    Trace,
    click_points,
    layout,
    png_uri,
)
from pruning.figures.plain_figure import PlainFigure

MAX_SIDE = 1000
"""Side of the image in pixels; in larger layers a pixel is the mean of several weights."""
GAP = 255
"""Palette entry of the lines between kernels; 0 (kept) to 254 (removed) are shares."""
MAX_TICKS = 6
DIFFERENCE_COLOURS = (KEPT, REMOVED_IN_A, REMOVED_IN_B, REMOVED)
"""Of a weight that both networks keep, that only A removes, only B, or both."""


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
    return _mask_figure(removed, layer, _unit_texts(kept, layer), _encode_shares)


def mask_difference(first: np.ndarray, second: np.ndarray, layer: str = "") -> PlainFigure:
    """Draw which weights of a layer two networks remove.

    Parameters
    ----------
    first, second : np.ndarray
        Masks in A and in B, bool, of one shape, as of `layer_mask`.
    layer : str
        Name of the layer.

    Returns
    -------
    PlainFigure
        As `layer_mask`: blue if both keep a weight, orange if both remove it, green if only A
        removes it, pink if only B does.
    """
    classes = (~first).astype(np.uint8) + 2 * (~second).astype(np.uint8)
    return _mask_figure(classes, layer, _difference_texts(first, second, layer), _encode_classes)


def _mask_figure(
    values: np.ndarray, layer: str, texts: Sequence[str], encode: Callable[[np.ndarray], str]
) -> PlainFigure:
    """Draw a value for each weight, uint8, as an image that ``encode`` makes."""
    units = np.arange(len(values))
    is_convolution = values.ndim == 4
    if is_convolution:
        outputs, inputs, height, width = values.shape
        picture = _kernel_grid(values)
        x = Axis("output channel", outputs, width + 1)
        y = Axis("input channel", inputs, height + 1)
        click_x = x.centres(units)
        click_y = np.full(len(units), picture.shape[0] / 2)
    else:
        picture = values
        x = Axis("input", values.shape[1])
        y = Axis("output unit", values.shape[0])
        click_x = np.full(len(units), picture.shape[1] / 2)
        click_y = units
    clicks = click_points(
        click_x.astype(np.float32),
        click_y.astype(np.float32),
        [[layer, unit] for unit in units.tolist()],
        texts,
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
    return PlainFigure([_image_trace(picture, encode(picture)), clicks], figure_layout)


def _kernel_grid(values: np.ndarray) -> np.ndarray:
    """Arrange kernels (outputs, inputs, height, width) in a grid with a line between them."""
    outputs, inputs, height, width = values.shape
    padding = ((0, 0), (0, 0), (0, 1), (0, 1))  # a line after each kernel
    padded = np.pad(values, padding, constant_values=GAP)
    grid = padded.transpose(1, 2, 0, 3)  # (inputs, height + 1, outputs, width + 1)
    return grid.reshape(inputs * (height + 1), outputs * (width + 1))[:-1, :-1]


def _unit_texts(kept: np.ndarray, layer: str) -> list[str]:
    shares = 1 - kept.reshape(len(kept), -1).mean(1)
    return [f"{layer} unit {unit}: {share:.1%} removed" for unit, share in enumerate(shares)]


def _difference_texts(first: np.ndarray, second: np.ndarray, layer: str) -> list[str]:
    shares_a = 1 - first.reshape(len(first), -1).mean(1)
    shares_b = 1 - second.reshape(len(second), -1).mean(1)
    texts = []
    for unit, (share_a, share_b) in enumerate(zip(shares_a, shares_b, strict=True)):
        texts.append(f"{layer} unit {unit}: {share_a:.1%} removed in A, {share_b:.1%} in B")
    return texts


def _image_trace(picture: np.ndarray, source: str) -> Trace:
    """Draw an encoded picture, one entry for each weight, in the coordinates of the weights."""
    rows, columns = picture.shape
    row_scale = rows / min(rows, MAX_SIDE)  # weights per pixel
    column_scale = columns / min(columns, MAX_SIDE)
    return {
        "type": "image",
        "source": source,
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


def _encode_shares(picture: np.ndarray) -> str:
    """Encode shares from 0 (kept) to 254 (removed)."""
    kept, removed = np.array(ImageColor.getrgb(KEPT)), np.array(ImageColor.getrgb(REMOVED))
    shares = np.linspace(0, 1, GAP)[:, None]
    colours = np.round(kept + (removed - kept) * shares).astype(np.uint8)
    return _encode_palette(_shrink(picture), colours)


def _encode_classes(picture: np.ndarray) -> str:
    """Encode what two networks do with each weight, in the order of ``DIFFERENCE_COLOURS``."""
    colours = np.array([ImageColor.getrgb(colour) for colour in DIFFERENCE_COLOURS], np.uint8)
    if max(picture.shape) <= MAX_SIDE:
        return _encode_palette(picture, colours)
    is_weight = picture != GAP
    counts = _block_sums(is_weight)
    classes = np.where(is_weight, picture, 0)
    channels = []
    for channel in colours.T:  # red, green, blue
        sums = _block_sums(np.where(is_weight, channel[classes], 0))
        channels.append(sums / np.maximum(1, counts))
    opacity = 255.0 * (counts > 0)
    return png_uri(Image.fromarray(np.round(np.dstack([*channels, opacity])).astype(np.uint8)))


def _encode_palette(picture: np.ndarray, colours: np.ndarray) -> str:
    """Encode indices of colours (n, 3); `GAP` is transparent."""
    palette = np.zeros((GAP + 1, 3), np.uint8)
    palette[: len(colours)] = colours
    image = Image.fromarray(picture, mode="P")
    image.putpalette(palette.ravel().tolist())
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


def alt_of_mask_difference(first: np.ndarray, second: np.ndarray, layer: str) -> str:
    """Describe `mask_difference` in words.

    Parameters
    ----------
    first, second : np.ndarray
        As of `mask_difference`.
    layer : str
        Name of the layer.

    Returns
    -------
    str
        Number of weights of each colour.
    """
    both_kept, both_removed = int((first & second).sum()), int((~first & ~second).sum())
    only_a, only_b = int((~first & second).sum()), int((first & ~second).sum())
    return (
        f"Masks of {layer} in A and B: {both_kept:,} weights kept in both (blue), "
        f"{both_removed:,} removed in both (orange), {only_a:,} removed in A only (green), "
        f"{only_b:,} removed in B only (pink)."
    )

"""An image under the mask of its pixels."""

import numpy as np
from PIL import Image, ImageColor

from pruning.figures.parts import REMOVED, click_points, layout, pixel_axes, png_uri
from pruning.figures.pixels import displayed
from pruning.figures.plain_figure import PlainFigure

ZOOM = 8
"""Each pixel is drawn as a square of so many pixels a side."""
OPACITY = 0.85
"""Opacity of the colour over a removed pixel."""


def image_mask(pixels: np.ndarray, kept: np.ndarray) -> PlainFigure:
    """Draw an image with removed pixels in orange.

    Parameters
    ----------
    pixels : np.ndarray
        (C, H, W), as of `displayed`.
    kept : np.ndarray
        (1 or C, H, W) bool.

    Returns
    -------
    PlainFigure
        Where some channels of a pixel are removed, the orange is as strong as their share. The
        ``customdata`` of a pixel is ["input", its index].
    """
    share = 1 - kept.mean(0)  # (H, W)
    height, width = share.shape
    rows, columns = np.indices(share.shape)
    texts = []
    for row, column, removed in zip(rows.ravel(), columns.ravel(), share.ravel(), strict=True):
        texts.append(f"row {row}, column {column}: {removed:.0%} removed")
    picture = {
        "type": "image",
        "source": _encode(pixels, share),
        "hoverinfo": "skip",
        "x0": (1 / ZOOM - 1) / 2,
        "dx": 1 / ZOOM,
        "y0": (1 / ZOOM - 1) / 2,
        "dy": 1 / ZOOM,
    }
    clicks = click_points(
        columns.ravel().astype(np.float32),
        rows.ravel().astype(np.float32),
        [["input", index] for index in range(share.size)],
        texts,
        size=9,
    )
    x_axis, y_axis = pixel_axes(height, width)
    figure_layout = layout(x=x_axis, y=y_axis, height=300, hovermode="closest")
    return PlainFigure([picture, clicks], figure_layout)


def _encode(pixels: np.ndarray, share: np.ndarray) -> str:
    shown = displayed(pixels)
    colours = np.repeat(shown, 3, 0) if len(shown) == 1 else shown  # (3, H, W)
    removed = np.array(ImageColor.getrgb(REMOVED))[:, None, None]
    opacity = OPACITY * share
    mixed = np.round(colours * (1 - opacity) + removed * opacity).astype(np.uint8)
    _, height, width = mixed.shape
    image = Image.fromarray(mixed.transpose(1, 2, 0))
    return png_uri(image.resize((width * ZOOM, height * ZOOM), Image.Resampling.NEAREST))


def alt_of_image_mask(kept: np.ndarray) -> str:
    """Describe `image_mask` in words.

    Parameters
    ----------
    kept : np.ndarray
        (1 or C, H, W) bool.

    Returns
    -------
    str
        Share of removed pixels.
    """
    removed = 1 - kept.mean()
    return f"A test image under the mask of its pixels: {removed:.1%} removed (orange)."

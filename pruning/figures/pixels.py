"""Pixels as they are shown."""

import numpy as np

COLOUR_CHANNELS = (1, 3)


def displayed(pixels: np.ndarray) -> np.ndarray:
    """Return images with pixels that can be shown.

    Parameters
    ----------
    pixels : np.ndarray
        (..., C, H, W), uint8, or float32 of a user's own data.

    Returns
    -------
    np.ndarray
        (..., 1 or 3, H, W) uint8. Numbers are scaled from their lowest to their highest; more
        channels than those of a colour become their mean.
    """
    if pixels.shape[-3] not in COLOUR_CHANNELS:
        pixels = pixels.mean(-3, keepdims=True, dtype=np.float32)
    if pixels.dtype == np.uint8:
        return pixels
    low, high = float(pixels.min()), float(pixels.max())
    scaled = (pixels - low) / ((high - low) or 1.0)
    return np.rint(255 * scaled).astype(np.uint8)

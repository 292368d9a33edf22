"""Images that a visitor draws or uploads, made like those of a dataset."""

import base64
import binascii
import io
import threading
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from pruning.data.base import Dataset

MAX_BYTES = 5_000_000
MAX_PIXELS = 25_000_000
REDUCED = 512
"""Greatest side of a picture after reading, in pixels."""
ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture upright, by its orientation in the metadata (Exif)."""
FORMATS = ("PNG", "JPEG")
BRIGHT = 127
"""Median of the border from which a picture is dark ink on a bright ground."""
INK_SHARE = 0.2
"""Share of the darkest ink below which a pixel counts as ground."""
MAX_TEXT = 2_000
"""Characters of an image in a link."""

_decoding = threading.Lock()


@dataclass(frozen=True, eq=False)
class OwnImage:
    """An image that a visitor has made.

    Parameters
    ----------
    pixels : np.ndarray
        (C, H, W) uint8, like the images of the dataset.
    dataset : str
        Name of the dataset.
    """

    pixels: np.ndarray
    dataset: str


def picture_pixels(content: bytes) -> int:
    """Return the number of pixels of a picture, from its header.

    Parameters
    ----------
    content : bytes
        Content of a PNG or JPEG file.

    Returns
    -------
    int
        0 if it is not readable.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            return image.size[0] * image.size[1]
    except Exception:  # `read_image` describes it
        return 0


def read_image(content: bytes) -> Image.Image:
    """Read an uploaded picture; one at a time, because a decoded picture needs much memory.

    Parameters
    ----------
    content : bytes
        Content of a PNG or JPEG file.

    Returns
    -------
    Image.Image
        RGB, turned as its metadata say, at most `REDUCED` pixels a side; transparent parts are
        white.

    Raises
    ------
    ValueError
        The file is too large, or no such picture.
    """
    if len(content) > MAX_BYTES:
        raise ValueError(f"the file has more than {MAX_BYTES // 1_000_000} MB")
    with _decoding:
        try:
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                size = image.size
                if size[0] * size[1] <= MAX_PIXELS:
                    return _decoded(image)
        except Exception as error:  # decoders raise many kinds for broken files
            raise ValueError(
                f"the file is not a readable picture: choose a {' or '.join(FORMATS)} file"
            ) from error
    raise ValueError(
        f"the picture has {size[0]} x {size[1]} pixels: at most "
        f"{MAX_PIXELS // 1_000_000} million are read"
    )


def _decoded(image: Image.Image) -> Image.Image:
    """Decode and reduce a picture."""
    image.draft("RGB", (REDUCED, REDUCED))  # a JPEG is decoded at a fraction of its size
    if image.mode.startswith("I"):  # 16 bits
        image = image.point(lambda value: value / 256).convert("L")
    has_alpha = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
    image = image.convert("RGBA" if has_alpha else "RGB")
    image.thumbnail((REDUCED, REDUCED), Image.Resampling.BOX)
    if turn is not None:
        image = image.transpose(turn)
    if not has_alpha:
        return image
    ground = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(ground, image).convert("RGB")


def image_like(dataset: Dataset, picture: Image.Image) -> np.ndarray:
    """Make an image of a dataset from a picture.

    Parameters
    ----------
    dataset : Dataset
        The dataset whose images a network expects.
    picture : Image.Image
        RGB.

    Returns
    -------
    np.ndarray
        (C, H, W) uint8: of digits see `digit_like`; else the central square, reduced.

    Raises
    ------
    ValueError
        There is no ink in the picture of a digit.
    """
    if dataset.digit_box:
        return digit_like(dataset, bright_ink(np.asarray(picture.convert("L"), np.float32)))
    square = ImageOps.fit(picture, (dataset.size, dataset.size), Image.Resampling.BOX)
    return np.asarray(square).transpose(2, 0, 1).copy()


def bright_ink(grey: np.ndarray) -> np.ndarray:
    """Turn a picture into bright ink on a black ground.

    Parameters
    ----------
    grey : np.ndarray
        (H, W) float from 0 to 255.

    Returns
    -------
    np.ndarray
        (H, W) float from 0 (ground) to 255; the ground is what most of the border is.
    """
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ground = float(np.median(border))
    ink = ground - grey if ground > BRIGHT else grey - ground
    ink = np.clip(ink, 0, None)
    strongest = ink.max()
    if strongest == 0:
        return ink
    ink *= 255 / strongest
    ink[ink < INK_SHARE * 255] = 0
    return ink


def digit_like(dataset: Dataset, ink: np.ndarray) -> np.ndarray:
    """Make an image of a digit as MNIST's were made.

    The digit is scaled into a box with its proportions kept, and placed so that its centre of mass
    is in the centre of the image (LeCun et al. 1998, "Gradient-Based Learning Applied to Document
    Recognition", section III.A).

    Parameters
    ----------
    dataset : Dataset
        Of digits: gives the size of the image and of the box.
    ink : np.ndarray
        (H, W) float, 0 (ground) to 255.

    Returns
    -------
    np.ndarray
        (1, size, size) uint8.

    Raises
    ------
    ValueError
        There is no ink.
    """
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    if not len(rows):
        raise ValueError("the picture is empty: draw a digit")
    digit = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = dataset.digit_box / max(digit.shape)
    height, width = (max(1, round(side * scale)) for side in digit.shape)
    picture = Image.fromarray(digit.astype(np.float32))
    scaled = np.asarray(picture.resize((width, height), Image.Resampling.BOX))
    image = np.zeros((dataset.size, dataset.size), np.float32)
    top = _offset(scaled.sum(1), dataset.size)
    left = _offset(scaled.sum(0), dataset.size)
    image[top : top + height, left : left + width] = scaled
    return np.rint(image).clip(0, 255).astype(np.uint8)[None]


def _offset(profile: np.ndarray, size: int) -> int:
    """Return where a profile begins, so that its centre of mass is in the centre of the image."""
    centre = float((profile * np.arange(len(profile))).sum() / profile.sum())
    offset = round(size / 2 - centre)  # as in MNIST: the mean centre of its images is 14.0
    return min(max(offset, 0), size - len(profile))


def image_to_text(pixels: np.ndarray) -> str:
    """Write an image into a text for a link.

    Parameters
    ----------
    pixels : np.ndarray
        (C, H, W) uint8.

    Returns
    -------
    str
        Compressed; letters, digits, hyphens and underscores.
    """
    return base64.urlsafe_b64encode(zlib.compress(pixels.tobytes(), 9)).decode().rstrip("=")


def image_from_text(text: str, dataset: Dataset) -> np.ndarray:
    """Read the text of `image_to_text`.

    Parameters
    ----------
    text : str
        Any text.
    dataset : Dataset
        Gives the shape of the image.

    Returns
    -------
    np.ndarray
        (C, H, W) uint8.

    Raises
    ------
    ValueError
        The text is too long, or is no image of this shape.
    """
    problem = (
        f"drawn must be an image of {dataset.size} x {dataset.size} pixels as a page writes it"
    )
    if len(text) > MAX_TEXT:
        raise ValueError(problem)
    shape = (dataset.channels, dataset.size, dataset.size)
    length = int(np.prod(shape))
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        content = zlib.decompressobj().decompress(data, length + 1)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise ValueError(problem) from error
    if len(content) != length:
        raise ValueError(problem)
    return np.frombuffer(content, np.uint8).reshape(shape).copy()

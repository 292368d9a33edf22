"""Images in a ZIP archive with a folder for each class, as anybody may send them."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from pruning.data.own_image import MAX_BYTES, picture_pixels, read_image
from pruning.runtime.errors import DatasetError
from pruning.runtime.progress import ShareReport, ignore_progress

MAX_IMAGES = 60_000
MAX_CLASSES = 200
MAX_UNPACKED = 500_000_000
"""Limit on the bytes of all pictures, before they are decoded."""
MAX_ARRAY = 60_000_000
"""Limit on the bytes of all images, after they are decoded and reduced."""
PARTS = ("train", "test")
MAX_MEMBERS = 65_000
END_OF_DIRECTORY, COUNT_AT = b"PK\x05\x06", 10
"""Signature of the last record, and where it has the number of members (APPNOTE 4.3.16)."""
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
REPORT_EVERY = 5
MAX_PIXELS = 3_000_000_000
"""Limit on the pixels of all pictures, before they are reduced."""
JUNK = (".txt", ".md", ".csv", ".json", ".ini", ".db")
"""Files beside pictures that are left out."""


@dataclass(frozen=True)
class ImageFolders:
    """Images and labels that were read from an archive.

    Parameters
    ----------
    data : tuple or dict
        As of `register_dataset`.
    classes : tuple of str
        Names of the folders, sorted.
    """

    data: Any
    classes: tuple[str, ...]


@dataclass(frozen=True)
class _Picture:
    """A picture of the archive: where it is, and what it is of."""

    member: zipfile.ZipInfo
    part: str
    class_name: str


def read_image_archive(
    content: bytes, channels: int, size: int, report: ShareReport = ignore_progress
) -> ImageFolders:
    """Read pictures from a ZIP archive.

    Parameters
    ----------
    content : bytes
        An archive of ``class/picture.png``, or of ``train/class/picture.png`` and
        ``test/class/picture.png``; PNG or JPEG, in one more folder if all are in it.
    channels : int
        1 for grey images, 3 for colour.
    size : int
        Height and width of the images: the central square of a picture, resized.
    report : callable
        Called with the share of the pictures that are read.

    Returns
    -------
    ImageFolders
        uint8 images (N, channels, size, size) with labels.

    Raises
    ------
    DatasetError
        If it is no such archive, or exceeds a limit; the message says what and where. Nothing is
        written to the disk.
    """
    _check_member_count(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            pictures = _pictures(archive.infolist())
            classes = _classes(pictures)
            _check_limits(pictures, channels, size)
            images = _images(archive, pictures, channels, size, report)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
        raise DatasetError(f"the file is not a readable ZIP archive ({error})") from error
    numbers = {name: number for number, name in enumerate(classes)}
    labels = np.array([numbers[picture.class_name] for picture in pictures], np.int64)
    parts = np.array([picture.part for picture in pictures])
    if not parts[0]:
        return ImageFolders((images, labels), classes)
    data = {}
    for part in PARTS:
        is_of_part = parts == part
        data[part] = images[is_of_part], labels[is_of_part]
    return ImageFolders(data, classes)


def _check_member_count(content: bytes) -> None:
    """Read the number of members at the end of the archive, before a list of them is made."""
    end = content.rfind(END_OF_DIRECTORY)
    count = content[end + COUNT_AT : end + COUNT_AT + 2] if end >= 0 else b""
    members = int.from_bytes(count, "little")
    if members > MAX_MEMBERS:
        raise DatasetError(f"the archive has {members:,} files or more, at most {MAX_MEMBERS:,}")


def _pictures(members: Sequence[zipfile.ZipInfo]) -> list[_Picture]:
    paths = []
    for member in members:
        path = PurePosixPath(member.filename)
        if ".." in path.parts or path.is_absolute():
            raise DatasetError(f"{member.filename[:80]!r} is outside the archive's folders")
        is_hidden = any(part.startswith((".", "__")) for part in path.parts)
        is_junk = path.suffix.lower() in JUNK
        if member.is_dir() or is_hidden or is_junk:  # such as __MACOSX and Thumbs.db
            continue
        paths.append((member, path.parts))
    if not paths:
        raise DatasetError("the archive has no pictures: it needs a folder for each class")
    paths = _without_common_folder(paths)
    has_parts = {parts[0].lower() for _, parts in paths} == set(PARTS)
    depth = 3 if has_parts else 2
    pictures = []
    for member, parts in paths:
        if len(parts) != depth:
            raise DatasetError(
                f"{'/'.join(parts)[:80]!r} is not in the folder of a class: put pictures into "
                "class/ or into train/class/ and test/class/"
            )
        pictures.append(_Picture(member, parts[0].lower() if has_parts else "", parts[-2]))
    return pictures


def _without_common_folder(
    paths: list[tuple[zipfile.ZipInfo, tuple[str, ...]]],
) -> list[tuple[zipfile.ZipInfo, tuple[str, ...]]]:
    """Leave out a folder that has all others."""
    tops = {parts[0] for _, parts in paths}
    is_nested = len(tops) == 1 and all(len(parts) > 2 for _, parts in paths)
    return [(member, parts[1:]) for member, parts in paths] if is_nested else paths


def _classes(pictures: Sequence[_Picture]) -> tuple[str, ...]:
    classes = sorted({picture.class_name for picture in pictures})
    if not 2 <= len(classes) <= MAX_CLASSES:
        raise DatasetError(
            f"the archive has {len(classes):,} folders of classes, not 2 to {MAX_CLASSES:,}"
        )
    return tuple(classes)


def _check_limits(pictures: Sequence[_Picture], channels: int, size: int) -> None:
    """Check what the archive says of its members, before any is unpacked."""
    if len(pictures) > MAX_IMAGES:
        raise DatasetError(f"the archive has {len(pictures):,} pictures, at most {MAX_IMAGES:,}")
    unpacked = sum(picture.member.file_size for picture in pictures)
    if unpacked > MAX_UNPACKED:
        raise DatasetError(
            f"the pictures take {unpacked:,} bytes unpacked, at most {MAX_UNPACKED:,}"
        )
    needed = len(pictures) * channels * size**2
    if needed > MAX_ARRAY:
        raise DatasetError(
            f"{len(pictures):,} images of {size} x {size} pixels take {needed:,} bytes, at most "
            f"{MAX_ARRAY:,}: choose smaller images, or send fewer"
        )
    for picture in pictures:
        member = picture.member
        if member.flag_bits & 1 or member.compress_type not in METHODS:
            raise DatasetError(
                f"{member.filename[:80]!r} is encrypted or compressed by a method other than "
                "deflate: pack the archive anew"
            )
        if member.file_size > MAX_BYTES:
            raise DatasetError(f"{member.filename[:80]!r} has more than {MAX_BYTES:,} bytes")


def _images(
    archive: zipfile.ZipFile,
    pictures: Sequence[_Picture],
    channels: int,
    size: int,
    report: ShareReport,
) -> np.ndarray:
    images = np.empty((len(pictures), channels, size, size), np.uint8)
    pixels = 0
    for index, picture in enumerate(pictures):
        name = picture.member.filename
        try:
            content = archive.read(picture.member)  # not more than the size that was checked
            pixels += picture_pixels(content)
            if pixels > MAX_PIXELS:
                raise ValueError(f"the pictures have more than {MAX_PIXELS:,} pixels: reduce them")
            images[index] = _resized(read_image(content), channels, size)
        except zipfile.BadZipFile as error:
            raise DatasetError(f"{name[:80]!r} is damaged in the archive") from error
        except ValueError as error:
            raise DatasetError(f"{name[:80]!r}: {error}") from error
        except Exception as error:  # a damaged member may raise any exception of its decoder
            raise DatasetError(f"{name[:80]!r} cannot be unpacked") from error
        if index % REPORT_EVERY == 0:
            report(index / len(pictures))
    return images


def _resized(picture: Image.Image, channels: int, size: int) -> np.ndarray:
    square = ImageOps.fit(picture, (size, size), Image.Resampling.BOX)
    if channels == 1:
        return np.asarray(square.convert("L"))[None]
    return np.asarray(square).transpose(2, 0, 1)

"""The images of a visitor's network: those of this machine, or a file."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from pages.state.background_task import Task, TaskProgress, draw_task, wait_for
from pages.state.messages import escape_markdown, sentence_of
from pages.state.own_networks import (
    DATASET,
    free_label,
    own_names,
    own_uploads,
    owner_of_uploads,
)
from pages.state.session import SessionState, session
from pages.state.visitor import forget_upload
from pages.state.widgets import segments, select
from pruning.data import datasets
from pruning.data.datasets import DATASETS, Dataset
from pruning.data.image_archive import MAX_ARRAY, MAX_IMAGES, read_image_archive
from pruning.data.own_dataset import (
    channel_statistics,
    check_shared_limits,
    read_own_npz,
    register_dataset,
)
from pruning.figures.tiles import colour_images
from pruning.runtime.own_uploads import Upload
from pruning.runtime.progress import part_of

TASK = "own data"
UPLOADED = "A file of mine"
FROM_TRAINING, AS_THEY_ARE, OWN_NUMBERS = "From the training images", "As they are", "My numbers"
NORMALISATIONS = (FROM_TRAINING, AS_THEY_ARE, OWN_NUMBERS)
COLOURS = {"Grey": 1, "Colour": 3}
MIN_SIDE, MAX_SIDE = 8, 128
READ_SHARE = 0.9
"""Of the work, until the images are registered."""
MAX_LABEL = 40
SHOWN_IMAGES = 8
SHOWN_SIDE = 64
SHOWN_CLASSES = 20
NPZ_HELP = (
    "An **.npz** file of NumPy has the arrays `x_train`, `y_train`, `x_test` and `y_test`, or `x` "
    "and `y`, of which a fifth is held out for testing: images (N, channels, height, width), "
    "(N, height, width, channels) or (N, height, width) of bytes or floating-point numbers, or "
    "vectors (N, features), and labels from 0. A **.zip** file has a folder of PNG or JPEG "
    "pictures for each class, or `train` and `test` with such folders."
)


@dataclass(frozen=True)
class _Settings:
    """How a file is read."""

    label: str
    channels: int
    size: int
    normalisation: str
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


def choose_data() -> Dataset | None:
    """Draw the choice of the images, and read a file that was uploaded.

    Returns
    -------
    Dataset or None
        None until a file is read.
    """
    names = [name for name in DATASETS if datasets.available(name)]
    options = [*names, *own_names(DATASET), UPLOADED]
    if session.own_opened is not None:
        session.own_data, session.own_opened = session.own_opened, None
    chosen = select(
        "Images",
        options,
        SessionState.own_data.key,
        format_func=lambda name: name if name == UPLOADED else DATASETS[name].label,
    )
    if chosen == UPLOADED:
        _read_file()
        return None
    data = DATASETS[chosen]
    draw_dataset(data)
    return data


def _read_file() -> None:
    upload = st.file_uploader(
        f"Images and labels (.npz, .zip; up to {MAX_IMAGES:,} images, "
        f"{MAX_ARRAY // 1_000_000} MB unpacked)",
        ["npz", "zip"],
        key=_key("file"),
        help=NPZ_HELP,
    )
    if upload is None:
        st.caption(NPZ_HELP)
        return
    try:
        settings = _draw_settings(upload.name)
    except ValueError as error:
        st.error(escape_markdown(f"{error}."))
        return
    task = _task(upload, settings)
    name = wait_for(task)
    if name is None:
        draw_or_refuse(task, DATASET)
        return
    forget_upload(upload)
    session.own_files += 1  # the next run has another uploader and another task
    session.own_opened = name
    st.rerun()


def draw_or_refuse(task: Task, kind: str) -> None:
    """Draw the button of a task that keeps an upload, unless the visitor has as many as possible.

    Parameters
    ----------
    task : Task
        The task.
    kind : str
        ``"network"`` or ``"dataset"``.
    """
    refusal = own_uploads().why_full(owner_of_uploads(), kind)
    if refusal:
        st.warning(escape_markdown(sentence_of(refusal)))
    else:
        draw_task(task)


def _key(name: str) -> str:
    return SessionState.own_widgets.of("data", name, session.own_files)


def _draw_settings(file_name: str) -> _Settings:
    """Draw how the file is read; ValueError if a number is not valid."""
    label = st.text_input(
        "Name of the images", file_name.rpartition(".")[0][:MAX_LABEL], MAX_LABEL, key=_key("label")
    )
    channels = size = 0
    if file_name.lower().endswith(".zip"):
        left, right = st.columns(2)
        colour = segments("Pictures become", list(COLOURS), _key("colour"), left, default=1)
        channels = COLOURS[colour]
        size = int(
            right.number_input(
                "Height and width in pixels",
                MIN_SIDE,
                MAX_SIDE,
                32,
                key=_key("size"),
                help="The central square of a picture is resized to it.",
            )
        )
    normalisation = segments(
        "Normalised",
        NORMALISATIONS,
        _key("normalisation"),
        help="A network expects images as it was trained with: minus the mean of each channel, "
        "divided by its standard deviation. Numbers are of pixels from 0 to 1.",
    )
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    if normalisation == OWN_NUMBERS:
        left, right = st.columns(2)
        mean = _numbers(left.text_input("Mean of each channel", "0.5", key=_key("mean")))
        std = _numbers(right.text_input("Standard deviation of each", "0.5", key=_key("std")))
    return _Settings(label.strip() or "My images", channels, size, normalisation, mean, std)


def _numbers(text: str) -> tuple[float, ...]:
    """Read numbers with commas between them."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(
            f"{text[:MAX_LABEL]!r} is not a number for each channel, such as 0.49, 0.48, 0.45"
        ) from None
    if not np.isfinite(numbers).all():
        raise ValueError("mean and standard deviation must be finite numbers")
    return numbers


def _task(upload: Any, settings: _Settings) -> Task:
    owner = owner_of_uploads()
    uploads = own_uploads()

    def work(report: Callable[[TaskProgress], None]) -> str:
        def report_share(share: float) -> None:
            report(TaskProgress(share))

        data, classes = _content(upload, settings, part_of(report_share, 0.0, READ_SHARE))
        mean, std = settings.mean, settings.std
        if settings.normalisation == FROM_TRAINING:
            mean, std = channel_statistics(data)
        label = free_label(DATASET, settings.label, owner, UPLOADED)
        dataset = register_dataset(data, mean=mean, std=std, classes=classes, label=label)
        uploads.keep(owner, Upload(DATASET, dataset.name, dataset.label, _bytes_of(dataset)))
        return dataset.name

    return Task(
        name=TASK,
        key=(TASK, owner, session.visitor, session.own_files, upload.file_id, settings),
        work=work,
        label="Read the images",
        icon=":material/upload_file:",
        subject="The images",
        done="read",
    )


def _content(upload: Any, settings: _Settings, report: Any) -> tuple[Any, tuple[str, ...]]:
    """Return data as of `register_dataset`, and the names of the classes."""
    content = bytes(upload.getbuffer())
    if settings.channels:
        folders = read_image_archive(content, settings.channels, settings.size, report)
        return folders.data, folders.classes
    data = read_own_npz(content, MAX_ARRAY)
    check_shared_limits(data)
    return data, ()


def _bytes_of(data: Dataset) -> int:
    assert data.own is not None
    arrays = (*data.own.train, *data.own.test)
    return sum(array.nbytes for array in arrays)


def draw_dataset(data: Dataset) -> None:
    """Draw what a dataset is: some images, its splits, and what is done to its pixels.

    Parameters
    ----------
    data : Dataset
        On this machine.
    """
    pictures, table = st.columns(2)
    with table:
        _draw_splits(data)
    tests = datasets.load(data.name, "test")
    with pictures:
        if data.accepts_pictures:
            labels = tests.labels[:SHOWN_IMAGES].tolist()
            names = [data.classes[label] for label in labels]
            _draw_images(tests.pixels[:SHOWN_IMAGES].numpy(), names)
        shape = f"{data.channels} x {data.size} x {data.size}"
        classes = ", ".join(data.classes[:SHOWN_CLASSES])
        more = "" if len(data.classes) <= SHOWN_CLASSES else ", ..."
        text = f"Images {shape}; {len(data.classes)} classes: {classes}{more}."
        st.caption(escape_markdown(f"{text} {_normalisation(data)}"))


def _draw_splits(data: Dataset) -> None:
    training = data.train_images - data.validation_images
    splits = pd.DataFrame(
        {
            "split": ["train", "validation", "test"],
            "images": [training, data.validation_images, data.test_images],
            "used for": [
                "scores and training",
                "choosing, such as a threshold or a plan",
                "every accuracy that is shown",
            ],
        }
    )
    st.dataframe(splits, hide_index=True, key=f"splits {data.name}")


def _draw_images(pixels: np.ndarray, labels: list[str]) -> None:
    with st.container(horizontal=True, gap="small"):
        for image, label in zip(colour_images(pixels), labels, strict=True):
            picture = Image.fromarray(np.ascontiguousarray(image))
            enlarged = picture.resize((SHOWN_SIDE, SHOWN_SIDE), Image.Resampling.NEAREST)
            st.image(enlarged, caption=escape_markdown(label[:MAX_LABEL]), width=SHOWN_SIDE)


def _normalisation(data: Dataset) -> str:
    if all(value == 0 for value in data.mean) and all(value == 1 for value in data.std):
        return "Pixels are used as they are."
    means = ", ".join(f"{value:.4f}" for value in data.mean[:3])
    deviations = ", ".join(f"{value:.4f}" for value in data.std[:3])
    more = "" if data.channels <= 3 else ", ..."
    return f"Normalised by mean {means}{more} and standard deviation {deviations}{more}."

"""The images whose predictions pruning has changed."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from pages.inside.gallery import Tile, chosen_image, draw_gallery
from pages.inside.networks import Compared
from pages.state.session import SessionState, session
from pages.state.tables import Download, draw_downloads
from pages.state.url import CHANGES, TEST_IMAGE
from pages.state.widgets import segments
from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.experiments.predictions import PredictionSet
from pruning.figures.html_page import html_page
from pruning.figures.plain_figure import PlainFigure
from pruning.figures.tiles import colour_images, tiles
from pruning.inference.predictions import PredictionChange

COLUMNS, ROWS = 12, 3
ROW_HEIGHT = 122
LONGEST = 5
"""Characters of the name of a class below an image."""
EMPTY_TEXTS = {
    "all": "Both networks predict the same class for every image: remove more.",
    "lost": "No image is lost: remove more.",
    "gained": "No image is gained.",
    "back": "No image came back.",
}


def draw_forgotten(compared: Compared, known: PredictionSet) -> None:
    """Draw the images whose prediction has changed, most confidence lost first.

    Parameters
    ----------
    compared : Compared
        The networks.
    known : PredictionSet
        Their predictions.
    """
    change = compared.change(known.predictions)
    options = list(CHANGES) if len(compared.stages) > 2 else list(CHANGES)[:-1]
    chosen = segments(
        "Images",
        options,
        SessionState.changes.key,
        format_func=CHANGES.get,
        label_visibility="collapsed",
    )
    indices = _selected(chosen, change, known)
    if not len(indices):
        st.info(EMPTY_TEXTS[chosen])
        return
    shown = indices[: COLUMNS * ROWS]
    st.caption(_description(chosen, compared, len(indices), len(shown)))
    tiles_shown = [_tile(change, compared, index) for index in shown.tolist()]
    pixels = datasets.load(compared.recipes[0].dataset, "test").pixels[shown].numpy()
    draw_gallery(tiles_shown, pixels, _open_image)
    table = _table(change, compared, indices)
    with st.expander("All of them as a table"):
        st.dataframe(table, hide_index=True, column_config=_column_config(table))
    draw_downloads(
        "changed-images",
        [
            Download("Table as CSV", "csv", "text/csv", table.to_csv(index=False)),
            Download(
                "Figure as HTML",
                "html",
                "text/html",
                lambda: html_page(
                    "Changed predictions", {CHANGES[chosen]: _figure(tiles_shown, pixels)}
                ),
            ),
        ],
    )


def _selected(chosen: str, change: PredictionChange, known: PredictionSet) -> np.ndarray:
    """Return the indices of the chosen images."""
    if chosen == "back":
        dense, pruned, last = known.predictions
        came_back = dense.is_correct & ~pruned.is_correct & last.is_correct
        pruning = PredictionChange(dense, pruned)
        return pruning.flipped[came_back[pruning.flipped]]
    if chosen == "all":
        return change.flipped
    mask = change.lost if chosen == "lost" else change.gained
    return change.flipped[mask[change.flipped]]


def _description(chosen: str, compared: Compared, count: int, shown: int) -> str:
    before, after = compared.names
    first = f"the first {shown} of {count:,}" if shown < count else f"{count:,}"
    order = "sorted by the confidence that was lost"
    if chosen == "back":
        return (
            f"Images that came back, {first}, {order} by pruning. Below each: the true class. "
            "Click one to follow it through the network."
        )
    return (
        f"{CHANGES[chosen]}: {first}, {order}. Below each: class predicted by the {before} and by "
        f"the {after} network. Click one to follow it through the network."
    )


def _tile(change: PredictionChange, compared: Compared, index: int) -> Tile:
    classes = DATASETS[compared.recipes[0].dataset].classes
    first = classes[change.before.predicted[index]]
    second = classes[change.after.predicted[index]]
    label = f"{_short(first)} \N{RIGHTWARDS ARROW} {_short(second)}"
    parts = [f"Test image {index}, {classes[change.before.labels[index]]}"]
    for name, predictions in zip(compared.names, (change.before, change.after), strict=True):
        predicted = classes[predictions.predicted[index]]
        parts.append(f"{name}: {predicted} ({predictions.confidence[index]:.1%})")
    return Tile(index, _short(first) if first == second else label, "; ".join(parts))


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}."


def _figure(shown: Sequence[Tile], pixels: np.ndarray) -> PlainFigure:
    rows = -(-len(shown) // COLUMNS)
    return tiles(
        colour_images(pixels),
        texts=[tile.text for tile in shown],
        labels=[tile.label for tile in shown],
        columns=COLUMNS,
        height=ROW_HEIGHT * rows,
    )


def _open_image() -> None:
    """Show a clicked image, in a callback."""
    index = chosen_image()
    if index is not None:
        session.image = index
        session.image_source = TEST_IMAGE
        session.section = "image"


def _table(change: PredictionChange, compared: Compared, indices: np.ndarray) -> pd.DataFrame:
    classes = np.array(DATASETS[compared.recipes[0].dataset].classes)
    before, after = change.before, change.after
    return pd.DataFrame(
        {
            "image": indices,
            "class": classes[before.labels[indices]],
            "before": classes[before.predicted[indices]],
            "confidence_before": before.confidence[indices],
            "after": classes[after.predicted[indices]],
            "confidence_after": after.confidence[indices],
            "confidence_lost": change.confidence_lost[indices],
        }
    )


def _column_config(table: pd.DataFrame) -> dict[str, object]:
    number = st.column_config.NumberColumn
    labels = {name: name.replace("_", " ") for name in table.columns}
    config: dict[str, object] = {}
    for name, label in labels.items():
        is_share = name.startswith("confidence")
        config[name] = number(label, format="percent") if is_share else label
    return config

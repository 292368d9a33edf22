"""The images whose predictions pruning has changed."""

from collections.abc import Sequence
from dataclasses import dataclass

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
from pruning.inference.predictions import PredictionChange, Predictions

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


@dataclass(frozen=True, eq=False)
class _Shown:
    """The images of a selection, and the networks whose predictions are shown for them.

    Parameters
    ----------
    change : PredictionChange
        What the images are sorted by.
    indices : np.ndarray
        (n,) int64, most confidence lost first.
    names : tuple of str
        Names of the networks.
    predictions : tuple of Predictions
        Their predictions.
    """

    change: PredictionChange
    indices: np.ndarray
    names: tuple[str, ...]
    predictions: tuple[Predictions, ...]


def draw_forgotten(compared: Compared, known: PredictionSet) -> None:
    """Draw the images whose prediction has changed, most confidence lost first.

    Parameters
    ----------
    compared : Compared
        The networks.
    known : PredictionSet
        Their predictions.
    """
    options = list(CHANGES) if compared.repaired is not None else list(CHANGES)[:-1]
    chosen = segments(
        "Images",
        options,
        SessionState.changes.key,
        format_func=CHANGES.get,
        label_visibility="collapsed",
    )
    shown = _came_back(compared, known) if chosen == "back" else _changed(chosen, compared, known)
    if not len(shown.indices):
        st.info(f"{EMPTY_TEXTS[chosen]} ({len(known.predictions[0]):,} test images.)")
        return
    first = shown.indices[: COLUMNS * ROWS]
    st.caption(_description(chosen, shown, len(first)))
    classes = DATASETS[compared.recipes[0].dataset].classes
    tiles_shown = [_tile(shown, index, classes) for index in first.tolist()]
    pixels = datasets.load(compared.recipes[0].dataset, "test").pixels[first].numpy()
    draw_gallery(tiles_shown, pixels, _open_image)
    table = _table(shown, classes)
    with st.expander("All of them as a table"):
        st.dataframe(table, hide_index=True, column_config=_column_config(table))
    title = CHANGES[chosen]

    def page_of_figures() -> str:
        return html_page("Changed predictions", {title: _figure(tiles_shown, pixels)})

    draw_downloads(
        "changed-images",
        [
            Download("Table as CSV", "csv", "text/csv", table.to_csv(index=False)),
            Download("Figure as HTML", "html", "text/html", page_of_figures),
        ],
    )


def _changed(chosen: str, compared: Compared, known: PredictionSet) -> _Shown:
    """Select changed images of the dense network and the one that is compared with it."""
    change = compared.change(known.predictions)
    indices = change.flipped
    if chosen != "all":
        mask = change.lost if chosen == "lost" else change.gained
        indices = indices[mask[indices]]
    return _Shown(change, indices, compared.names, (change.before, change.after))


def _came_back(compared: Compared, known: PredictionSet) -> _Shown:
    """Select images that pruning lost and the repaired network classifies correctly again."""
    index = compared.repaired
    assert index is not None
    chosen = (0, index - 1, index)
    dense, pruned, repaired = (known.predictions[each] for each in chosen)
    change = PredictionChange(dense, pruned)
    came_back = change.lost & repaired.is_correct
    names = tuple(compared.stages[each].name for each in chosen)
    indices = change.flipped[came_back[change.flipped]]
    return _Shown(change, indices, names, (dense, pruned, repaired))


def _description(chosen: str, shown: _Shown, count: int) -> str:
    total = len(shown.indices)
    first = f"the first {count} of {total:,}" if count < total else f"{total:,}"
    networks = " and ".join([", ".join(shown.names[:-1]), shown.names[-1]])
    return (
        f"{CHANGES[chosen]}: {first}, sorted by the confidence that was lost by pruning. Below "
        f"each: the class predicted by the networks {networks}. Click one to follow it through the "
        "network."
    )


def _tile(shown: _Shown, index: int, classes: Sequence[str]) -> Tile:
    names, parts = [], [f"Test image {index}, {classes[shown.change.before.labels[index]]}"]
    for name, predictions in zip(shown.names, shown.predictions, strict=True):
        predicted = classes[predictions.predicted[index]]
        names.append(_short(predicted))
        parts.append(f"{name}: {predicted} ({predictions.confidence[index]:.1%})")
    return Tile(index, " \N{RIGHTWARDS ARROW} ".join(names), "; ".join(parts))


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
    index, recipe = chosen_image(), session.recipe
    if index is None or recipe is None:
        return
    if 0 <= index < DATASETS[recipe.dataset].test_images:
        session.image = index
        session.image_source = TEST_IMAGE
        session.section = "image"


def _table(shown: _Shown, classes: Sequence[str]) -> pd.DataFrame:
    names, indices = np.array(classes), shown.indices
    columns = {"image": indices, "class": names[shown.change.before.labels[indices]]}
    for name, predictions in zip(shown.names, shown.predictions, strict=True):
        columns[name] = names[predictions.predicted[indices]]
        columns[f"confidence, {name}"] = predictions.confidence[indices]
    columns["confidence lost by pruning"] = shown.change.confidence_lost[indices]
    return pd.DataFrame(columns)


def _column_config(table: pd.DataFrame) -> dict[str, object]:
    percent = st.column_config.NumberColumn(format="percent")
    return {name: percent for name in table.columns if name.startswith("confidence")}

"""Tables and downloads that several pages show."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st


def column_config(table: pd.DataFrame) -> dict[str, Any]:
    """Return headings and formats of the columns of a table.

    Parameters
    ----------
    table : pd.DataFrame
        Its columns have the names of fields, as in a downloaded file.

    Returns
    -------
    dict
        Options of ``st.dataframe`` for the columns that are known. The ends of intervals are
        hidden if every accuracy is of all images.
    """
    config = {name: CONFIG[name] for name in table.columns if name in CONFIG}
    if set(INTERVAL) <= set(config):
        low, high = (table[name] for name in INTERVAL)
        if (low == high).all():
            config |= dict.fromkeys(INTERVAL)
    return config


@dataclass(frozen=True)
class Download:
    """A file that can be downloaded.

    Parameters
    ----------
    label : str
        Label of the button.
    extension : str
        Of the file's name.
    mime : str
        MIME type.
    content : str or callable
        The text, or ``content()`` makes it after the click.
    """

    label: str
    extension: str
    mime: str
    content: str | Callable[[], str]


def draw_downloads(name: str, downloads: Sequence[Download]) -> None:
    """Draw download buttons in a row.

    Parameters
    ----------
    name : str
        Name of the files, without extension.
    downloads : sequence of Download
        The files.
    """
    with st.container(horizontal=True):
        for download in downloads:
            st.download_button(
                download.label,
                download.content,
                f"{name}.{download.extension}",
                download.mime,
                on_click="ignore",
                icon=":material/download:",
            )


def _number(label: str, format: str | None = None, help: str | None = None) -> Any:
    return st.column_config.NumberColumn(label, format=format, help=help)


INTERVAL = ("accuracy_low", "accuracy_high")
CONFIG: dict[str, Any] = {
    "column": _number("column"),
    "name": st.column_config.TextColumn("recipe", width="medium"),
    "recipe": st.column_config.TextColumn("recipe", width="medium"),
    "problem": st.column_config.TextColumn("note", width="medium"),
    "accuracy": _number("accuracy", "percent"),
    "accuracy_low": _number("95% interval from", "percent"),
    "accuracy_high": _number("95% interval to", "percent"),
    "validation_accuracy": _number("validation accuracy", "percent"),
    "test_accuracy": _number("test accuracy", "percent"),
    "loss": _number("loss (nats)", "%.4f"),
    "images": _number("images classified", "localized"),
    "of": _number("images in total", "localized"),
    "run": st.column_config.TextColumn("run", width="medium"),
    "state": st.column_config.TextColumn("state"),
    "schedule": st.column_config.TextColumn("schedule"),
    "epochs": _number("epochs", "localized"),
    "sparsity": _number("sparsity", "percent"),
    "effective_parameters": _number("effective parameters", "localized"),
    "effective_macs": _number("effective MACs", "localized"),
    "compression": _number("effective compression", "%.2fx"),
    "effective_compression": _number("effective compression", "%.2fx"),
    "theoretical_speed_up": _number(
        "theoretical speed-up", "%.2fx", "All MACs / effective MACs; the cost report measures it."
    ),
}

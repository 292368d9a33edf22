"""The checkpoint of a network, and the download of datasets that are missing."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from pages.state.background_task import Task, TaskProgress, draw_task
from pruning.data.datasets import DATASETS
from pruning.data.download import download
from pruning.models import checkpoints

REFRESH_S = 0.5


def draw_card(network: str, dataset: str) -> None:
    """Draw how a network was trained and the accuracy that it reaches.

    Parameters
    ----------
    network, dataset : str
        Names in ``NETWORKS`` and ``DATASETS``.
    """
    card = checkpoints.shared_card(network, dataset)
    lines = (
        f"Test {card.test_accuracy:.2%} ({card.test_correct:,} of {card.test_images:,}), "
        f"validation {card.validation_accuracy:.2%}.",
        f"{card.epochs} epochs, batch {card.batch}, {card.seconds:,.0f} s, seed {card.seed}.",
        f"{card.optimizer}; {card.schedule}; {card.augmentation}; {card.precision}; "
        f"torch {card.versions['torch']}.",
        f"sha256 `{card.weights_sha256[:16]}`",
    )
    with st.expander(f"Checkpoint: {card.test_accuracy:.2%} on test"):
        st.markdown("  \n".join(lines))


def draw_download(dataset: str) -> None:
    """Draw a button that downloads a dataset, or the progress of its download.

    Parameters
    ----------
    dataset : str
        Name in ``DATASETS`` of a dataset that is not on this machine.
    """
    task = _download_task(dataset)
    task.queue.forget(task.key)  # the download of a file that was deleted since
    draw_task(task, width="stretch")


def _download_task(dataset: str) -> Task:
    data = DATASETS[dataset]

    def work(report: Callable[[TaskProgress], None]) -> Path:
        return download(dataset, lambda share: report(TaskProgress(share)))

    return Task(
        name=f"download {dataset}",
        key=("download", dataset),
        work=work,
        label=f"Download {data.label} ({data.download_bytes / 1e6:.0f} MB)",
        icon=":material/download:",
        interval=REFRESH_S,
        progress_text=f"Downloading {data.label}",
        shared=True,
    )

"""The checkpoint of a network, and the download of datasets that are missing."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from pages.state.background_task import Task, TaskProgress, draw_task, wait_for
from pages.state.messages import escape_markdown
from pages.state.session import SessionState
from pages.state.url import SHIPPED
from pages.state.widgets import select
from pruning.data.datasets import DATASETS
from pruning.data.download import download
from pruning.engine.run_checkpoint import finished_runs
from pruning.engine.trained_network import known_card, measure_card, trained_card
from pruning.models import NETWORKS
from pruning.models.cards import Card
from pruning.recipe.recipe import Recipe

REFRESH_S = 0.5
CARD = "card"
"""Name of the task that measures a network of a user."""
PATIENCE_S = 0.5


def draw_checkpoint(network: str, dataset: str) -> str:
    """Draw the select box of trained networks, if there are others than the shipped one.

    Parameters
    ----------
    network, dataset : str
        Names in ``NETWORKS`` and ``DATASETS``.

    Returns
    -------
    str
        Name of a finished run; empty for the shipped network.
    """
    runs = finished_runs(network, dataset)
    if not runs:
        return ""
    chosen = select(
        "Checkpoint",
        [SHIPPED, *runs],
        SessionState.checkpoint.key,
        format_func=lambda name: "Shipped" if name == SHIPPED else name,
        help="The trained network to prune: the shipped one, or that of a finished run.",
    )
    return "" if chosen == SHIPPED else chosen


def is_measured(recipe: Recipe) -> bool:
    """Return whether the accuracy of the trained network of a recipe is known.

    Parameters
    ----------
    recipe : Recipe
        Names the network.

    Returns
    -------
    bool
        False for a user's network on images that it has not classified yet.
    """
    return bool(recipe.checkpoint) or known_card(recipe.network, recipe.dataset) is not None


def await_card(recipe: Recipe) -> bool:
    """Measure the accuracy of the trained network of a recipe, if it is not known.

    Parameters
    ----------
    recipe : Recipe
        Names the network.

    Returns
    -------
    bool
        Whether it is known; otherwise the progress is drawn, and the page runs again.
    """
    if is_measured(recipe):
        return True
    task = _card_task(recipe.network, recipe.dataset)
    if wait_for(task, PATIENCE_S) is not None:
        if is_measured(recipe):
            return True
        task.queue.forget(task.key)  # it was measured long ago
    network, data = NETWORKS[recipe.network], DATASETS[recipe.dataset]
    images = data.validation_images + data.test_images
    st.info(
        f"{escape_markdown(network.label)} first classifies {images:,} images of "
        f"{escape_markdown(data.label)}: its accuracy before pruning is not known yet."
    )
    draw_task(task)
    return False


def _card_task(network: str, dataset: str) -> Task:
    def work(report: Callable[[TaskProgress], None]) -> Card:
        return measure_card(network, dataset, lambda share: report(TaskProgress(share)))

    return Task(
        name=CARD,
        key=(CARD, network, dataset),
        work=work,
        label="Measure the accuracy",
        starts_itself=True,
        subject="The accuracy",
        interval=REFRESH_S,
    )


def draw_card(recipe: Recipe) -> None:
    """Draw how a network was trained and the accuracy that it reaches, if it is known.

    Parameters
    ----------
    recipe : Recipe
        Names the network.
    """
    if not is_measured(recipe):
        return
    card = trained_card(recipe)
    lines = [
        f"Test {card.test_accuracy:.2%} ({card.test_correct:,} of {card.test_images:,}), "
        f"validation {card.validation_accuracy:.2%}.",
    ]
    if card.epochs:  # unknown of a network that its user has brought
        lines += _training_lines(card)
    lines.append(f"sha256 `{card.weights_sha256[:16]}`")
    with st.expander(f"Checkpoint: {card.test_accuracy:.2%} on test"):
        st.markdown("  \n".join(lines))


def _training_lines(card: Card) -> list[str]:
    return [
        f"{card.epochs} epochs, batch {card.batch}, {card.seconds:,.0f} s, seed {card.seed}.",
        f"{card.optimizer}; {card.schedule}; {card.augmentation}; {card.precision}; "
        f"torch {card.versions['torch']}.",
    ]


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

"""The checkpoint of a network, and the download of datasets that are missing."""

import streamlit as st

from pages.state.messages import escape_markdown
from pages.state.session import session
from pages.state.visitor import downloads
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


def offer_download(dataset: str) -> None:
    """Draw a button that downloads a dataset, or the progress of its download.

    There is one download of a dataset at a time for all visitors; it cannot be cancelled.

    Parameters
    ----------
    dataset : str
        Name in ``DATASETS`` of a dataset that is not on this machine.
    """
    job = downloads().subscription(dataset)
    if job is None:
        data = DATASETS[dataset]
        label = f"Download {data.label} ({data.download_bytes / 1e6:.0f} MB)"
        if st.button(label, icon=":material/download:", width="stretch"):
            job = downloads().subscribe(dataset, dataset, lambda report: download(dataset, report))
            session.downloads[dataset] = job
    if job is not None:
        _draw_download(dataset)
        return
    last_job = session.downloads.get(dataset)
    if last_job is not None and last_job.failed:
        st.error(escape_markdown(str(last_job.error)))


@st.fragment(run_every=REFRESH_S)
def _draw_download(dataset: str) -> None:
    job = downloads().subscription(dataset)
    if job is None:
        st.rerun()
    else:
        st.progress(job.progress or 0.0, f"Downloading {DATASETS[dataset].label}")

"""What lies behind a network: its checkpoint's card, and datasets that are still to be downloaded."""

import streamlit as st

from pages.state.session import downloads, plain
from pruning.data.datasets import DATASETS
from pruning.data.download import download
from pruning.models import checkpoints


def show_card(network: str, dataset: str) -> None:
    """Where the trained network comes from and what it reaches."""
    card = checkpoints.shared_card(network, dataset)
    with st.expander(f"Checkpoint: {card.test_accuracy:.2%} on test"):
        st.markdown(
            f"Test {card.test_accuracy:.2%} ({card.test_correct:,} of {card.test_images:,}), validation "
            f"{card.validation_accuracy:.2%}.  \n{card.epochs} epochs, batch {card.batch}, {card.seconds:,.0f} s, seed "
            f"{card.seed}.  \n{card.optimizer}; {card.schedule}; {card.augmentation}; {card.precision}; "
            f"torch {card.versions['torch']}.  \nsha256 `{card.weights_sha256[:16]}`"
        )


def offer_download(name: str) -> None:
    """A button for a dataset that is not there; one download at a time for all visitors, which nobody can break off."""
    running = downloads().subscription(name)
    if running is None:
        label = f"Download {DATASETS[name].label} ({DATASETS[name].download_bytes / 1e6:.0f} MB)"
        if st.button(label, icon=":material/download:", width="stretch"):
            running = downloads().subscribe(name, name, lambda report: download(name, report))
            st.session_state[f"download of {name}"] = running
    if running:
        _downloading(name)
    elif (job := st.session_state.get(f"download of {name}")) and job.failed:
        st.error(plain(str(job.error)))


@st.fragment(run_every=0.5)
def _downloading(name: str) -> None:
    running = downloads().subscription(name)
    if running is None:
        st.rerun()
    st.progress(running.progress or 0.0, f"Downloading {DATASETS[name].label}")

"""Your network: upload a network and images, which all pages then show to their visitor alone."""

import pandas as pd
import streamlit as st

from pages.own.data import TASK as DATA_TASK
from pages.own.data import choose_data
from pages.own.network import TASK as NETWORK_TASK
from pages.own.network import choose_network, prepare_network
from pages.state.messages import escape_markdown, render_page, show_pending_message
from pages.state.own_networks import is_visible, own_uploads, owner_of_uploads
from pages.state.session import session
from pages.state.url import EXPLORE, show_recipe
from pages.state.visitor import set_active_work
from pruning.data.datasets import DATASETS
from pruning.engine.trained_network import known_card
from pruning.models import NETWORKS
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_to_query
from pruning.runtime.own_uploads import MAX_AGE_S, MEGABYTE, UNUSED_S

RETRAIN = "pages/retrain/page.py"
MAX_FILES = 70 * MEGABYTE
HOUR_S = 3600
CHANCE_FACTOR = 1.5
"""Below this multiple of an equal share of the classes, an accuracy is that of no training."""


def page() -> None:
    """Draw the page."""
    set_active_work(DATA_TASK, NETWORK_TASK)
    st.title("Your network")
    show_pending_message()
    st.caption(
        "Prune a network of your own, on images of your own. Files are read as data, never as "
        "code: JSON, safetensors, ONNX, .npz and .zip; pickled files (.pt, .pth, .pt2) cannot be "
        f"uploaded. Only this browser sees what you upload. It is deleted {UNUSED_S / HOUR_S:.0f} "
        f"hours after your last page, and after {MAX_AGE_S / HOUR_S:.0f} hours at the latest."
    )
    st.subheader("1. Images", anchor=False)
    data = choose_data()
    if data is not None:
        st.subheader("2. Network", anchor=False)
        source = choose_network(data)
        if source is not None:
            prepare_network(source, data)
    _draw_ready()
    _draw_kept()


def _draw_ready() -> None:
    """Draw the network that was made ready last, and where to go with it."""
    if session.own_pair is None:
        return
    network, dataset = session.own_pair
    if not (is_visible("network", network) and is_visible("dataset", dataset)):
        session.own_pair = None
        return
    card = known_card(network, dataset)
    if card is None:
        return
    st.subheader("3. Prune it, or train it", anchor=False)
    data = DATASETS[dataset]
    label, images = escape_markdown(NETWORKS[network].label), escape_markdown(data.label)
    with st.container(border=True, key="ready"):
        st.markdown(
            f"**{label}** on **{images}**: {card.test_accuracy:.2%} of the test images "
            f"({card.test_correct:,} of {card.test_images:,}), "
            f"{card.validation_accuracy:.2%} of the validation images."
        )
        is_untrained = card.test_accuracy < CHANCE_FACTOR / len(data.classes)
        if is_untrained:
            st.caption(
                "That is close to guessing: the weights are random, or the images are normalised "
                "in another way than in training. Retrain trains it: remove nothing (sparsity 0), "
                "or prune while it learns."
            )
        with st.container(horizontal=True):
            recipe = Recipe(network, dataset)
            dense = recipe.with_last_step(value=0.0)
            if st.button("Open in Explore", icon=":material/tune:"):
                _open(EXPLORE, recipe)
            if st.button("Train on Retrain", icon=":material/model_training:"):
                _open(RETRAIN, dense if is_untrained else recipe)


def _open(page_file: str, recipe: Recipe) -> None:
    show_recipe(recipe)
    st.switch_page(page_file, query_params=recipe_to_query(recipe))


def _draw_kept() -> None:
    uploads = own_uploads().of(owner_of_uploads())
    if not uploads:
        return
    st.subheader("Kept for you", anchor=False)
    rows = []
    for upload in uploads:
        minutes = own_uploads().seconds_left(upload) / 60
        rows.append(
            {
                "name": upload.label,
                "kind": upload.kind,
                "size": f"{upload.size / 1e6:.1f} MB",
                "deleted in": f"{minutes / 60:.1f} h at the latest, unless you use it",
            }
        )
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="kept")
    with st.container(horizontal=True):
        for upload in uploads:
            st.button(
                f"Delete {escape_markdown(upload.label)}",
                key=f"delete {upload.name}",
                icon=":material/delete:",
                on_click=own_uploads().delete,
                args=[owner_of_uploads(), upload.name],
            )


render_page(page, max_upload_bytes=MAX_FILES)

"""The sidebar: what pages share. The widgets, the recipe and the link always agree."""

from dataclasses import replace

import streamlit as st

from pages.controls import step_list as cards
from pages.controls.checkpoint import offer_download, show_card
from pages.controls.step_form import draw_step
from pages.state.session import keep, plain, registered, there
from pages.state.url import VIEW, current, put_link
from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.models import NETWORKS
from pruning.recipe.recipe import Recipe, max_calibration_images
from pruning.runtime.errors import PrunescopeError


def recipe(amount: bool = True, view: tuple[str, ...] = VIEW) -> Recipe | None:
    """Draw the controls and give the recipe they stand for; None, and a message, where they stand for none.

    Without ``amount``, not how much is removed: then no scores are needed. ``view``: what else the link carries.
    """
    before = current()
    if before is None:
        return None
    with st.sidebar:
        try:
            after = _draw(before, amount)
        except (ValueError, PrunescopeError) as error:
            st.error(plain(f"{str(error)[:1].upper()}{str(error)[1:]}."))
            return None
    st.session_state["recipe"] = after
    put_link(after, view)
    return after


def _draw(before: Recipe, amount: bool) -> Recipe:
    found = there()
    network = registered("Network", list(found), "network", NETWORKS)
    dataset = registered("Dataset", found[network], "dataset", DATASETS, otherwise=-1)
    show_card(network, dataset)
    for name in DATASETS:
        if not datasets.available(name):
            offer_download(name)
    if (network, dataset) != (before.network, before.dataset):
        before = cards.moved(before, network, dataset)
    active = cards.draw(before)
    step = st.container()
    with st.expander("Sampling"):
        before = _sampling(before)
    cards.add_button(before)
    steps = list(before.steps)
    with step:
        steps[active] = draw_step(before.with_steps(tuple(steps[: active + 1])), amount)
    return before.with_steps(tuple(steps))


def _sampling(before: Recipe) -> Recipe:
    most = max_calibration_images(before.dataset)
    st.session_state["calibration"] = min(
        st.session_state.get("calibration", before.calibration), most
    )
    st.session_state.setdefault("seed", before.seed)
    calibration = st.number_input(
        "Calibration images",
        1,
        most,
        **keep("calibration"),
        help="Training images that criteria look at when they score what units do.",
    )
    seed = st.number_input("Seed", 0, 2**32 - 1, help="Of the criterion Random.", **keep("seed"))
    return replace(before, calibration=int(calibration), seed=int(seed))

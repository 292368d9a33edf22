"""The recipe that a visitor looks at: in their session, in the widgets, and in the link."""

from dataclasses import replace

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.state.session import plain, there
from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.models import NETWORKS
from pruning.recipe.recipe import Recipe

VIEW = ("histogram", "mask", "log")  # what is looked at on Explore, besides the recipe


def current() -> Recipe | None:
    """The recipe of the last run; in a new session, or after the browser's Back button, that of the link."""
    if "recipe" not in st.session_state or get_script_run_ctx().is_history_navigation:
        st.session_state["recipe"] = _from_link()
    return st.session_state["recipe"]


def put_link(recipe: Recipe, view: tuple[str, ...] = VIEW) -> None:
    """Let the address bar say what is shown: the recipe, and what else is looked at."""
    view = {
        name: str(value)
        for name in view
        if not (
            (value := st.session_state.get(name)) is None or value is False or value == "all layers"
        )
    }
    query = view | recipe.to_query()
    if st.query_params.to_dict() != query:
        st.query_params.from_dict(query)


def _from_link() -> Recipe | None:
    """What the address bar asks for; what it gets wrong is said, and the page opens with the defaults."""
    found, query = there(), st.query_params.to_dict()
    if not found:
        st.error("There is no checkpoint: train one with `python -m pruning train lenet5 digits`.")
        return None
    network = "lenet5" if "lenet5" in found else next(iter(found))
    default = Recipe(network=network, dataset=found[network][-1])
    try:
        asked = Recipe.from_query(query, default)
        if "dataset" not in query and asked.dataset not in found.get(asked.network, []):
            asked = replace(asked, dataset=found.get(asked.network, [asked.dataset])[-1])
        if asked.dataset not in found.get(asked.network, []):
            reason = (
                "is not on this machine"
                if not datasets.available(asked.dataset)
                else f"has no checkpoint for {NETWORKS[asked.network].label}"
            )
            raise ValueError(f"{DATASETS[asked.dataset].label} {reason}")
    except ValueError as error:
        st.session_state["message"] = (
            f"The link could not be followed: {plain(str(error))}. This is the default instead."
        )
        asked = default
    show(asked)
    st.session_state.update({name: query[name] for name in ("histogram", "mask") if name in query})
    st.session_state["log"] = query.get("log") == "True"
    return asked


def show(recipe: Recipe) -> None:
    """Let Explore and its widgets show a recipe."""
    st.session_state.update(
        {
            "recipe": recipe,
            "network": recipe.network,
            "dataset": recipe.dataset,
            "active": len(recipe.earlier),
            "calibration": recipe.calibration,
            "seed": recipe.seed,
        }
    )
    show_step(recipe)


def open_on_explore(recipe: Recipe) -> None:
    """In a callback, before the widgets are drawn, which it changes; `follow_opened` then goes there."""
    show(recipe)
    st.session_state["opened"] = recipe


def follow_opened() -> None:
    if recipe := st.session_state.pop("opened", None):
        st.switch_page("pages/explore/page.py", query_params=recipe.to_query())


def show_step(recipe: Recipe) -> None:
    """Let the widgets of a step say what the recipe's last step does."""
    for name in ("method", "criterion", "measure", "grouping", "scope", "rule"):
        st.session_state[name] = getattr(recipe, name)
    st.session_state["alike"] = "custom" if recipe.scope == "custom" else "global"
    if isinstance(recipe.value, str):
        st.session_state["pattern"] = recipe.value
    st.session_state[layers_key(recipe)] = list(recipe.chosen_layers)
    for name in ("slider shape", "table shape"):  # so that slider and table take the step's values
        st.session_state.pop(name, None)


def layers_key(recipe: Recipe) -> str:
    return f"layers of {recipe.network}, {recipe.method}, {recipe.grouping}"

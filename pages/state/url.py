"""The address bar: one codec for the links of all pages, and the recipe that the session shows."""

from collections.abc import Collection
from dataclasses import replace

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.state.messages import report_bad_link, report_unknown_keys
from pages.state.session import SessionState, session
from pages.state.step_widgets import SIDEBAR_STEP
from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.models import NETWORKS, checkpoints
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import query_keys, recipe_from_query, recipe_to_query

EXPLORE = "pages/explore/page.py"
DEFAULT_NETWORK = "lenet5"
ALL_LAYERS = "all layers"
EXPLORE_VIEW = ("histogram", "mask", "log")
"""What is looked at on Explore besides the recipe: keys of links and fields of the session."""


def available_checkpoints() -> dict[str, list[str]]:
    """Return the networks that can be shown.

    Returns
    -------
    dict of str to list of str
        The datasets on which each network was trained and that are on this machine.
    """
    found: dict[str, list[str]] = {}
    for network, dataset in checkpoints.shipped():
        if datasets.available(dataset):
            found.setdefault(network, []).append(dataset)
    return found


def default_pair() -> tuple[str, str]:
    """Return the network and the dataset of a new session.

    Returns
    -------
    tuple of str
        Names in ``NETWORKS`` and ``DATASETS``.
    """
    found = available_checkpoints()
    network = DEFAULT_NETWORK if DEFAULT_NETWORK in found else next(iter(found))
    return network, found[network][-1]


def check_available(network: str, dataset: str) -> None:
    """Check that a trained network and its data are on this machine.

    Parameters
    ----------
    network, dataset : str
        Names in ``NETWORKS`` and ``DATASETS``.

    Raises
    ------
    ValueError
        One of them is not; the message says which pairs are.
    """
    found = available_checkpoints()
    if dataset in found.get(network, []):
        return
    label = DATASETS[dataset].label
    if not datasets.available(dataset):
        problem = f"{label} is not on this machine"
    else:
        problem = f"{label} has no checkpoint for {NETWORKS[network].label}"
    pairs = []
    for name, names_of_datasets in found.items():
        pairs += [f"{name} on {dataset_name}" for dataset_name in names_of_datasets]
    raise ValueError(f"{problem}: choose from {', '.join(pairs)}")


def is_history_navigation() -> bool:
    """Return whether the visitor came here by the browser's Back or Forward button.

    Returns
    -------
    bool
        True if the link decides what is shown, not the session.
    """
    context = get_script_run_ctx()
    return bool(context and context.is_history_navigation)


def read_query(known: Collection[str]) -> dict[str, str]:
    """Return the fields of the link; a message names keys without a meaning.

    Parameters
    ----------
    known : collection of str
        Keys that have a meaning on this page.

    Returns
    -------
    dict of str to str
        Texts by key.
    """
    query = st.query_params.to_dict()
    report_unknown_keys([key for key in query if key not in known])
    return query


def set_query(query: dict[str, str]) -> None:
    """Let the address bar say what is shown; the browser's history gets an entry if it differs.

    Parameters
    ----------
    query : dict of str to str
        Texts by key.
    """
    if st.query_params.to_dict() != query:
        st.query_params.from_dict(query)


def current_recipe(view: tuple[str, ...] = EXPLORE_VIEW) -> Recipe | None:
    """Return the recipe that the session shows; in a new session that of the link.

    Parameters
    ----------
    view : tuple of str
        Keys of links that have a meaning on this page besides those of a recipe.

    Returns
    -------
    Recipe or None
        None, and an error is shown, if there is no checkpoint at all.
    """
    if session.recipe is None or is_history_navigation():
        if not available_checkpoints():
            st.error(
                "There is no checkpoint: train one with `python -m pruning train lenet5 digits`."
            )
            return None
        show_recipe(_recipe_of_link(view))
    return session.recipe


def _recipe_of_link(view: tuple[str, ...]) -> Recipe:
    query = read_query({*query_keys(), *view})
    network, dataset = default_pair()
    default = Recipe(network, dataset)
    for name in EXPLORE_VIEW:
        if name in query:
            st.session_state[name] = query[name] == "True" if name == "log" else query[name]
    try:
        recipe = recipe_from_query(query, default)
        if "dataset" not in query:
            recipe = _on_available_dataset(recipe)
        check_available(recipe.network, recipe.dataset)
    except ValueError as error:
        report_bad_link(error)
        return default
    _show_sampling(query)
    return recipe


def _show_sampling(query: dict[str, str]) -> None:
    """Let the widgets show the numbers of a link, also where the criterion does not use them."""
    if "calibration" in query:
        session.calibration = int(query["calibration"])
    if "seed" in query:
        session.seed = int(query["seed"])


def _on_available_dataset(recipe: Recipe) -> Recipe:
    """Take the last available dataset of the network, if the link does not name one."""
    available = available_checkpoints().get(recipe.network, [])
    if not available or recipe.dataset in available:
        return recipe
    return replace(recipe, dataset=available[-1])


def put_recipe_link(recipe: Recipe, view: tuple[str, ...] = EXPLORE_VIEW) -> None:
    """Let the address bar say what is shown: the recipe, and what else is looked at.

    Parameters
    ----------
    recipe : Recipe
        The recipe.
    view : tuple of str
        Fields of the session that the link carries, if they differ from their defaults.
    """
    query = {}
    for name in view:
        value = st.session_state.get(name)
        if value not in (None, False, ALL_LAYERS):
            query[name] = str(value)
    set_query(query | recipe_to_query(recipe))


def show_recipe(recipe: Recipe) -> None:
    """Let the session and the widgets of the sidebar show a recipe.

    Parameters
    ----------
    recipe : Recipe
        The recipe.
    """
    session.recipe = recipe
    session.network, session.dataset = recipe.network, recipe.dataset
    session.active_step = len(recipe.previous_steps)
    if recipe.uses_calibration or session.calibration is None:
        session.calibration = recipe.calibration
    if recipe.is_random or session.seed is None:
        session.seed = recipe.seed
    show_step(recipe)


def show_step(recipe: Recipe) -> None:
    """Let the widgets of the step form show the last step of a recipe.

    Parameters
    ----------
    recipe : Recipe
        The recipe.
    """
    step = recipe.last_step
    SIDEBAR_STEP.show(step)
    if isinstance(step.value, str):
        session.pattern = step.value
    st.session_state[layers_key(recipe)] = list(recipe.chosen_layers)
    session.slider_shape = None  # slider and table take the values of the step
    session.table_shape = None


def layers_key(recipe: Recipe) -> str:
    """Return the key of the widget of the layers that take part.

    Parameters
    ----------
    recipe : Recipe
        The recipe.

    Returns
    -------
    str
        One key for each network, method and grouping.
    """
    step = recipe.last_step
    return SessionState.layer_widgets.of(recipe.network, step.method, step.grouping)


def open_on_explore(recipe: Recipe) -> None:
    """Show a recipe on Explore, in a callback: before the widgets are drawn, which it changes.

    Parameters
    ----------
    recipe : Recipe
        The recipe; `follow_opened_recipe` then goes to the page.
    """
    show_recipe(recipe)
    session.opened_recipe = recipe


def follow_opened_recipe() -> None:
    """Go to Explore if a callback has opened a recipe there."""
    recipe = session.opened_recipe
    if recipe is not None:
        session.opened_recipe = None
        st.switch_page(EXPLORE, query_params=recipe_to_query(recipe))

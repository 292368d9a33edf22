"""The curves to draw: network, dataset, recipes and precision, as the link or a visitor chooses."""

import streamlit as st

from pages.curves.link import DEFAULT_X, DEFAULT_Y, PRECISIONS, read_link
from pages.state.available import available_checkpoints, default_pair
from pages.state.messages import escape_markdown, sentence
from pages.state.session import SessionState, session
from pages.state.url import is_history_navigation
from pages.state.widgets import persistent, registry_select, segments
from pruning.data.datasets import DATASETS
from pruning.experiments.curve_request import (
    COMPRESSION_RATIOS,
    DEFAULT_POINTS,
    DEFAULT_SEEDS,
    MAX_RECIPES,
    MAX_SEEDS,
    POINTS_LIMITS,
    CurveRequest,
)
from pruning.models import NETWORKS
from pruning.recipe.compatibility import criteria_for, methods_for, scopes_for
from pruning.recipe.labels import recipe_label
from pruning.recipe.recipe import Recipe

SPACINGS = ["even", "ratios"]
SLOW_TEST_IMAGES = 1000
"""A slow network with more test images is measured with less precision by default."""


def follow_link() -> None:
    """Follow the link, in a new session or after the browser's Back or Forward button.

    What is wrong with it is reported, and the page shows its default.
    """
    if SessionState.curve_recipes.is_set() and not is_history_navigation():
        return
    values = read_link()
    recipes = values.get("recipes", ())
    if recipes:
        session.network, session.dataset = recipes[0].network, recipes[0].dataset
    session.curve_recipes = [_without_strength(recipe) for recipe in recipes]
    names_key = SessionState.curve_names_widgets.of(session.network, session.dataset)
    st.session_state.pop(names_key, None)
    points = values.get("points", DEFAULT_POINTS)
    session.curve_spacing = "even" if points else "ratios"
    session.curve_points = points or DEFAULT_POINTS
    session.curve_seeds = values.get("seeds", DEFAULT_SEEDS)
    session.curves_x, session.curves_y = values.get("x", DEFAULT_X), values.get("y", DEFAULT_Y)
    session.curves_published = values.get("published", False)
    session.curves_retrained = values.get("retrained", False)
    if recipes or "precision" in values:  # the default precision depends on the network
        _show_precision(values.get("precision"))


def _show_precision(precision: float | None) -> None:
    labels = {value: label for label, value in PRECISIONS.items()}
    st.session_state[_precision_key(_current_network())] = labels[precision]


def draw() -> CurveRequest | None:
    """Draw the controls of the sidebar.

    Returns
    -------
    CurveRequest or None
        None, and the page says why, if no recipe is chosen, or more points than one figure can
        have.
    """
    with st.sidebar:
        network, dataset = _choose_checkpoint()
        recipes = _choose_recipes(network, dataset)
        points = _choose_points()
        seeds = _choose_seeds()
        precision = _choose_precision(network, dataset)
    if not recipes:
        st.info("Choose a recipe.")
        return None
    try:
        return CurveRequest(tuple(recipes), points, seeds, precision=precision)
    except ValueError as error:
        st.error(escape_markdown(sentence(error)))
        return None


def options(network: str, dataset: str) -> dict[str, Recipe]:
    """Return the recipes that can be chosen.

    Parameters
    ----------
    network, dataset : str
        Names in ``NETWORKS`` and ``DATASETS``.

    Returns
    -------
    dict of str to Recipe
        By label: every method with every criterion and scope, then the recipes of the link and
        the recipe of Explore.
    """
    recipes = []
    for method in methods_for(network):
        scopes = [scope for scope in scopes_for("sparsity", method) if scope != "custom"]
        for criterion in criteria_for(network, method):
            for scope in scopes:
                recipes.append(
                    Recipe.one_step(
                        network, dataset, method=method, criterion=criterion, scope=scope
                    )
                )
    recipes += _linked_recipes(network, dataset)
    explored = session.recipe
    if explored is not None and explored.last_step.scope != "custom":
        recipes += _of_checkpoint([_without_strength(explored)], network, dataset)
    return {_label(recipe): recipe for recipe in recipes}


def default_selection(network: str, dataset: str) -> list[str]:
    """Return the labels of the recipes that are chosen first.

    Parameters
    ----------
    network, dataset : str
        Names in ``NETWORKS`` and ``DATASETS``.

    Returns
    -------
    list of str
        The recipes of the link, or else magnitude with its random control, and filters.
    """
    recipes = _linked_recipes(network, dataset)
    if not recipes:
        recipes = [
            Recipe.one_step(network, dataset),
            Recipe.one_step(network, dataset, criterion="random"),
        ]
        if "filter" in methods_for(network):
            recipes.append(Recipe.one_step(network, dataset, method="filter", scope="layer"))
    return [_label(recipe) for recipe in recipes]


def _choose_checkpoint() -> tuple[str, str]:
    checkpoints = available_checkpoints()
    if session.network not in checkpoints:
        session.network = default_pair()[0]
    network_key, dataset_key = SessionState.network.key, SessionState.dataset.key
    network = registry_select("Network", list(checkpoints), network_key, NETWORKS)
    dataset = registry_select("Dataset", checkpoints[network], dataset_key, DATASETS, default=-1)
    return network, dataset


def _current_network() -> str:
    """Return the network of the session, or the default if it has none."""
    network = session.network
    return network if network in available_checkpoints() else default_pair()[0]


def _choose_recipes(network: str, dataset: str) -> list[Recipe]:
    recipes = options(network, dataset)
    key = SessionState.curve_names_widgets.of(network, dataset)
    chosen = st.session_state.get(key)
    if chosen is None or not set(chosen) <= set(recipes):
        still_offered = [label for label in chosen or [] if label in recipes]
        st.session_state[key] = still_offered or default_selection(network, dataset)
    labels = st.multiselect(
        "Recipes",
        list(recipes),
        max_selections=MAX_RECIPES,
        help="Method, criterion and scope. Random is the control for every curve; the recipe of "
        "Explore is among the options.",
        **persistent(key),
    )
    return [recipes[label] for label in labels]


def _choose_points() -> int:
    """Number of even sparsities, or 0 for effective compression ratios."""
    ratios = ", ".join(str(ratio) for ratio in COMPRESSION_RATIOS)
    spacing = segments(
        "Points",
        SPACINGS,
        SessionState.curve_spacing.key,
        help=f"Even sparsities, or the effective compression ratios {ratios}.",
    )
    if spacing == "ratios":
        return 0
    field, (fewest, most) = SessionState.curve_points, POINTS_LIMITS
    st.session_state.setdefault(field.key, field.default())
    return st.slider("Number of points", fewest, most, **persistent(field.key))


def _choose_seeds() -> int:
    field = SessionState.curve_seeds
    st.session_state.setdefault(field.key, field.default())
    return st.slider("Seeds of random criteria", 1, MAX_SEEDS, **persistent(field.key))


def _choose_precision(network: str, dataset: str) -> float | None:
    has_many_images = DATASETS[dataset].test_images > SLOW_TEST_IMAGES
    key = _precision_key(network)
    is_expensive = NETWORKS[network].slow and has_many_images
    st.session_state.setdefault(key, "± 2 points" if is_expensive else "full")
    precision = st.selectbox(
        "Precision of each point",
        list(PRECISIONS),
        help="A point is done when its 95% interval is within this many points of the accuracy; "
        "full: all test images.",
        **persistent(key),
    )
    return PRECISIONS[precision]


def _precision_key(network: str) -> str:
    """Slow networks have a choice of their own."""
    speed = "slow" if NETWORKS[network].slow else "fast"
    return SessionState.curve_precision_widgets.of(speed)


def _linked_recipes(network: str, dataset: str) -> list[Recipe]:
    return _of_checkpoint(session.curve_recipes, network, dataset)


def _of_checkpoint(recipes: list[Recipe], network: str, dataset: str) -> list[Recipe]:
    return [recipe for recipe in recipes if (recipe.network, recipe.dataset) == (network, dataset)]


def _without_strength(recipe: Recipe) -> Recipe:
    """Drop what makes no difference to a curve, so that it is computed once for everybody."""
    recipe = recipe.on_all_images
    return recipe.with_last_step(value=0.5) if recipe.last_step.rule == "sparsity" else recipe


def _label(recipe: Recipe) -> str:
    return recipe_label(recipe, with_seed=recipe.seed != 0)

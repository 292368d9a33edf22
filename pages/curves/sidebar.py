"""The curves to draw: network, dataset, recipes and precision, and their link."""

from dataclasses import dataclass

import streamlit as st

from pages.state.messages import report_bad_link
from pages.state.session import SessionState, session
from pages.state.url import (
    available_checkpoints,
    check_available,
    default_pair,
    is_history_navigation,
    read_query,
    set_query,
)
from pages.state.widgets import persistent, registry_select, segments
from pruning.data.datasets import DATASETS
from pruning.experiments.curves import (
    DEFAULT_POINTS,
    DEFAULT_SEEDS,
    MAX_RECIPES,
    MAX_SEEDS,
    POINTS_LIMITS,
    CurveRequest,
)
from pruning.methods.units import METHODS
from pruning.models import NETWORKS
from pruning.recipe.compatibility import criteria_for, scopes_for
from pruning.recipe.labels import recipe_label
from pruning.recipe.recipe import Recipe

X_LABELS = {
    "sparsity": "sparsity",
    "compression": "effective compression",
    "macs": "effective MACs left",
}
"""Labels of the horizontal axes, by the names in links."""
Y_LABELS = {"accuracy": "accuracy", "loss": "loss"}
DEFAULT_X, DEFAULT_Y = "sparsity", "accuracy"
PRECISIONS = {"full": None, "± 0.5 points": 0.005, "± 1 point": 0.01, "± 2 points": 0.02}
SPACINGS = ["even", "ratios"]
LINK_KEYS = ("recipes", "points", "seeds", "precision", "x", "y", "published")
SLOW_TEST_IMAGES = 1000
"""A slow network with more test images is measured with less precision by default."""


def read_link() -> None:
    """Follow the link, in a new session or after the browser's Back or Forward button.

    What is wrong with it is reported, and the page shows its default.
    """
    if SessionState.curve_recipes.is_set() and not is_history_navigation():
        return
    session.curve_recipes = []
    query = read_query(LINK_KEYS)
    if "recipes" not in query:
        return
    try:
        link = _parse_link(query)
    except ValueError as error:
        report_bad_link(error)
        return
    request = link.request
    first = request.recipes[0]
    session.network, session.dataset = first.network, first.dataset
    session.curve_recipes = [_without_strength(recipe) for recipe in request.recipes]
    session.curve_seeds = request.seeds
    session.curve_spacing = "even" if request.points else "ratios"
    session.curve_points = request.points or DEFAULT_POINTS
    session.curves_x, session.curves_y = link.x, link.y
    session.curves_published = link.published
    st.session_state[_precision_key(first.network)] = link.precision
    names_key = SessionState.curve_names_widgets.of(first.network, first.dataset)
    st.session_state.pop(names_key, None)


def draw() -> CurveRequest | None:
    """Draw the controls of the sidebar.

    Returns
    -------
    CurveRequest or None
        None if no recipe is chosen.

    Raises
    ------
    ValueError
        More points are asked for than one figure can have.
    """
    with st.sidebar:
        network, dataset = _choose_checkpoint()
        recipes = _choose_recipes(network, dataset)
        points = _choose_points()
        st.session_state.setdefault("curve_seeds", DEFAULT_SEEDS)
        seeds = st.slider("Seeds of random criteria", 1, MAX_SEEDS, **persistent("curve_seeds"))
        precision = _choose_precision(network, dataset)
    if not recipes:
        return None
    return CurveRequest(tuple(recipes), points, seeds, precision=precision)


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
    for method in METHODS:
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
    recipes = _linked_recipes(network, dataset) or [
        Recipe.one_step(network, dataset),
        Recipe.one_step(network, dataset, criterion="random"),
        Recipe.one_step(network, dataset, method="filter", scope="layer"),
    ]
    return [_label(recipe) for recipe in recipes]


def put_link(request: CurveRequest) -> None:
    """Let the address bar say what is shown.

    Parameters
    ----------
    request : CurveRequest
        The curves; axes and published points are read from the session.
    """
    query = request.to_query()
    if session.curves_x not in (None, DEFAULT_X):
        query["x"] = session.curves_x
    if session.curves_y not in (None, DEFAULT_Y):
        query["y"] = session.curves_y
    if session.curves_published:
        query["published"] = "True"
    set_query(query)


def _choose_checkpoint() -> tuple[str, str]:
    checkpoints = available_checkpoints()
    if session.network not in checkpoints:
        session.network = default_pair()[0]
    network = registry_select("Network", list(checkpoints), "network", NETWORKS)
    dataset = registry_select("Dataset", checkpoints[network], "dataset", DATASETS, default=-1)
    return network, dataset


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
    """Number of even sparsities, or 0 for compression ratios."""
    spacing = segments(
        "Points",
        SPACINGS,
        "curve_spacing",
        help="Even sparsities, or the compression ratios 1, 2, 4, 8, 16, 32.",
    )
    if spacing == "ratios":
        return 0
    st.session_state.setdefault("curve_points", DEFAULT_POINTS)
    fewest, most = POINTS_LIMITS
    return st.slider("Number of points", fewest, most, **persistent("curve_points"))


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


@dataclass(frozen=True)
class _Link:
    """What a link asks for."""

    request: CurveRequest
    precision: str
    x: str
    y: str
    published: bool


def _parse_link(query: dict[str, str]) -> _Link:
    request = CurveRequest.from_query(query)
    first = request.recipes[0]
    check_available(first.network, first.dataset)
    labels = {value: label for label, value in PRECISIONS.items()}
    if request.precision not in labels:
        valid = ", ".join(str(value) for value in PRECISIONS.values() if value is not None)
        raise ValueError(f"precision must be one of {valid}")
    return _Link(
        request,
        labels[request.precision],
        _one_of("x", query.get("x", DEFAULT_X), X_LABELS),
        _one_of("y", query.get("y", DEFAULT_Y), Y_LABELS),
        query.get("published") == "True",
    )


def _one_of(name: str, text: str, valid: dict[str, str]) -> str:
    if text not in valid:
        raise ValueError(f"{name} must be one of {', '.join(valid)}")
    return text

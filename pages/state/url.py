"""The address bar: one codec for the links of all pages, and the recipe that the session shows.

The link of a page is a table of `QueryField`. What a page shows besides a recipe is its *view*:
names in ``VIEW_FIELDS``, which are fields of the session.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlencode

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.state.available import (
    available_checkpoints,
    check_available,
    check_names,
    default_pair,
)
from pages.state.messages import report_bad_link, report_unknown_keys
from pages.state.own_networks import visible_runs
from pages.state.session import SessionState, session
from pages.state.step_widgets import SIDEBAR_STEP, recovery_option
from pruning.data.datasets import DATASETS
from pruning.data.own_image import MAX_TEXT, OwnImage, image_from_text, image_to_text
from pruning.engine.run_checkpoint import runs_folder
from pruning.engine.trained_network import check_checkpoint
from pruning.methods.units import METHODS
from pruning.recipe.compatibility import layers_for
from pruning.recipe.query import (
    MAX_QUOTED,
    QueryField,
    format_query,
    parse_choice,
    parse_flag,
    parse_float,
    parse_int,
    parse_query,
)
from pruning.recipe.recipe import RUN_NAME, Recipe
from pruning.recipe.serialization import query_keys, recipe_from_query, recipe_to_query
from pruning.runtime.errors import PrunescopeError

EXPLORE = "pages/explore/page.py"
ALL_LAYERS = "all layers"
TEST_IMAGE, OWN_IMAGE = "Test image", "Your own"
"""Where the image of the page Inside comes from."""
SOURCES = {"test": TEST_IMAGE, "own": OWN_IMAGE}
"""The same by their names in links."""
SHIPPED = "shipped"
"""Option of the checkpoint widget that stands for the network that comes with the program."""
INSIDE = "pages/inside/page.py"
INSIDE_VIEW = (
    *("section", "after", "changes", "image", "inside_layer"),
    *("image_source", "own_image"),
)
SECTIONS = {
    "forgotten": "What it forgot",
    "image": "One image",
    "units": "Filters and units",
    "classes": "Classes and calibration",
}
"""Parts of the page Inside by their names in links."""
AFTER = ("pruned", "recovered", "retrained", "pruned, not retrained", "retrained, pruned")
"""Names of the networks that are compared with the dense one."""
CHANGES = {"all": "All changed", "lost": "Lost", "gained": "Gained", "back": "Came back"}
"""Selections of images whose prediction has changed, by their names in links."""
EXPLORE_VIEW = ("histogram", "mask", "log", "tour", "presenting", "pinned", "both")
MAX_TOUR = 10
MAX_PINNED_FIELDS = 30
MAX_LOSS = 50.0
"""Points of validation accuracy that a plan of Sensitivity may lose."""


def is_history_navigation() -> bool:
    """Return whether the visitor came here by the browser's Back or Forward button.

    Returns
    -------
    bool
        True if the link decides what is shown, not the session.
    """
    context = get_script_run_ctx()
    return bool(context and context.is_history_navigation)


def read_link(fields: Sequence[QueryField]) -> dict[str, Any]:
    """Read the link of a page; what is wrong with it is reported.

    Parameters
    ----------
    fields : sequence of QueryField
        All fields that a link of this page can have.

    Returns
    -------
    dict
        Value by key, of the fields that the link has; empty if one of them is not valid, because
        the page then shows its default.
    """
    return _parse(fields, _read_query(field.name for field in fields))


def _read_query(known: Iterable[str]) -> dict[str, str]:
    """Return the texts of the link by key; a message names the keys that are not known."""
    query, names = st.query_params.to_dict(), set(known)
    report_unknown_keys([key for key in query if key not in names])
    return query


def _parse(fields: Sequence[QueryField], query: Mapping[str, str]) -> dict[str, Any]:
    try:
        return parse_query(fields, query)
    except Exception as error:
        report_bad_link(error)
        return {}


def set_query(query: dict[str, str]) -> None:
    """Let the address bar say what is shown; the browser's history gets an entry if it differs.

    Parameters
    ----------
    query : dict of str to str
        Texts by key.
    """
    if st.query_params.to_dict() != query:
        st.query_params.from_dict(query)


def _layers_of_histogram(recipe: Recipe) -> list[str]:
    """Return what the histogram can be of: layers, or the groups of units of the last step."""
    step = recipe.last_step
    layers = layers_for(recipe.network, "weight", "")
    groups = layers_for(recipe.network, step.method, step.grouping)
    return [ALL_LAYERS, *dict.fromkeys([*layers, *groups])]


def _masks(recipe: Recipe) -> list[str]:
    """Return what a mask can be of: layers, or the image if a step removes pixels."""
    names = list(layers_for(recipe.network, "weight", ""))
    for step in recipe.steps:
        if not METHODS[step.method].has_weights:
            names += layers_for(recipe.network, step.method, step.grouping)
    return names


def _parse_layer(name: str, options: Callable[[Recipe], list[str]], text: str) -> str:
    assert session.recipe is not None  # the recipe of the link is shown first
    return parse_choice(name, text, options(session.recipe))


def _format_histogram(state: SessionState) -> str | None:
    assert state.recipe is not None
    is_valid = state.histogram in _layers_of_histogram(state.recipe)
    return state.histogram if is_valid and state.histogram != ALL_LAYERS else None


def _format_mask(state: SessionState) -> str | None:
    assert state.recipe is not None
    is_valid = state.mask in _masks(state.recipe)
    return state.mask if is_valid and state.mask != state.default_mask else None


def _format_log(state: SessionState) -> str | None:
    return "True" if state.log else None


def _parse_tour(text: str) -> int:
    stop = parse_int("tour", text)
    if not 0 <= stop <= MAX_TOUR:
        raise ValueError(f"tour must be a stop from 1 to {MAX_TOUR}, not {text[:MAX_QUOTED]}")
    return stop


def _format_tour(state: SessionState) -> str | None:
    return str(state.tour) if state.tour else None


def _format_presenting(state: SessionState) -> str | None:
    return "True" if state.presenting else None


def _parse_pinned(text: str) -> Recipe:
    limits = {"strict_parsing": True, "max_num_fields": MAX_PINNED_FIELDS}
    try:
        query = dict(parse_qsl(text, keep_blank_values=True, **limits))
    except ValueError:
        raise ValueError("pin must be a recipe such as network=lenet5&sparsity=0.5") from None
    unknown = [key[:MAX_QUOTED] for key in query if key not in query_keys()]
    if unknown:
        raise ValueError(f"pin has keys without a meaning: {', '.join(unknown)}")
    try:
        return _recipe_of_link(query, Recipe(*default_pair()))
    except (ValueError, PrunescopeError) as error:
        raise ValueError(f"pin: {error}") from error


def _format_pinned(state: SessionState) -> str | None:
    return urlencode(recipe_to_query(state.pinned)) if state.pinned else None


def _format_both(state: SessionState) -> str | None:
    return "True" if state.pinned and state.both else None


def _parse_max_loss(text: str) -> float:
    value = parse_float("lose", text)
    if not 0 <= value <= MAX_LOSS:
        raise ValueError(f"lose must be from 0 to {MAX_LOSS:g} points, not {text[:MAX_QUOTED]}")
    return value


def _format_max_loss(state: SessionState) -> str:
    return str(state.lose)


def _parse_run(text: str) -> str:
    is_there = RUN_NAME.fullmatch(text) and (runs_folder() / text).is_dir()
    if is_there and text in [run.name for run in visible_runs()]:
        return text
    raise ValueError(f"there is no run {text[:MAX_QUOTED]} on this server")


def _format_run(state: SessionState) -> str | None:
    return state.selected_run or None


def _parse_image(text: str) -> int:
    assert session.recipe is not None
    last = DATASETS[session.recipe.dataset].test_images - 1
    index = parse_int("image", text)
    if not 0 <= index <= last:
        raise ValueError(f"image must be a test image from 0 to {last}, not {text[:MAX_QUOTED]}")
    return index


def _format_image(state: SessionState) -> str | None:
    assert state.recipe is not None
    is_valid = 0 < state.image < DATASETS[state.recipe.dataset].test_images
    return str(state.image) if is_valid else None


def _layers_inside(recipe: Recipe) -> list[str]:
    return list(layers_for(recipe.network, "weight", ""))


def _format_inside_layer(state: SessionState) -> str | None:
    assert state.recipe is not None
    layers = _layers_inside(state.recipe)
    is_other = state.inside_layer in layers[1:]
    return state.inside_layer if is_other else None


def _parse_own_image(text: str) -> OwnImage:
    assert session.recipe is not None
    data = DATASETS[session.recipe.dataset]
    return OwnImage(image_from_text(text, data), data.name)


def _format_own_image(state: SessionState) -> str | None:
    """Return the visitor's image if it is shown; one that is too long is not part of a link."""
    assert state.recipe is not None
    image = state.own_image
    is_shown = state.image_source == OWN_IMAGE and image is not None
    if not is_shown or image.dataset != state.recipe.dataset:
        return None
    text = image_to_text(image.pixels)
    return text if len(text) <= MAX_TEXT else None


def _parse_source(text: str) -> str:
    return SOURCES[parse_choice("source", text, list(SOURCES))]


def _format_source(state: SessionState) -> str | None:
    return "own" if state.image_source == OWN_IMAGE else None


def _format_choice(name: str, default: str, state: SessionState) -> str | None:
    value = getattr(state, name)
    return value if value and value != default else None


VIEW_FIELDS = {
    "histogram": QueryField(
        "histogram", partial(_parse_layer, "histogram", _layers_of_histogram), _format_histogram
    ),
    "mask": QueryField("mask", partial(_parse_layer, "mask", _masks), _format_mask),
    "log": QueryField("log", partial(parse_flag, "log"), _format_log),
    "tour": QueryField("tour", _parse_tour, _format_tour),
    "presenting": QueryField("present", partial(parse_flag, "present"), _format_presenting),
    "pinned": QueryField("pin", _parse_pinned, _format_pinned),
    "both": QueryField("both", partial(parse_flag, "both"), _format_both),
    "section": QueryField(
        "show",
        lambda text: parse_choice("show", text, list(SECTIONS)),
        partial(_format_choice, "section", "forgotten"),
    ),
    "after": QueryField(
        "after",
        lambda text: parse_choice("after", text, AFTER),
        partial(_format_choice, "after", ""),
    ),
    "changes": QueryField(
        "changes",
        lambda text: parse_choice("changes", text, list(CHANGES)),
        partial(_format_choice, "changes", "all"),
    ),
    "image": QueryField("image", _parse_image, _format_image),
    "inside_layer": QueryField(
        "at", partial(_parse_layer, "at", _layers_inside), _format_inside_layer
    ),
    "image_source": QueryField("source", _parse_source, _format_source),
    "own_image": QueryField("drawn", _parse_own_image, _format_own_image),
    "lose": QueryField("lose", _parse_max_loss, _format_max_loss),
    "selected_run": QueryField("run", _parse_run, _format_run),
}
"""What links say besides a recipe, by the name of a field of the session; ``format`` is called
with the session. A layer of another network is not written into a link."""


def current_recipe(view: tuple[str, ...] = EXPLORE_VIEW) -> Recipe | None:
    """Return the recipe that the session shows; in a new session that of the link.

    Parameters
    ----------
    view : tuple of str
        What a link of this page can say besides the recipe, names in ``VIEW_FIELDS``.

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
        known = {VIEW_FIELDS[name].name for name in view}
        _show_link(_read_query([*query_keys(), *known]), view)
    return session.recipe


def _show_link(query: Mapping[str, str], view: tuple[str, ...]) -> None:
    """Let the session show a link, or the default of the page if its recipe is not valid."""
    network, dataset = default_pair()
    default = Recipe(network, dataset)
    try:
        recipe = _recipe_of_link(query, default)
    except Exception as error:
        report_bad_link(error)
        recipe, query = default, {}
    show_recipe(recipe)
    # The widgets show the numbers of a link also where the criterion does not use them.
    if "calibration" in query:
        session.calibration = parse_int("calibration", query["calibration"])
    if "seed" in query:
        session.seed = parse_int("seed", query["seed"])
    _show_view(query, view)


def _recipe_of_link(query: Mapping[str, str], default: Recipe) -> Recipe:
    check_names(query)
    recipe = recipe_from_query(query, default)
    if "dataset" not in query:
        recipe = _on_available_dataset(recipe)
    check_available(recipe.network, recipe.dataset)
    check_checkpoint(recipe)  # raises if a run of the link is not on this server
    return recipe


def _show_view(query: Mapping[str, str], view: tuple[str, ...]) -> None:
    """Let the session show the view of a link; fields without a valid text take their default."""
    for name in view:
        delattr(session, name)
        field = VIEW_FIELDS[name]
        values = _parse([field], query)
        if field.name in values:
            setattr(session, name, values[field.name])


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
        What the link says besides the recipe, names in ``VIEW_FIELDS``.
    """
    fields = [VIEW_FIELDS[name] for name in view]
    set_query(format_query(fields, session) | recipe_to_query(recipe))


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
    session.recovery = recovery_option(recipe.recovery)
    session.checkpoint = recipe.checkpoint or SHIPPED
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

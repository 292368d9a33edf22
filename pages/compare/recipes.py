"""The recipes of the columns and their budget: default, link and file."""

import json
import uuid
from collections.abc import Sequence

import streamlit as st

from pages.state.messages import report_bad_file, report_bad_link
from pages.state.session import SessionState, session
from pages.state.url import (
    available_checkpoints,
    check_available,
    default_pair,
    is_history_navigation,
    read_query,
    set_query,
)
from pages.state.widgets import registry_select
from pruning.data.datasets import DATASETS
from pruning.experiments.budgets import Budget
from pruning.experiments.comparison import MAX_COLUMNS, read_comparison
from pruning.models import NETWORKS
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_to_dict
from pruning.runtime.json_reader import parse_json

LINK_KEYS = ("columns", "budget")


def read_link() -> None:
    """Follow the link, in a new session or after the browser's Back or Forward button.

    What is wrong with it is reported, and the page shows its default: a recipe for each of the
    usual methods.
    """
    if session.comparison and not is_history_navigation():
        return
    query = read_query(LINK_KEYS)
    session.comparison = []
    try:
        if "columns" in query:
            recipes, budget = _parse_columns(parse_json(query["columns"], "columns"))
            if "budget" in query:
                budget = Budget.from_text(query["budget"])
            show_comparison(recipes, budget)
        elif "budget" in query:
            _show_budget(Budget.from_text(query["budget"]))
    except ValueError as error:
        report_bad_link(error)
    if not session.comparison:
        _set_columns(_default_recipes())


def show_comparison(recipes: Sequence[Recipe], budget: Budget) -> None:
    """Let the page show a comparison; call it before its widgets are drawn.

    Parameters
    ----------
    recipes : sequence of Recipe
        Of one network and dataset.
    budget : Budget
        What all columns have in common.
    """
    session.network, session.dataset = recipes[0].network, recipes[0].dataset
    _show_budget(budget)
    _set_columns(recipes)


def draw_sidebar() -> None:
    """Draw network and dataset of all columns, the button for one column more, and the file."""
    checkpoints = available_checkpoints()
    network = registry_select("Network", list(checkpoints), "network", NETWORKS)
    dataset = registry_select("Dataset", checkpoints[network], "dataset", DATASETS, default=-1)
    recipes = session.comparison
    if (network, dataset) != (recipes[0].network, recipes[0].dataset):
        _set_columns([recipe.moved_to(network, dataset) for recipe in recipes])
    st.button(
        "Add a column",
        icon=":material/add:",
        width="stretch",
        disabled=len(recipes) >= MAX_COLUMNS,
        on_click=_add_column,
    )
    key = SessionState.upload_widgets.of(session.uploads)
    st.file_uploader("Open a comparison (JSON)", "json", key=key, on_change=_open_file, args=[key])


def put_columns(recipes: Sequence[Recipe], budget: Budget) -> None:
    """Remember the recipes, and let the address bar say what is shown.

    Parameters
    ----------
    recipes : sequence of Recipe
        The recipe of each column, as the widgets show it.
    budget : Budget
        What all columns have in common.
    """
    session.comparison = list(recipes)
    columns = [recipe_to_dict(recipe) for recipe in recipes]
    set_query({"budget": budget.to_text(), "columns": json.dumps(columns, separators=(",", ":"))})


def remove_column(index: int) -> None:
    """Remove a column, in a callback.

    Parameters
    ----------
    index : int
        Index of the column.
    """
    recipes, ids = list(session.comparison), list(session.column_ids)
    del recipes[index], ids[index]
    session.comparison, session.column_ids = recipes, ids


def use_recipe_of_explore(index: int) -> None:
    """Let a column show the recipe of Explore on the network of the comparison, in a callback.

    Parameters
    ----------
    index : int
        Index of the column.
    """
    explored = session.recipe
    if explored is None:
        return
    recipes, ids = list(session.comparison), list(session.column_ids)
    recipes[index] = explored.moved_to(recipes[index].network, recipes[index].dataset)
    ids[index] = _new_id()
    session.comparison, session.column_ids = recipes, ids


def _parse_columns(content: object) -> tuple[list[Recipe], Budget]:
    recipes, budget = read_comparison(content)
    check_available(recipes[0].network, recipes[0].dataset)
    return recipes, budget


def _show_budget(budget: Budget) -> None:
    session.budget = budget.kind
    if budget.kind != "own":
        st.session_state[SessionState.share_widgets.of(budget.kind)] = 100 * budget.share


def _set_columns(recipes: Sequence[Recipe]) -> None:
    """Show other recipes: their widgets begin anew."""
    session.comparison = list(recipes)
    session.column_ids = [_new_id() for _ in recipes]


def _new_id() -> str:
    return uuid.uuid4().hex[:8]


def _default_recipes() -> list[Recipe]:
    checkpoints = available_checkpoints()
    if session.network not in checkpoints:
        session.network = default_pair()[0]
    network = session.network
    if session.dataset not in checkpoints[network]:
        session.dataset = checkpoints[network][-1]
    dataset = session.dataset
    return [
        Recipe.one_step(network, dataset),
        Recipe.one_step(network, dataset, method="neuron", criterion="activation", scope="layer"),
        Recipe.one_step(network, dataset, method="filter", scope="layer"),
    ]


def _add_column() -> None:
    """Add a random recipe with a seed that no other column has."""
    recipes = session.comparison
    taken = {recipe.seed for recipe in recipes if recipe.last_step.criterion == "random"}
    seed = next(seed for seed in range(MAX_COLUMNS) if seed not in taken)
    first = recipes[0]
    added = Recipe.one_step(first.network, first.dataset, criterion="random", seed=seed)
    session.comparison = [*recipes, added]
    session.column_ids = [*session.column_ids, _new_id()]


def _open_file(key: str) -> None:
    """Show the comparison of an uploaded file, in a callback."""
    file = st.session_state[key]
    if file is None:
        return
    session.uploads += 1  # the uploader of the next run has another key: a file is opened once
    text = file.getvalue().decode("utf-8", "replace")
    try:
        recipes, budget = _parse_columns(parse_json(text, "it"))
    except ValueError as error:
        report_bad_file(error)
        return
    show_comparison(recipes, budget)

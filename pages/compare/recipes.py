"""The recipes of the columns and their budget: default, link and file."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from pages.state import url
from pages.state.available import (
    available_checkpoints,
    check_available,
    check_names,
    default_pair,
)
from pages.state.messages import report_bad_file, report_unknown_keys
from pages.state.session import SessionState, session
from pages.state.widgets import registry_select
from pruning.data.datasets import DATASETS
from pruning.engine.run_checkpoint import finished_runs
from pruning.engine.trained_network import check_checkpoint
from pruning.experiments.budgets import Budget
from pruning.experiments.comparison import (
    MAX_COLUMNS,
    read_comparison,
    recipe_contents,
    unknown_keys,
)
from pruning.methods.criteria import CRITERIA
from pruning.models import NETWORKS
from pruning.recipe.compatibility import methods_for, recoveries_for
from pruning.recipe.query import QueryField, format_query
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_to_dict
from pruning.runtime.errors import PrunescopeError
from pruning.runtime.json_reader import parse_json
from pruning.training.retrain import recipe_of_run
from pruning.training.run_files import RunFiles


@dataclass(frozen=True)
class ComparedRecipes:
    """The recipe of each column and their budget, as a link or a file says them.

    Parameters
    ----------
    recipes : sequence of Recipe
        Of one network and dataset.
    budget : Budget
        What all columns have in common.
    """

    recipes: Sequence[Recipe]
    budget: Budget


def _format_budget(compared: ComparedRecipes) -> str:
    return compared.budget.to_text()


def _parse_columns(text: str) -> ComparedRecipes:
    return _read_content(parse_json(text, "columns"), "comparison of the link")


def _format_columns(compared: ComparedRecipes) -> str:
    contents = [recipe_to_dict(recipe) for recipe in compared.recipes]
    return json.dumps(contents, separators=(",", ":"))


LINK_FIELDS = (
    QueryField("budget", Budget.from_text, _format_budget),
    QueryField("columns", _parse_columns, _format_columns),
)


def read_link() -> None:
    """Follow the link, in a new session or after the browser's Back or Forward button.

    What is wrong with it is reported, and the page shows its default: a recipe for each of the
    usual methods.
    """
    if session.comparison and not url.is_history_navigation():
        return
    values = url.read_link(LINK_FIELDS)
    session.comparison = []
    if "columns" in values:
        compared = values["columns"]
        show_comparison(compared.recipes, values.get("budget", compared.budget))
        return
    if "budget" in values:
        _show_budget(values["budget"])
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
    network_key, dataset_key = SessionState.network.key, SessionState.dataset.key
    network = registry_select("Network", list(checkpoints), network_key, NETWORKS)
    dataset = registry_select("Dataset", checkpoints[network], dataset_key, DATASETS, default=-1)
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
    st.button(
        "Compare recoveries",
        icon=":material/healing:",
        width="stretch",
        on_click=_compare_recoveries,
        help="Shows the masks of column 1 without recovery, with each recovery, and after "
        "retraining, where there is a finished run of the same recipe.",
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
    url.set_query(format_query(LINK_FIELDS, ComparedRecipes(recipes, budget)))


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


def _read_content(content: object, source: str) -> ComparedRecipes:
    """Read a comparison that can be shown on this machine."""
    for recipe in recipe_contents(content):
        check_names(recipe)
    recipes, budget = read_comparison(content)
    check_available(recipes[0].network, recipes[0].dataset)
    for recipe in recipes:
        check_checkpoint(recipe)  # raises if a run is not on this server
    report_unknown_keys(unknown_keys(content), source)
    return ComparedRecipes(recipes, budget)


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
    steps: list[dict[str, Any]] = [
        {"method": "weight"},
        {"method": "neuron", "criterion": "activation", "scope": "layer"},
        {"method": "filter", "scope": "layer"},
    ]
    methods = methods_for(network)
    return [
        Recipe.one_step(network, dataset, **step) for step in steps if step["method"] in methods
    ]


def _add_column() -> None:
    """Add a random recipe with a seed that no other column has."""
    recipes = session.comparison
    taken = {recipe.seed for recipe in recipes if CRITERIA[recipe.last_step.criterion].is_random}
    seed = next(seed for seed in range(MAX_COLUMNS) if seed not in taken)
    first = recipes[0]
    added = Recipe.one_step(first.network, first.dataset, criterion="random", seed=seed)
    session.comparison = [*recipes, added]
    session.column_ids = [*session.column_ids, _new_id()]


def _compare_recoveries() -> None:
    """Show the first recipe without recovery, with each recovery, and its finished runs."""
    first = replace(session.comparison[0].without_recovery, checkpoint="")
    recipes = [first]
    for name in recoveries_for(first.network):
        recipes.append(replace(first, recovery=(name,)))
    recipes += _finished_runs_of(first)
    show_comparison(recipes[:MAX_COLUMNS], Budget("own"))


def _finished_runs_of(recipe: Recipe) -> list[Recipe]:
    """Recipes that show the finished runs which started from the masks of a recipe."""
    shown = []
    for name in finished_runs(recipe.network, recipe.dataset):
        try:
            spec = RunFiles(name).spec()
        except PrunescopeError:
            continue
        if spec.recipe.without_recovery == recipe.on_all_images:
            shown.append(recipe_of_run(spec))
    return shown


def _open_file(key: str) -> None:
    """Show the comparison of an uploaded file, in a callback."""
    file = st.session_state[key]
    if file is None:
        return
    session.uploads += 1  # the uploader of the next run has another key: a file is opened once
    text = file.getvalue().decode("utf-8", "replace")
    try:
        compared = _read_content(parse_json(text, "it"), "file")
    except Exception as error:
        report_bad_file(error)
        return
    show_comparison(compared.recipes, compared.budget)

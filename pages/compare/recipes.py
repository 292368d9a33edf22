"""What is compared: the columns' recipes, their link and file, and the work that measures them."""

import json
import uuid
from functools import partial

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.controls import step_list as cards
from pages.state.session import jobs, plain, registered, there, visitor
from pruning.data.datasets import DATASETS
from pruning.experiments.comparison import Budget, check, measure
from pruning.figures.comparison import COLOURS
from pruning.models import NETWORKS
from pruning.recipe.recipe import Recipe
from pruning.runtime.jobs import Job

OWNERS = tuple(f"column {i}" for i in range(len(COLOURS)))


def columns_of() -> list[Recipe]:
    """The recipes of the last run; in a new session those of the link, else one of each kind of pruning."""
    if (
        get_script_run_ctx().is_history_navigation
    ):  # the browser's Back button: the link says what is wanted
        st.session_state.pop("comparison", None)
    if "comparison" not in st.session_state:
        query = st.query_params.to_dict()
        if "columns" in query:
            _read(query["columns"], query.get("budget", "own"), "The link could not be followed")
        elif "budget" in query:
            _read_budget(query["budget"])
        if "comparison" not in st.session_state:
            found = there()
            network = st.session_state.get("network") or (
                "lenet5" if "lenet5" in found else next(iter(found))
            )
            dataset = st.session_state.get("dataset")
            dataset = dataset if dataset in found[network] else found[network][-1]
            st.session_state.update({"network": network, "dataset": dataset})
            _put(_usual(network, dataset))
    return st.session_state["comparison"]


def _usual(network: str, dataset: str) -> list[Recipe]:
    return [
        Recipe(network, dataset),
        Recipe(network, dataset, method="neuron", criterion="activation", scope="layer"),
        Recipe(network, dataset, method="filter", scope="layer"),
    ]


def _put(recipes: list[Recipe]) -> None:
    """Other recipes: their widgets begin anew."""
    st.session_state["comparison"] = recipes
    st.session_state["column ids"] = [uuid.uuid4().hex[:8] for _ in recipes]


def _read(text: str, budget: str, otherwise: str) -> None:
    """Take over a comparison from a link or a file; what is wrong with it is said, and nothing changes."""
    try:
        content = json.loads(text)
        if isinstance(content, dict):
            told = content.get("budget", {})
            budget = (
                f"{told.get('kind')}={told.get('share')}" if told.get("kind") != "own" else "own"
            )
            content = [column.get("recipe") for column in content.get("columns", [])]
        if not isinstance(content, list) or not 1 <= len(content) <= len(OWNERS):
            raise ValueError(f"a comparison is a list of 1 to {len(OWNERS)} recipes")
        recipes, asked = [Recipe.from_dict(recipe) for recipe in content], Budget.read(budget)
        check(recipes)
        if recipes[0].dataset not in there().get(recipes[0].network, []):
            raise ValueError(f"{recipes[0].network} on {recipes[0].dataset} is not on this machine")
    except (ValueError, RecursionError, AttributeError, TypeError) as error:
        st.session_state["message"] = f"{otherwise}: {plain(str(error))}."
        return
    st.session_state.update({"network": recipes[0].network, "dataset": recipes[0].dataset})
    _show_budget(asked)
    _put(recipes)


def _read_budget(text: str) -> None:
    try:
        _show_budget(Budget.read(text))
    except ValueError as error:
        st.session_state["message"] = f"The link could not be followed: {plain(str(error))}."


def _show_budget(budget: Budget) -> None:
    """Let the slider that drives all columns say it."""
    st.session_state.update({"budget": budget.kind, f"share of {budget.kind}": 100 * budget.share})


def choose_network(recipes: list[Recipe]) -> list[Recipe]:
    """The same network and data for all columns."""
    found = there()
    network = registered("Network", list(found), "network", NETWORKS)
    dataset = registered("Dataset", found[network], "dataset", DATASETS, otherwise=-1)
    if (network, dataset) != (recipes[0].network, recipes[0].dataset):
        _put([cards.moved(recipe, network, dataset) for recipe in recipes])
    recipes = st.session_state["comparison"]
    st.button(
        "Add a column",
        icon=":material/add:",
        width="stretch",
        disabled=len(recipes) >= len(OWNERS),
        on_click=_add,
    )
    key = f"upload {st.session_state.setdefault('uploads', 0)}"
    st.file_uploader("Open a comparison (JSON)", "json", key=key, on_change=_take_file, args=[key])
    return recipes


def _take_file(key: str) -> None:
    """Before the widgets are drawn, which it changes."""
    if st.session_state[key] is not None:
        st.session_state["uploads"] += 1  # taken once
        _read(
            st.session_state[key].getvalue().decode("utf-8", "replace"),
            "own",
            "The file could not be read",
        )


def _add() -> None:
    recipes = st.session_state["comparison"]
    seeds = {recipe.seed for recipe in recipes if recipe.criterion == "random"}
    seed = next(seed for seed in range(len(OWNERS)) if seed not in seeds)
    st.session_state["comparison"] = [
        *recipes,
        Recipe(recipes[0].network, recipes[0].dataset, criterion="random", seed=seed),
    ]
    st.session_state["column ids"].append(uuid.uuid4().hex[:8])


def put_columns(recipes: list[Recipe], budget: Budget) -> list[Recipe]:
    """Remember them, and let the address bar say what is shown."""
    st.session_state["comparison"] = list(recipes)
    query = {
        "budget": "own" if budget.kind == "own" else f"{budget.kind}={budget.share:g}",
        "columns": json.dumps([recipe.to_dict() for recipe in recipes], separators=(",", ":")),
    }
    if st.query_params.to_dict() != query:
        st.query_params.from_dict(query)
    return recipes


def running(recipes: list[Recipe], budget: Budget) -> list[Job]:
    """The work of every column, each in turn."""
    for owner in OWNERS[len(recipes) :]:
        jobs().unsubscribe((visitor(), owner))
    return [
        jobs().subscribe(
            (visitor(), owner), ("column", recipe.key, budget), partial(measure, recipe, budget)
        )
        for owner, recipe in zip(OWNERS, recipes)
    ]

"""The sidebar that pages share. The widgets, the recipe and the link always agree."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import streamlit as st

from pages.controls.amount import amount_without_scores, draw_amount
from pages.controls.checkpoint import (
    await_card,
    draw_card,
    draw_checkpoint,
    draw_download,
)
from pages.controls.recovery import draw_recovery
from pages.controls.scoring import request_scores
from pages.controls.step_form import ALL_CONTROLS, ShownControls, draw_step_form
from pages.controls.step_list import draw_add_button, draw_steps
from pages.state.available import available_checkpoints
from pages.state.messages import escape_markdown, sentence
from pages.state.session import SessionState, session
from pages.state.step_widgets import SIDEBAR_STEP
from pages.state.url import EXPLORE_VIEW, current_recipe, layers_key, put_recipe_link
from pages.state.widgets import persistent, registry_select
from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.engine.pruned_network import PrunedNetwork
from pruning.models import NETWORKS
from pruning.recipe.compatibility import layers_for
from pruning.recipe.recipe import MAX_SEED, Recipe, max_calibration_images
from pruning.recipe.step import Step
from pruning.runtime.errors import PrunescopeError


@dataclass(frozen=True)
class Sidebar:
    """What the sidebar says in one run of a page.

    Parameters
    ----------
    recipe : Recipe
        The recipe of the widgets.
    active_step : int
        Index of the step that the form shows.
    unscored : Recipe or None
        The recipe up to the step that is being scored; there is no slider until it is.
    summary_slot : DeltaGenerator
        Container below the slider, for the summary of the selection.
    """

    recipe: Recipe
    active_step: int
    unscored: Recipe | None
    summary_slot: Any


@dataclass(frozen=True)
class _Form:
    """The controls of a recipe before the amount is chosen.

    Parameters
    ----------
    recipe : Recipe
        The recipe before this run of the page, with network, dataset and sampling of the widgets.
    active_step : int
        Index of the step that the form shows.
    chosen : Step
        The step as the form shows it.
    base : Recipe
        The recipe up to this step, with the choices that scores depend on and any amount.
    amount_slot, summary_slot : DeltaGenerator
        Containers for the amount and for the summary of the selection.
    """

    recipe: Recipe
    active_step: int
    chosen: Step
    base: Recipe
    amount_slot: Any
    summary_slot: Any

    @property
    def before(self) -> Recipe:
        """The recipe up to the step of the form, before this run of the page."""
        return self.recipe.with_steps(self.recipe.steps[: self.active_step + 1])

    def with_amount(self, edited: Recipe, unscored: Recipe | None = None) -> Sidebar:
        """Return what the sidebar says once the amount is chosen.

        Parameters
        ----------
        edited : Recipe
            The recipe up to the step of the form.
        unscored : Recipe, optional
            The recipe up to the step that is being scored.

        Returns
        -------
        Sidebar
            With the steps after that of the form.
        """
        later_steps = self.recipe.steps[self.active_step + 1 :]
        recipe = _with_sampling(self.recipe.with_steps((*edited.steps, *later_steps)))
        return Sidebar(recipe, self.active_step, unscored, self.summary_slot)


def score_and_draw_sidebar(view: tuple[str, ...] = EXPLORE_VIEW) -> Sidebar | None:
    """Draw the controls of a recipe, request its scores, and draw the amount that is removed.

    Parameters
    ----------
    view : tuple of str
        Fields of the session that the link carries besides the recipe.

    Returns
    -------
    Sidebar or None
        None if the widgets stand for no recipe, or if the accuracy of the dense network has yet to
        be measured; the page then shows why.
    """
    return _edit_in_sidebar(_edit_with_amount, view)


def after_active_step(pruned: PrunedNetwork, sidebar: Sidebar) -> PrunedNetwork:
    """Return the network after the step that the sidebar shows.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of the sidebar's recipe.
    sidebar : Sidebar
        The sidebar.

    Returns
    -------
    PrunedNetwork
        The network itself if the last step is shown.
    """
    for _ in sidebar.recipe.steps[sidebar.active_step + 1 :]:
        assert pruned.previous is not None
        pruned = pruned.previous
    return pruned


def await_and_draw_recipe(
    view: tuple[str, ...] = (), shown: ShownControls = ALL_CONTROLS
) -> Recipe | None:
    """Draw the controls of a recipe without the amount that is removed: no scores are needed.

    Parameters
    ----------
    view : tuple of str
        Fields of the session that the link carries besides the recipe.
    shown : ShownControls
        The controls to draw; the recipe keeps its choices where one is hidden.

    Returns
    -------
    Recipe or None
        See `score_and_draw_sidebar`.
    """
    edit = partial(_edit_without_amount, shown=shown)
    sidebar = _edit_in_sidebar(edit, view)
    return None if sidebar is None else sidebar.recipe


def _edit_in_sidebar(edit: Callable[[Recipe], Sidebar], view: tuple[str, ...]) -> Sidebar | None:
    shown_recipe = current_recipe(view)
    if shown_recipe is None:
        return None
    with st.sidebar:
        try:
            sidebar = edit(shown_recipe)
        except (ValueError, PrunescopeError) as error:
            st.error(escape_markdown(sentence(error)))
            return None
    session.recipe = sidebar.recipe
    put_recipe_link(sidebar.recipe, view)
    return sidebar if await_card(sidebar.recipe) else None


def _edit_without_amount(shown_recipe: Recipe, *, shown: ShownControls) -> Sidebar:
    form = _draw_form(shown_recipe, shown)
    chosen = form.chosen
    return form.with_amount(
        amount_without_scores(form.before, form.base, chosen.rule, chosen.scope)
    )


def _edit_with_amount(shown_recipe: Recipe) -> Sidebar:
    form = _draw_form(shown_recipe)
    unscored = request_scores(form.base)
    with form.amount_slot:
        edited = _draw_amount(form, is_scored=unscored is None)
    return form.with_amount(edited, unscored)


def _draw_form(shown_recipe: Recipe, shown: ShownControls = ALL_CONTROLS) -> _Form:
    """Draw all controls but the amount, which the scores decide on."""
    recipe = _draw_network(shown_recipe)
    active = draw_steps(recipe)
    form, amount, summary = st.container(), st.container(), st.container()
    recovery_slot = st.container()
    layers = st.expander("Layers that take part") if shown.layers else None
    with st.expander("Sampling"):
        recipe = _draw_sampling(recipe)
    draw_add_button(recipe)

    before = recipe.with_steps(recipe.steps[: active + 1])
    with form:
        chosen = draw_step_form(
            before.last_step, recipe.network, recipe.dataset, SIDEBAR_STEP, shown
        )
    if shown.recovery:
        with recovery_slot:
            recovery = draw_recovery(recipe.network, SessionState.recovery.key)
        recipe = _with_sampling(replace(recipe, recovery=recovery))
    neutral = replace(chosen, rule="sparsity", value=0.5, scope="global", values=(), layers=None)
    base = _with_sampling(before.with_steps((*before.previous_steps, neutral)))
    if layers is not None:
        with layers:
            base = base.with_last_step(layers=_draw_layers(base))
    elif before.last_step.has_same_scores(base.last_step):
        base = base.with_last_step(layers=before.last_step.layers)
    return _Form(recipe, active, chosen, base, amount, summary)


def _draw_amount(form: _Form, *, is_scored: bool) -> Recipe:
    """Draw the widget of the amount, or say that it waits for the scores."""
    rule, scope = form.chosen.rule, form.chosen.scope
    if is_scored:
        return draw_amount(form.before, form.base, rule, scope)
    edited = amount_without_scores(form.before, form.base, rule, scope)
    st.caption("The slider is shown when the units are scored.")
    return edited


def _draw_network(shown_recipe: Recipe) -> Recipe:
    """Draw network and dataset; the steps of the recipe are adapted to another network."""
    available = available_checkpoints()
    network = registry_select("Network", list(available), SessionState.network.key, NETWORKS)
    names = available[network]
    dataset = registry_select(
        "Dataset", names, SessionState.dataset.key, DATASETS, default=len(names) - 1
    )
    checkpoint = draw_checkpoint(network, dataset)
    recipe = shown_recipe
    if (network, dataset) != (shown_recipe.network, shown_recipe.dataset):
        recipe = shown_recipe.moved_to(network, dataset)
    recipe = replace(recipe, checkpoint=checkpoint)
    draw_card(recipe)
    for name in DATASETS:
        if not datasets.available(name):
            draw_download(name)
    return recipe


def _draw_sampling(shown_recipe: Recipe) -> Recipe:
    """Draw the number of calibration images and the seed.

    Both live in their widgets, because a recipe that does not use them has their defaults.
    """
    limit = max_calibration_images(shown_recipe.dataset)
    session.calibration = min(session.calibration or shown_recipe.calibration, limit)
    if session.seed is None:
        session.seed = shown_recipe.seed
    st.number_input(
        "Calibration images",
        1,
        limit,
        help="Number of training images that criteria and recoveries use.",
        **persistent(SessionState.calibration.key),
    )
    st.number_input(
        "Seed",
        0,
        MAX_SEED,
        help="Seed of the criterion Random.",
        **persistent(SessionState.seed.key),
    )
    return _with_sampling(shown_recipe)


def _with_sampling(recipe: Recipe) -> Recipe:
    """Apply the number of calibration images and the seed of the widgets."""
    assert session.calibration is not None
    assert session.seed is not None
    return replace(recipe, calibration=int(session.calibration), seed=int(session.seed))


def _draw_layers(base: Recipe) -> tuple[str, ...]:
    step = base.last_step
    names = list(layers_for(base.network, step.method, step.grouping))
    key = layers_key(base)
    chosen = st.session_state.get(key)
    if chosen is None or not set(chosen) <= set(names):
        st.session_state[key] = names
    chosen = st.multiselect(
        "Layers",
        names,
        label_visibility="collapsed",
        placeholder="Choose layers",
        **persistent(key),
    )
    return tuple(chosen)

"""Runs beside each other: accuracy against compression or epochs, and what was made from what."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import streamlit as st

from pages.state.background_task import Task, TaskProgress
from pages.state.session import SessionState, session
from pages.state.widgets import CHART, segments
from pruning.engine.evaluate import EvaluationProgress, evaluate
from pruning.engine.evaluation import Evaluation
from pruning.engine.trained_network import card_of, trained_network
from pruning.experiments.run_table import run_map
from pruning.figures.runs import (
    RunPoint,
    alt_of_run_comparison,
    alt_of_run_map,
    run_comparison,
    run_map_figure,
)
from pruning.methods.recovery import RECOVERIES
from pruning.models import checkpoints
from pruning.recipe.compatibility import recoveries_for
from pruning.recipe.recipe import Recipe
from pruning.runtime.errors import PrunescopeError
from pruning.training.retrain import recipe_of_run
from pruning.training.run_files import RunInfo
from pruning.training.schedules import SCHEDULES

TASK = "runs"
X_LABELS = {"compression": "Compression", "epochs": "Epochs"}
MAX_COMPARED = 40


def comparison_task(recipe: Recipe, runs: Sequence[RunInfo]) -> Task:
    """Return the task that measures finished runs, and one recipe without training.

    Parameters
    ----------
    recipe : Recipe
        The recipe of the sidebar.
    runs : sequence of RunInfo
        All runs.

    Returns
    -------
    Task
        Its result is a list of `RunPoint`.
    """
    members = _finished_runs(recipe, runs)
    untrained = _untrained(replace(recipe, checkpoint=""))
    names = tuple((run.name, run.card.weights_sha256) for run in members if run.card)

    def work(report: Callable[[TaskProgress], None]) -> list[RunPoint]:
        def report_progress(progress: EvaluationProgress) -> None:
            report(TaskProgress(progress.share))

        readable = [run for run in members if _is_readable(run)]
        recipes = [*untrained.values(), *(recipe_of_run(run.spec) for run in readable if run.spec)]
        evaluations = evaluate(recipes, report=report_progress)
        points = []
        for kind, evaluation in zip(untrained, evaluations, strict=False):
            points.append(_point(kind, kind, 0, evaluation))
        spent = {run.name: _epochs_spent(run, runs) for run in readable}
        for run, evaluation in zip(readable, evaluations[len(untrained) :], strict=True):
            assert run.spec is not None
            kind = SCHEDULES[run.spec.schedule].label
            points.append(_point(run.name, kind, spent[run.name], evaluation))
        return points

    return Task(
        name=TASK,
        key=("compare runs", names, recipe.without_recovery),
        work=work,
        label="Compare the runs",
        starts_itself=True,
        subject="The comparison of runs",
    )


def _finished_runs(recipe: Recipe, runs: Sequence[RunInfo]) -> list[RunInfo]:
    members = []
    for run in runs:
        if run.card is not None and run.spec is not None and _is_of(run.spec.recipe, recipe):
            members.append(run)
    return members[:MAX_COMPARED]


def _is_of(one: Recipe, other: Recipe) -> bool:
    return (one.network, one.dataset) == (other.network, other.dataset)


def _is_readable(run: RunInfo) -> bool:
    """Whether the network of a run can be read; the details of a damaged run say why not."""
    assert run.spec is not None
    try:
        trained_network(recipe_of_run(run.spec))
    except PrunescopeError:
        return False
    return True


def _untrained(recipe: Recipe) -> dict[str, Recipe]:
    """The recipe without recovery and with each, by what the legend says."""
    recipes = {"Pruned, no recovery": recipe.without_recovery}
    for name in recoveries_for(recipe.network):
        recipes[RECOVERIES[name].label] = replace(recipe, recovery=(name,))
    return recipes


def _point(name: str, kind: str, epochs: int, evaluation: Evaluation) -> RunPoint:
    return RunPoint(
        name=name,
        kind=kind,
        compression=evaluation.effective_compression,
        epochs=epochs,
        accuracy=evaluation.accuracy.value,
    )


def _epochs_spent(run: RunInfo, runs: Sequence[RunInfo]) -> int:
    """Epochs of a run, and of the runs that it was made from."""
    by_name = {other.name: other for other in runs}
    epochs, current, seen = 0, run, set()
    while current.name not in seen:
        seen.add(current.name)
        epochs += current.epochs
        parent = "" if current.spec is None else current.spec.recipe.checkpoint
        if parent not in by_name:
            break
        current = by_name[parent]
    return epochs


def draw_comparison(recipe: Recipe, points: Sequence[RunPoint]) -> None:
    """Draw accuracies against compression or epochs.

    Parameters
    ----------
    recipe : Recipe
        The recipe of the sidebar.
    points : sequence of RunPoint
        The result of `comparison_task`.
    """
    x = segments(
        "Against", list(X_LABELS), SessionState.runs_x.key, format_func=X_LABELS.__getitem__
    )
    dense = card_of(recipe.network, recipe.dataset).test_accuracy
    st.plotly_chart(
        run_comparison(points, x, dense),
        key="run_comparison",
        alt=alt_of_run_comparison(points, x),
        **CHART,
    )
    st.caption(
        "Finished runs of this network and dataset, and the recipe of the sidebar without "
        f"training. The dotted line is the dense network, {dense:.2%}. Epochs include those of "
        "the runs that a run was made from; compare runs of equal epochs."
    )


def draw_map(recipe: Recipe, runs: Sequence[RunInfo]) -> None:
    """Draw what was made from what, of one network and dataset; a click selects a run.

    Parameters
    ----------
    recipe : Recipe
        Gives network and dataset.
    runs : sequence of RunInfo
        All runs.
    """
    accuracies = {}
    for network, dataset in checkpoints.shipped():
        accuracies[f"{network} {dataset}"] = card_of(network, dataset).test_accuracy
    members = [run for run in runs if run.spec and _is_of(run.spec.recipe, recipe)]
    if not members:
        st.caption("There are no runs of this network and dataset yet.")
        return
    if len(members) > MAX_COMPARED:
        st.caption(f"The newest {MAX_COMPARED} of {len(members)} runs.")
    nodes = run_map(_with_ancestors(members[:MAX_COMPARED], members), accuracies)
    st.plotly_chart(
        run_map_figure(nodes),
        key="run_map",
        alt=alt_of_run_map(nodes),
        on_select=_select_clicked,
        selection_mode="points",
        **CHART,
    )


def _with_ancestors(chosen: list[RunInfo], runs: list[RunInfo]) -> list[RunInfo]:
    """Add the runs that the chosen ones were made from."""
    by_name = {run.name: run for run in runs}
    shown = {run.name: run for run in chosen}
    waiting = list(chosen)
    while waiting:
        run = waiting.pop()
        parent = by_name.get(run.spec.recipe.checkpoint) if run.spec else None
        if parent is not None and parent.name not in shown:
            shown[parent.name] = parent
            waiting.append(parent)
    return list(shown.values())


def _select_clicked() -> None:
    points = st.session_state["run_map"].selection.points
    if points:
        name = points[0].get("customdata")
        session.selected_run = name if isinstance(name, str) and "-" in name else ""

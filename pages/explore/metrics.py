"""The numbers that matter, in one row, and the table of layers."""

from collections.abc import Callable, Sequence

import streamlit as st

from pages.controls.accuracy_card import draw_accuracy_card, interval_text, value_text
from pages.state.background_task import Task, TaskProgress
from pages.state.widgets import DEFINITION, NEUTRAL_DELTA
from pruning.cost.macs import Cost, CostByLayer
from pruning.engine.evaluate import EvaluationProgress, evaluate_with_dense
from pruning.engine.evaluation import Evaluation
from pruning.engine.pruned_network import PrunedNetwork
from pruning.figures.parts import REMOVED
from pruning.methods.units import METHODS
from pruning.models import NETWORKS
from pruning.recipe.recipe import Recipe

FIRST_ESTIMATE_IMAGES = 1_000
"""Test images of the estimate shown first, for slow networks and while others wait."""
ACCURACY_TASK = "accuracy"
RECOVERY_TASK = "recovery"
RECOVERY_INTERVAL_S = 0.3
REST_PATIENCE_S = 30.0
"""Age of an accuracy up to which estimates of others go before its other images."""


def accuracy_task(pruned: PrunedNetwork) -> Task:
    """Return the task that measures the accuracy of a pruned network before recovery.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of a recipe.

    Returns
    -------
    Task
        Its result and its partial results are an `Evaluation`.
    """
    return Task(
        name=ACCURACY_TASK,
        key=(ACCURACY_TASK, pruned.recipe.without_recovery),
        work=_evaluation_of(pruned.recipe.without_recovery),
        label="Measure the accuracy",
        starts_itself=True,
        subject="The accuracy",
        bar_first=False,
        patience=_patience,
    )


def _patience(progress: TaskProgress | None) -> float:
    """Age up to which other work goes first, once there is an estimate."""
    has_estimate = progress is not None and _is_estimate(progress.partial)
    return REST_PATIENCE_S if has_estimate else 0.0


def recovery_task(pruned: PrunedNetwork) -> Task | None:
    """Return the task that recovers a pruned network and measures its accuracy.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of a recipe.

    Returns
    -------
    Task or None
        Its result is an `Evaluation`; None if the recipe has no recovery.
    """
    if not pruned.recipe.recovery:
        return None
    return Task(
        name=RECOVERY_TASK,
        key=(RECOVERY_TASK, pruned.recipe),
        work=_evaluation_of(pruned.recipe),
        label="Recover",
        starts_itself=True,
        interval=RECOVERY_INTERVAL_S,
        subject="The recovery",
    )


def _evaluation_of(recipe: Recipe) -> Callable[[Callable[[TaskProgress], None]], Evaluation]:
    """Work of a task that evaluates one recipe."""

    def work(report: Callable[[TaskProgress], None]) -> Evaluation:
        def report_partial(progress: EvaluationProgress) -> None:
            report(TaskProgress(progress.share, progress.evaluations[0]))

        return evaluate_with_dense(recipe, report_partial)

    return work


def is_estimate_ready(evaluation: Evaluation, must_wait: bool) -> bool:
    """Return whether an estimate can be shown before all images are classified.

    Parameters
    ----------
    evaluation : Evaluation
        Of the first images.
    must_wait : bool
        Whether other work goes before the rest of the images.

    Returns
    -------
    bool
        For a fast network, only if it must wait.
    """
    is_slow = NETWORKS[evaluation.recipe.network].slow
    return _is_estimate(evaluation) and (is_slow or must_wait)


def _is_estimate(evaluation: Evaluation | None) -> bool:
    return evaluation is not None and evaluation.tally.images >= FIRST_ESTIMATE_IMAGES


def draw_metrics(
    pruned: PrunedNetwork,
    masked: Evaluation,
    recovered: Evaluation | None = None,
    texts_of_a: Sequence[str] = (),
) -> None:
    """Draw accuracy, sparsity, parameters and MACs.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of a recipe.
    masked : Evaluation
        Its accuracy before recovery, of all test images or of the first ones.
    recovered : Evaluation, optional
        Its accuracy after recovery, once it is known.
    texts_of_a : sequence of str
        The same four numbers of state A, if one is pinned.
    """
    evaluation = recovered or masked
    columns = st.columns(4)
    with columns[0], st.container(gap="xsmall"):
        draw_accuracy_card(evaluation, _accuracy_label(pruned, recovered))
        if pruned.recipe.recovery:
            st.caption(_recovery_text(masked, recovered))
    with columns[1]:
        _draw_sparsity(pruned)
    with columns[2]:
        _draw_parameters(pruned)
    with columns[3]:
        _draw_macs(pruned)
    if texts_of_a:
        for column, text in zip(columns, texts_of_a, strict=True):
            column.markdown(f":gray-badge[A] {text}")
    st.caption(f"{_removed_text(pruned)}. {interval_text(evaluation.accuracy)}.")
    for result in pruned.step_results:
        if result.note:
            st.caption(result.note)
    for warning in pruned.warnings:
        st.warning(warning, icon=":material/warning:")


def _accuracy_label(pruned: PrunedNetwork, recovered: Evaluation | None) -> str:
    if recovered is not None:
        return "Test accuracy (recovered)"
    return "Test accuracy (masked)" if pruned.recipe.recovery else "Test accuracy"


def _recovery_text(masked: Evaluation, recovered: Evaluation | None) -> str:
    """Describe the recovery; one line also while there is no result, so that nothing jumps."""
    if recovered is None:
        return "before recovery"
    recipe = recovered.recipe
    text = f"{value_text(masked.accuracy)} before; {recipe.calibration:,} training images"
    if recovered.recovery_seconds is not None:
        text += f", {recovered.recovery_seconds:.1f} s"
    return text


def _draw_sparsity(pruned: PrunedNetwork) -> None:
    weights = pruned.dense.prunable_weights
    st.metric(
        "Sparsity",
        f"{pruned.sparsity:.2%}",
        f"of {weights:,} prunable weights",
        **NEUTRAL_DELTA,
        help=f"Removed / all {weights:,} prunable weights, as achieved: weights of convolution "
        f"and linear layers, without biases and batch norm.{DEFINITION}",
    )


def _removed_text(pruned: PrunedNetwork) -> str:
    last = pruned.step_results[-1]
    method = METHODS[last.method]
    if method.units_are_weights or len(pruned.step_results) > 1:
        weights = pruned.dense.prunable_weights - sum(pruned.kept_weights.values())
        return f"{weights:,} weights removed"
    return f"{last.removed:,} of {last.total:,} {last.unit}s removed"


def _draw_parameters(pruned: PrunedNetwork) -> None:
    masked, effective, dense = pruned.masked, pruned.effective, pruned.dense
    _draw_count(
        "Parameters left (masked)",
        format_count(masked.parameters),
        f"{_compression(dense, masked):.2f}x compression",
        f"{format_count(effective.parameters)} ({_compression(dense, effective):.2f}x)",
        f"Masked: {masked.parameters:,} of {dense.parameters:,}, biases and batch norm included. "
        "Compression: all parameters / parameters left. "
        f"{_effective_help(effective.parameters)}",
    )


def _compression(dense: CostByLayer, left: Cost) -> float:
    return dense.parameters / max(1, left.parameters)


def _draw_macs(pruned: PrunedNetwork) -> None:
    masked, effective, dense = pruned.masked, pruned.effective, pruned.dense
    _draw_count(
        "MACs left (masked)",
        format_count(masked.macs),
        f"of {format_count(dense.macs)} per image",
        format_count(effective.macs),
        f"Masked: {masked.macs:,} of {dense.macs:,} multiply-accumulates for one image; "
        "FLOPs = 2 x MACs. In theory: ordinary kernels do not skip single zero weights. "
        f"{_effective_help(effective.macs)}",
    )


def _draw_count(label: str, masked: str, note: str, effective: str, help_text: str) -> None:
    """Draw a count of what the masks keep, and the effective count below; a caption can wrap."""
    with st.container(gap="xsmall"):
        st.metric(label, masked, note, **NEUTRAL_DELTA, help=f"{help_text}{DEFINITION}")
        st.caption(f"effective {effective}")


def _effective_help(count: int) -> str:
    return (
        f"Effective: {count:,}, without the weights connected to a channel whose output is "
        "always zero or unused."
    )


def format_count(count: int) -> str:
    """Format a number of parameters or MACs.

    Parameters
    ----------
    count : int
        Any number.

    Returns
    -------
    str
        In millions from one million on.
    """
    return f"{count / 1e6:.2f} M" if count >= 1e6 else f"{count:,}"


def draw_table(pruned: PrunedNetwork) -> None:
    """Draw the table of layers, and a button that downloads it.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of a recipe.
    """
    table = pruned.layer_table
    is_refitted = bool((table["sparsity"] < 0).any())
    heading, button = st.columns([8, 3], vertical_alignment="center")
    heading.markdown("## Layers")
    button.download_button(
        "Download CSV",
        table.to_csv(index=False),
        f"{pruned.recipe.network}-layers.csv",
        "text/csv",
        icon=":material/download:",
        width="stretch",
        on_click="ignore",
    )
    column = st.column_config
    st.dataframe(
        table,
        hide_index=True,
        placeholder="–",  # noqa: RUF001
        column_config={
            "name": column.TextColumn("layer", width="small"),
            "sparsity": column.ProgressColumn(
                "sparsity", format="percent", min_value=0, max_value=1, color=REMOVED
            ),
            "threshold": column.NumberColumn("threshold (score)", format="%.5f"),
            "weights": column.NumberColumn(format="localized"),
            "kept": column.NumberColumn("kept (masked)", format="localized"),
            "macs": column.NumberColumn("MACs", format="localized"),
            "macs_left": column.NumberColumn("MACs left (masked)", format="localized"),
        },
    )
    if is_refitted:
        st.caption(
            "A layer that was refitted to other inputs has another shape: a negative sparsity "
            "means more weights than before."
        )

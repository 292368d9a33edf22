"""The numbers that matter, in one row, and the table behind them."""

import streamlit as st

from pages.state.session import draw_again
from pruning.engine.prune import Outcome
from pruning.methods.units import METHODS
from pruning.runtime.jobs import Job


def show_numbers(outcome: Outcome) -> None:
    accuracy, dense = outcome.accuracy, outcome.dense
    change = 100 * (accuracy.value - outcome.dense_accuracy)
    if (
        not accuracy.complete
    ):  # the first images may be easier than all: no change is told from them
        delta = {
            "delta": f"dense: {outcome.dense_accuracy:.2%}",
            "delta_color": "off",
            "delta_arrow": "off",
        }
    elif abs(change) < 0.005:
        delta = {"delta": "as dense", "delta_color": "off", "delta_arrow": "off"}
    else:
        delta = {"delta": f"{change:+.2f} points against dense"}
    columns = st.columns(4)
    columns[0].metric(
        "Test accuracy",
        f"{'' if accuracy.complete else '≈ '}{accuracy.value:.2%}",
        **delta,
        help=f"Correct / total on the test set. Dense: {outcome.dense_accuracy:.2%}.",
    )
    quiet = {"delta_color": "off", "delta_arrow": "off"}
    last = outcome.units[-1]
    what = (
        f"{outcome.removed:,} weights removed"
        if last.method == "weight" or len(outcome.units) > 1
        else f"{last.removed:,} of {last.total:,} {METHODS[last.method].unit}s removed"
    )
    columns[1].metric(
        "Sparsity",
        f"{outcome.sparsity:.2%}",
        what,
        **quiet,
        help=f"Removed / all {dense.prunable_weights:,} prunable weights, as achieved.",
    )
    columns[2].metric(
        "Parameters left",
        short(outcome.parameters),
        f"{outcome.compression:.2f}x compression",
        **quiet,
        help=f"{outcome.parameters:,} of {dense.parameters:,}, biases and batch norm included.",
    )
    columns[3].metric(
        "MACs left",
        short(outcome.macs),
        f"of {short(dense.macs)} per image",
        **quiet,
        help=f"{outcome.macs:,} of {dense.macs:,} multiply-accumulates for one image; FLOPs = 2 x MACs. "
        "In theory: ordinary kernels do not skip single zero weights.",
    )
    if accuracy.complete:
        st.caption(
            f"{accuracy.correct:,} of all {accuracy.images:,} test images are classified correctly."
        )
    else:
        low, high = accuracy.interval
        st.caption(
            f"Estimate from the first {accuracy.images:,} of {accuracy.total:,} test images, 95% interval "
            f"{low:.1%} to {high:.1%}; measuring the rest ..."
        )
    for step in outcome.units:
        if step.note:
            st.caption(step.note)
    for text in outcome.warnings:
        st.warning(text, icon=":material/warning:")


def short(count: int) -> str:
    return f"{count / 1e6:.2f} M" if count >= 1e6 else f"{count:,}"


@st.fragment(run_every=1.0)
def live_numbers(job: Job) -> None:
    """The estimate, as it is refined in the background; the page is drawn anew once it is final."""
    if job.done:
        draw_again()
    show_numbers(job.progress)


def show_table(outcome: Outcome) -> None:
    layers = outcome.layers
    heading, button = st.columns([8, 3], vertical_alignment="center")
    heading.markdown("##### Layers")
    button.download_button(
        "Download CSV",
        layers.to_csv(index=False),
        f"{outcome.recipe.network}-layers.csv",
        "text/csv",
        icon=":material/download:",
        width="stretch",
        on_click="ignore",
    )
    st.dataframe(
        layers,
        hide_index=True,
        column_config={
            "name": st.column_config.TextColumn("layer", width="medium"),
            "sparsity": st.column_config.ProgressColumn(
                "sparsity", format="percent", min_value=0, max_value=1
            ),
            "threshold": st.column_config.NumberColumn("threshold (score)", format="%.5f"),
            "weights": st.column_config.NumberColumn(format="localized"),
            "kept": st.column_config.NumberColumn(format="localized"),
            "macs": st.column_config.NumberColumn("MACs", format="localized"),
            "macs_left": st.column_config.NumberColumn("MACs left", format="localized"),
        },
    )

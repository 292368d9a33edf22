"""Compare: recipes side by side, on the same network and data, at the same budget."""

import streamlit as st

from pages.compare import recipes as comparison
from pages.compare.charts import show_pictures
from pages.compare.column import edit_column
from pages.compare.recipes import columns_of, put_columns, running
from pages.state.session import draw_again, keep, only, plain, say, segments, shown
from pruning.experiments.comparison import BUDGETS, Budget, Progress, name_of
from pruning.figures.comparison import COLOURS
from pruning.methods.rules import RULES
from pruning.models import NETWORKS
from pruning.recipe.recipe import Recipe
from pruning.runtime.jobs import Job

SOON = 250  # images, for the first estimates of a slow network
WORDS = {
    "parameters": "Effective parameters left",
    "macs": "Effective MACs left",
    "accuracy": "Accuracy kept (validation)",
    "own": "",
}


def page() -> None:
    only(*comparison.OWNERS, "ledger", "curves", "dense")
    with st.sidebar:
        recipes = comparison.choose_network(columns_of())
    budget = _budget(recipes)
    say()
    place = st.container(key="columns")
    recipes = put_columns(_edit(place, recipes, budget), budget)
    jobs = running(recipes, budget)
    slow = NETWORKS[recipes[0].network].slow
    for job in jobs:
        job.wait(
            lambda progress: slow and progress.outcome and progress.outcome.accuracy.images >= SOON,
            timeout=6.0 if slow or budget.kind == "accuracy" else 20.0,
        )
    for i, (slot, job) in enumerate(zip(st.session_state["slots"], jobs)):
        with slot:
            if job.done and not job.failed:
                _column(job.result, recipes[i])
            else:
                _live(job, recipes[i])
    found = [_progress(job) for job in jobs]
    if all(progress and progress.outcome for progress in found):
        show_pictures(recipes, budget, found)


def _progress(job: Job) -> Progress | None:
    if job.failed:
        return None
    return job.result if job.done else job.progress


def _budget(recipes: list[Recipe]) -> Budget:
    """The slider that drives all columns."""
    st.session_state.setdefault("budget", "macs")
    kind = segments(
        "Matched budget",
        list(BUDGETS),
        "budget",
        format_func={
            "parameters": "parameters",
            "macs": "MACs",
            "accuracy": "accuracy",
            "own": "own",
        }.get,
        help="  \n".join(f"**{name}**: {text}." for name, text in BUDGETS.items()),
    )
    if kind == "own":
        st.caption("Each column has its own value.")
        return Budget("own")
    key = f"share of {kind}"
    st.session_state.setdefault(key, 95.0 if kind == "accuracy" else 50.0)
    share = st.slider(WORDS[kind], 0.0, 100.0, step=0.5, format="%.1f%%", **keep(key))
    return Budget(kind, round(share / 100, 6))


def _edit(place, recipes: list[Recipe], budget: Budget) -> list[Recipe]:
    """The columns' headings and recipes, as they are now."""
    edited = []
    with place:  # in rows of three: narrower columns cut their numbers off
        columns = [
            column for _ in range(0, len(recipes), 3) for column in st.columns(min(3, len(recipes)))
        ]
    st.session_state["slots"] = []
    for i, (column, recipe) in enumerate(zip(columns, recipes)):
        with column:
            st.markdown(
                f"<div style='border-top: 4px solid {COLOURS[i]}; padding-top: 0.4rem; min-height: 3.6rem'><b>{i + 1}. "
                f"{name_of(recipe)}</b></div>",
                unsafe_allow_html=True,
            )
            edited.append(edit_column(i, recipe, own=budget.kind == "own", last=len(recipes) == 1))
            st.session_state["slots"].append(st.container())
    return edited


@st.fragment(run_every=0.7)
def _live(job: Job, recipe: Recipe) -> None:
    if job.failed:
        st.error(plain(str(job.error)))
        return
    if job.done:
        draw_again()
    _column(_progress(job), recipe)


def _column(progress: Progress | None, recipe: Recipe) -> None:
    """The numbers of one column, as far as they are there."""
    if progress is None or progress.outcome is None:
        st.progress(progress.share if progress else 0.0, "Scoring and matching the budget")
        return
    outcome, column = progress.outcome, progress.column
    accuracy, dense = outcome.accuracy, outcome.dense
    low, high = accuracy.interval
    note = (
        f"{100 * (accuracy.value - outcome.dense_accuracy):+.2f} points"
        if accuracy.complete
        else f"{low:.1%} to {high:.1%} of {accuracy.images:,}"
    )
    quiet = {"delta_color": "off", "delta_arrow": "off"}
    st.metric(
        "Test accuracy",
        f"{'' if accuracy.complete else '≈ '}{accuracy.value:.2%}",
        note,
        help=f"Correct / total; dense {outcome.dense_accuracy:.2%}. While it is an estimate: the 95% interval, and how "
        f"many of the {accuracy.total:,} test images are classified.",
        **(
            {}
            if accuracy.complete and abs(accuracy.value - outcome.dense_accuracy) >= 5e-5
            else quiet
        ),
    )
    st.metric(
        "Effective parameters",
        f"{column.left.parameters / dense.parameters:.1%}",
        f"{column.left.parameters:,}",
        **quiet,
        help="Those left that still make a difference: weights that write or read a channel which says nothing are not "
        "counted. It is what removal leaves, where it can take them out.",
    )
    st.metric(
        "Effective MACs",
        f"{column.left.macs / dense.macs:.1%}",
        f"{column.left.macs:,}",
        **quiet,
        help="With weights that still make a difference, for one image. In theory: see the ledger below.",
    )
    value = (
        column.recipe.value
        if isinstance(column.recipe.value, str)
        else f"{column.recipe.value:.4g}"
    )
    st.caption(
        f"Sparsity of the masks {outcome.sparsity:.1%}; {RULES[column.recipe.rule].label.lower()} {value}"
    )
    for text in filter(None, (column.problem, *outcome.warnings)):
        st.warning(text, icon=":material/warning:")


shown(page)

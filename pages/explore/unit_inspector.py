"""The unit inspector: what decided on one unit, clicked in a figure or chosen here."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.state.session import SessionState, session
from pages.state.widgets import CHART, persistent, select
from pruning.engine.pruned_network import PrunedNetwork
from pruning.experiments.unit_explanation import UnitExplanation, explain_unit
from pruning.figures.unit_activations import alt_of_unit_activations, unit_activations
from pruning.figures.unit_weights import alt_of_unit_weights, unit_weights
from pruning.methods.criteria import CRITERIA
from pruning.methods.units import METHODS, UnitGroup, layers_of

CONTAINER = "unit_inspector"
SCROLL_SCRIPT = """<script data-click="{click}">
document.querySelector(".st-key-{container}")
  ?.scrollIntoView({{ behavior: "smooth", block: "start" }});
</script>"""
"""Shows the inspector after a click; the number lets the browser run it for every click."""


def selected_unit() -> tuple[str, int] | None:
    """Return the layer and the output unit of the last click, if the inspector is open.

    Returns
    -------
    tuple of (str, int) or None
        To be marked in figures.
    """
    return session.clicked if session.why else None


def take_click(chart: str) -> None:
    """Remember a click in a figure; a callback.

    Parameters
    ----------
    chart : str
        Key of the chart; the custom data of its points are [layer, output unit].
    """
    points = st.session_state[chart]["selection"]["points"]
    if not points or "customdata" not in points[0]:
        return
    layer, unit = points[0]["customdata"][:2]
    session.clicked = (str(layer), int(unit))
    session.why = True
    session.click_pending = True
    session.clicks += 1


def draw_unit_inspector(pruned: PrunedNetwork) -> None:
    """Draw the inspector, if it is open.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of a recipe.
    """
    was_clicked = session.click_pending
    with st.container(key=CONTAINER):
        _draw_inspector(pruned)
    if was_clicked:
        script = SCROLL_SCRIPT.format(click=session.clicks, container=CONTAINER)
        st.html(script, unsafe_allow_javascript=True)


def _draw_inspector(pruned: PrunedNetwork) -> None:
    is_open = st.toggle(
        "Why this unit? Click a unit in the heatmap or the mask, or choose one here.",
        **persistent(SessionState.why.key),
    )
    if not is_open or not pruned.ranking:
        return
    groups = {name: group for name, group in pruned.groups.items() if name in pruned.ranking}
    _show_click(pruned, groups)
    columns = st.columns(3)
    with columns[0]:
        name = select("Layer", list(groups), SessionState.unit_group.key)
    unit = _draw_unit(pruned, groups[name], columns)
    explanation = explain_unit(pruned, name, unit)
    _draw_explanation(pruned, explanation)
    _draw_figures(pruned, explanation, f"{groups[name].label(unit)} of {name}")


def _show_click(pruned: PrunedNetwork, groups: Mapping[str, UnitGroup]) -> None:
    """Let the widgets show a unit that was clicked since the last run."""
    if not session.click_pending or session.clicked is None:
        return
    session.click_pending = False
    layer, unit = session.clicked
    for name, group in groups.items():
        if layer in group.layers or layer == name:
            session.unit_group = name
            _show_unit(pruned, group, layer, unit)
            return
    st.caption(f"{layer} takes no part in this step.")


def _show_unit(pruned: PrunedNetwork, group: UnitGroup, layer: str, unit: int) -> None:
    if not METHODS[pruned.recipe.last_step.method].has_weights:
        session.unit_row, session.unit_column = divmod(unit, group.shape[-1])
    elif group.names:
        session.unit = _name_of_unit(pruned, group, layer)
    else:
        session.unit = unit


def _name_of_unit(pruned: PrunedNetwork, group: UnitGroup, layer: str) -> str:
    """Name of the unit that a layer of its group belongs to."""
    model = pruned.before_step.model
    units = range(group.units)
    return next(group.names[unit] for unit in units if layer in layers_of(model, group, unit))


def _draw_unit(pruned: PrunedNetwork, group: UnitGroup, columns: Sequence[Any]) -> int:
    """Draw the choice of a unit and return its index in its group."""
    step = pruned.recipe.last_step
    method = METHODS[step.method]
    if group.names:
        with columns[1]:
            name = select("Unit", list(group.names), SessionState.unit.key)
        return group.names.index(name)
    if not method.has_weights:
        return _draw_pixel(group, columns)
    if method.units_are_weights:
        inputs = group.units // group.shape[0]
        output = _draw_index(columns[1], "Output unit", SessionState.unit.key, group.shape[0])
        position = _draw_index(columns[2], "Input weight", SessionState.unit_input.key, inputs)
        return output * inputs + position
    label = method.unit_in(step.grouping).capitalize()
    return _draw_index(columns[1], label, SessionState.unit.key, group.units)


def _draw_pixel(group: UnitGroup, columns: Sequence[Any]) -> int:
    channels, height, width = group.shape
    row = _draw_index(columns[1], "Row", SessionState.unit_row.key, height)
    column = _draw_index(columns[2], "Column", SessionState.unit_column.key, width)
    channel = 0
    if channels > 1:
        channel = _draw_index(columns[0], "Channel", SessionState.unit_channel.key, channels)
    return (channel * height + row) * width + column


def _draw_index(container: Any, label: str, key: str, count: int) -> int:
    current = st.session_state.get(key)
    st.session_state[key] = min(current, count - 1) if isinstance(current, int) else 0
    full_label = f"{label} (0 to {count - 1})"
    return int(container.number_input(full_label, 0, count - 1, **persistent(key)))


def _draw_explanation(pruned: PrunedNetwork, explanation: UnitExplanation) -> None:
    step = pruned.recipe.last_step
    unit = METHODS[step.method].unit_in(step.grouping)
    if explanation.score is None:
        st.info(f"A previous step has already removed this {unit}.")
        return
    has_threshold = not math.isnan(explanation.threshold)
    threshold = f"{explanation.threshold:.4g}" if has_threshold else "–"  # noqa: RUF001
    columns = st.columns(4)
    columns[0].metric("Score", f"{explanation.score:.4g}", help=CRITERIA[step.criterion].help)
    columns[1].metric(
        "Rank",
        f"{explanation.rank:,} of {explanation.units:,}",
        help="1 is the lowest score of the layer; ties by index.",
    )
    columns[2].metric(
        "Percentile",
        f"{explanation.percentile:.1f}%",
        help="Share of the layer's units with a lower score.",
    )
    columns[3].metric("Threshold", threshold, help="Of this layer.")
    verdict = "Removed" if explanation.removed else "Kept"
    st.markdown(f"**{verdict}**: {_reason(explanation, unit)}.")


def _reason(explanation: UnitExplanation, unit: str) -> str:
    if math.isnan(explanation.threshold):
        return "the rule depends on its position among its neighbours"
    assert explanation.score is not None
    is_below = explanation.score < explanation.threshold
    if explanation.removed:
        if is_below:
            return "its score is below the threshold"
        return "units of equal scores are removed in the order of their index"
    if is_below:
        return f"its score is below the threshold, but one {unit} of each layer is always kept"
    return "its score is not below the threshold"


def _draw_figures(pruned: PrunedNetwork, explanation: UnitExplanation, name: str) -> None:
    step = pruned.recipe.last_step
    unit = f"{METHODS[step.method].unit_in(step.grouping)} {name}"
    left, right = st.columns(2)
    if explanation.weights is not None:
        left.plotly_chart(
            unit_weights(explanation.weights),
            key="weights of the unit",
            alt=alt_of_unit_weights(explanation.weights, unit),
            **CHART,
        )
    right.plotly_chart(
        unit_activations(explanation.images, explanation.activations),
        key="activations of the unit",
        alt=alt_of_unit_activations(explanation.activations, unit),
        **CHART,
    )

"""Why this one? Click a unit in a picture, or choose it, and see what decided on it."""

import streamlit as st

from pages.state.session import CHART, choice, keep
from pruning.engine import prune as experiment
from pruning.experiments.unit_explanation import Why, explain
from pruning.figures import unit_inspector as figures
from pruning.methods.criteria import CRITERIA
from pruning.methods.units import METHODS, UnitGroup, layers_in
from pruning.recipe.recipe import Recipe


def clicked() -> tuple[str, int] | None:
    """The layer and output unit that a picture was last clicked at."""
    return st.session_state.get("clicked") if st.session_state.get("why") else None


def take_click(key: str) -> None:
    """A point of the chart with this key was clicked: its custom data is [layer, output unit]."""
    points = st.session_state[key]["selection"]["points"]
    if points and "customdata" in points[0]:
        layer, unit = points[0]["customdata"][:2]
        st.session_state.update({"clicked": (str(layer), int(unit)), "why": True, "take": True})


def show_why(recipe: Recipe) -> None:
    open_ = st.toggle(
        "Why this one? Click a unit in the heatmap or the mask, or choose one here.", **keep("why")
    )
    ranked = experiment.ranking(recipe)
    if not open_ or not ranked:
        return
    found = {name: group for name, group in experiment.groups_of(recipe).items() if name in ranked}
    if st.session_state.pop("take", False) and not _take(
        recipe, found, *st.session_state["clicked"]
    ):
        st.caption(f"{st.session_state['clicked'][0]} takes no part in this step.")
    columns = st.columns(3)
    with columns[0]:
        name = choice("Layer", list(found), "why group")
    unit = _unit(recipe, found[name], columns)
    why = explain(recipe, name, unit)
    _numbers(recipe, why)
    left, right = st.columns(2)
    what = f"{METHODS[recipe.method].unit} {found[name].label(unit)} of {name}"
    if why.weights is not None:
        left.plotly_chart(
            figures.weights(why.weights),
            key="weights of the unit",
            **CHART,
            alt=f"The weights of {what}, from {why.weights.min():.3g} to {why.weights.max():.3g}.",
        )
    right.plotly_chart(
        figures.activations(why.images, why.activations),
        key="activations of the unit",
        **CHART,
        alt=f"What {what} does on {len(why.images)} calibration images: on average "
        f"{', '.join(f'{a.mean():.3g}' for a in why.activations)}.",
    )


def _take(recipe: Recipe, found: dict[str, UnitGroup], layer: str, unit: int) -> bool:
    """Put the clicked unit into the widgets; False where it takes no part."""
    for name, group in found.items():
        if layer in group.layers or layer == name:
            st.session_state["why group"] = name
            if recipe.method == "layer":
                model = experiment.before(recipe).model
                unit = next(
                    i for i, block in enumerate(group.names) if layer in layers_in(model, block)
                )
                st.session_state["why unit"] = group.names[unit]
            elif recipe.method == "feature":
                st.session_state["why row"], st.session_state["why column"] = divmod(
                    unit, group.shape[-1]
                )
            else:
                st.session_state["why unit"] = unit
            return True
    return False


def _unit(recipe: Recipe, group: UnitGroup, columns: list) -> int:
    """The index of the chosen unit in its group."""
    if recipe.method == "layer":
        with columns[1]:
            return group.names.index(choice("Unit", list(group.names), "why unit"))
    if recipe.method == "feature":
        row = _number(columns[1], "Row", "why row", group.shape[1])
        column = _number(columns[2], "Column", "why column", group.shape[2])
        channel = (
            _number(columns[0], "Channel", "why channel", group.shape[0])
            if group.shape[0] > 1
            else 0
        )
        return (channel * group.shape[1] + row) * group.shape[2] + column
    if recipe.method == "weight":
        inputs = group.units // group.shape[0]
        output = _number(columns[1], "Output unit", "why unit", group.shape[0])
        return output * inputs + _number(columns[2], "Input weight", "why input", inputs)
    return _number(columns[1], METHODS[recipe.method].unit.capitalize(), "why unit", group.units)


def _number(place, label: str, key: str, count: int) -> int:
    now = st.session_state.get(key)
    st.session_state[key] = min(now, count - 1) if isinstance(now, int) else 0
    return int(place.number_input(f"{label} (0 to {count - 1})", 0, count - 1, **keep(key)))


def _numbers(recipe: Recipe, why: Why) -> None:
    unit = METHODS[recipe.method].unit
    if why.score is None:
        st.info(f"An earlier step has removed this {unit} already.")
        return
    columns = st.columns(4)
    columns[0].metric("Score", f"{why.score:.4g}", help=CRITERIA[recipe.criterion].help)
    columns[1].metric(
        "Rank",
        f"{why.rank:,} of {why.units:,}",
        help="1 is the lowest score of the layer; ties by index.",
    )
    columns[2].metric(
        "Percentile", f"{why.percentile:.1f}%", help="Share of the layer's units that score lower."
    )
    no_threshold = why.threshold != why.threshold
    columns[3].metric(
        "Threshold", "–" if no_threshold else f"{why.threshold:.4g}", help="Of this layer."
    )
    if no_threshold:
        reason = "the rule goes by its place among its neighbours"
    elif why.removed:
        reason = (
            "its score is below the threshold"
            if why.score < why.threshold
            else "of equal scores the first go"
        )
    elif why.score < why.threshold:
        reason = f"its score is below the threshold, but one {unit} of each layer always stays"
    else:
        reason = "its score is not below the threshold"
    st.markdown(f"**{'Removed' if why.removed else 'Kept'}**: {reason}.")

"""The form of a new run: schedule, epochs and settings."""

from typing import Any

import streamlit as st

from pages.state.messages import escape_markdown, sentence
from pages.state.run_jobs import start_run
from pages.state.session import SessionState
from pages.state.widgets import persistent, registry_select
from pruning.recipe.labels import recipe_label
from pruning.recipe.recipe import Recipe
from pruning.runtime.defaults import MAX_SEED
from pruning.runtime.progress import describe_seconds
from pruning.training.probe import Speed
from pruning.training.schedules import SCHEDULES
from pruning.training.schedules.base import Option, Schedule
from pruning.training.spec import MAX_BATCH, MAX_EPOCHS, MAX_ROUNDS, RunSpec, default_spec


def draw_form(recipe: Recipe) -> RunSpec | None:
    """Draw the settings of a run.

    Parameters
    ----------
    recipe : Recipe
        What to prune, from the sidebar.

    Returns
    -------
    RunSpec or None
        None, and an error is shown, if the settings do not go together.
    """
    _draw_recipe(recipe)
    columns = st.columns([2, 1, 1])
    with columns[0]:
        name = registry_select(
            "Schedule",
            list(SCHEDULES),
            SessionState.retrain_schedule.key,
            SCHEDULES,
            help=_help(),
        )
    schedule = SCHEDULES[name]
    recipe = _without_unused_recovery(recipe, schedule)
    usual = default_spec(recipe, name)
    with columns[1]:
        label = "Epochs of a round" if schedule.has_rounds else "Epochs"
        epochs = _number(usual, "epochs", label, 1, MAX_EPOCHS)
    rounds = 1
    if schedule.has_rounds:
        with columns[2]:
            rounds = _number(usual, "rounds", "Rounds", 1, MAX_ROUNDS)
    st.caption(schedule.help)
    with st.expander("Settings of the schedule and of the training"):
        settings = _draw_settings(usual, schedule)
    try:
        return default_spec(recipe, name, epochs=epochs, rounds=rounds, **settings)
    except ValueError as error:
        st.error(escape_markdown(sentence(error)))
        return None


def _help() -> str:
    lines = ["How pruning and training follow each other."]
    for schedule in SCHEDULES.values():
        lines.append(f"**{schedule.label}** ({schedule.source})")
    return "  \n".join(lines)


def _draw_recipe(recipe: Recipe) -> None:
    value = recipe.last_step.value
    amount = value if isinstance(value, str) else f"{value:.4g}"
    st.markdown(
        f"**Recipe**: {escape_markdown(recipe_label(recipe))}, {amount}. "
        "The sidebar changes it; Explore shows it before training."
    )


def _without_unused_recovery(recipe: Recipe, schedule: Schedule) -> Recipe:
    if recipe.recovery and not schedule.recovers:
        st.caption(f"{schedule.label} does not use recoveries: that of the sidebar is left out.")
        return recipe.without_recovery
    return recipe


def _key(usual: RunSpec, name: str) -> str:
    recipe = usual.recipe
    return SessionState.retrain_widgets.of(recipe.network, recipe.dataset, usual.schedule, name)


def _number(
    usual: RunSpec, name: str, label: str, least: int, most: int, help: str | None = None
) -> int:
    key = _key(usual, name)
    st.session_state.setdefault(key, getattr(usual, name))
    return int(st.number_input(label, least, most, help=help, **persistent(key)))


def _real(usual: RunSpec, name: str, label: str, most: float, help: str, format: str) -> float:
    key = _key(usual, name)
    st.session_state.setdefault(key, float(getattr(usual, name)))
    return float(st.number_input(label, 0.0, most, help=help, format=format, **persistent(key)))


def _draw_settings(usual: RunSpec, schedule: Schedule) -> dict[str, Any]:
    """Draw everything but schedule, epochs and rounds; returns fields of `RunSpec`."""
    settings: dict[str, Any] = {}
    if schedule.options:
        columns = st.columns(3)
        options = []
        for index, option in enumerate(schedule.options):
            with columns[index % 3]:
                options.append((option.name, _draw_option(usual, option)))
        settings["options"] = tuple(options)
    left, middle, right = st.columns(3)
    with left:
        settings["learning_rate"] = _real(
            usual,
            "learning_rate",
            "Learning rate",
            10.0,
            "Its peak; it falls along a cosine to nearly 0 in each round.",
            "%.4f",
        )
        settings["batch_size"] = _number(usual, "batch_size", "Batch size", 2, MAX_BATCH)
    with middle:
        settings["weight_decay"] = _real(
            usual, "weight_decay", "Weight decay", 1.0, "L2 penalty of all parameters.", "%.5f"
        )
        settings["seed"] = _number(
            usual, "seed", "Seed", 0, MAX_SEED, "Order of the images and their augmentation."
        )
    with right:
        settings["distillation"] = _real(
            usual,
            "distillation",
            "Distillation",
            1.0,
            "Share of the dense network's outputs in the loss (Hinton et al. 2015).",
            "%.2f",
        )
        settings["temperature"] = _real(
            usual, "temperature", "Temperature", 100.0, "Of the distillation.", "%.1f"
        )
    if schedule.can_rewind_rate:
        key = _key(usual, "rewind_rate")
        st.session_state.setdefault(key, False)
        settings["rewind_rate"] = st.checkbox(
            "Learning-rate rewinding",
            help="Each round repeats the last learning rates of the training from scratch instead "
            "(Renda et al. 2020).",
            **persistent(key),
        )
    return settings


def _draw_option(usual: RunSpec, option: Option) -> float | str:
    key = _key(usual, option.name)
    st.session_state.setdefault(key, option.default)
    if option.choices:
        return st.selectbox(option.label, option.choices, help=option.help, **persistent(key))
    if option.is_whole:
        return int(
            st.number_input(
                option.label,
                int(option.least),
                int(option.most),
                help=option.help,
                **persistent(key),
            )
        )
    st.session_state[key] = float(st.session_state[key])
    return float(
        st.number_input(
            option.label,
            float(option.least),
            float(option.most),
            format="%g",
            help=option.help,
            **persistent(key),
        )
    )


def draw_start(spec: RunSpec, speed: Speed | None) -> None:
    """Draw the duration of a run on this machine, and the button that starts it.

    Parameters
    ----------
    spec : RunSpec
        The run.
    speed : Speed or None
        None as long as it is being measured.
    """
    epochs = spec.total_epochs
    at_most = "at most " if spec.schedule == "until" else ""
    text = f"{at_most}{epochs} epochs"
    if speed is None:
        text += "; the time that they take on this machine is being measured"
    else:
        text += f", about **{describe_seconds(speed.seconds(spec))}** on this machine"
        text += f" while nothing else uses it ({1000 * speed.step:.1f} ms a step)"
    button, description = st.columns([1, 4], vertical_alignment="center")
    button.button(
        "Start",
        key="start run",
        type="primary",
        icon=":material/play_arrow:",
        on_click=start_run,
        args=[spec],
        width="stretch",
    )
    description.markdown(f"{text[:1].upper()}{text[1:]}.")

"""Keys and options of the widgets of a recipe, in the sidebar or in a column of a comparison."""

from dataclasses import dataclass

import streamlit as st

from pages.state.session import SessionState
from pruning.recipe.step import Step


@dataclass(frozen=True)
class StepWidgets:
    """Keys of the widgets of one step form.

    Parameters
    ----------
    method, criterion, variant, grouping, rule : str
        Keys of select boxes.
    scope : str
        Key of the scope of rules under which units compete.
    own_values : str
        Key of the scope of the other rules: one value for all layers, or a value for each.
    """

    method: str
    criterion: str
    variant: str
    grouping: str
    rule: str
    scope: str
    own_values: str

    @classmethod
    def of_column(cls, column: str) -> "StepWidgets":
        """Return the keys of the widgets of one column.

        Parameters
        ----------
        column : str
            Id of the column.

        Returns
        -------
        StepWidgets
            Members of ``SessionState.column_widgets``.
        """
        of = SessionState.column_widgets.of
        return cls(
            method=of(column, "method"),
            criterion=of(column, "criterion"),
            variant=of(column, "variant"),
            grouping=of(column, "grouping"),
            rule=of(column, "rule"),
            scope=of(column, "scope"),
            own_values=of(column, "alike"),
        )

    @property
    def is_set(self) -> bool:
        """Whether the session has values of these widgets."""
        return self.method in st.session_state

    def show(self, step: Step) -> None:
        """Let the widgets show a step; call it before they are drawn.

        Parameters
        ----------
        step : Step
            A canonical step.
        """
        state = st.session_state
        state[self.method] = step.method
        state[self.criterion] = step.criterion
        state[self.variant] = step.variant
        state[self.grouping] = step.grouping
        state[self.rule] = step.rule
        state[self.scope] = step.scope
        state[self.own_values] = "custom" if step.scope == "custom" else "global"


SIDEBAR_STEP = StepWidgets(
    method=SessionState.method.key,
    criterion=SessionState.criterion.key,
    variant=SessionState.variant.key,
    grouping=SessionState.grouping.key,
    rule=SessionState.rule.key,
    scope=SessionState.scope.key,
    own_values=SessionState.alike.key,
)
"""Widgets of the sidebar."""

NO_RECOVERY = "none"
"""Option of the recovery widget that stands for no recovery."""


def recovery_option(recovery: tuple[str, ...]) -> str:
    """Return what the recovery widget shows for a recipe.

    Parameters
    ----------
    recovery : tuple of str
        Recoveries of the recipe.

    Returns
    -------
    str
        Name of the last one, or `NO_RECOVERY`.
    """
    return recovery[-1] if recovery else NO_RECOVERY

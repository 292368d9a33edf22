"""Keys of step forms."""

from dataclasses import astuple

from pages.state.step_widgets import SIDEBAR_STEP, StepWidgets


def test_forms_have_keys_of_their_own():
    forms = [SIDEBAR_STEP, StepWidgets.of_column("a"), StepWidgets.of_column("b")]
    keys = [key for form in forms for key in astuple(form)]
    assert len(set(keys)) == len(keys)

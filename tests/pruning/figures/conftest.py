import json
from dataclasses import replace

import pytest

from pruning.experiments.sensitivity import SensitivityScan, scan_layers
from pruning.figures.plain_figure import PlainFigure
from pruning.recipe.recipe import Recipe


@pytest.fixture(autouse=True)
def checked_figures(monkeypatch):
    """Each figure is valid, and is sent as plotly's own objects would be."""
    make = PlainFigure.__init__

    def make_checked(figure: PlainFigure, data, layout) -> None:
        make(figure, data, layout)
        plain = json.loads(figure.to_json())
        if not plain["layout"].get("shapes"):
            plain["layout"].pop("shapes", None)  # an empty list is left out by plotly
        assert plain == json.loads(figure.checked.to_json())

    monkeypatch.setattr(PlainFigure, "__init__", make_checked)


@pytest.fixture(scope="session")
def running_scan() -> SensitivityScan:
    """A scan in which the evaluations of the second layer are missing."""
    scan = scan_layers(Recipe.one_step("lenet300", "digits"), levels=(0.3, 0.6, 0.9))
    first, _, third = scan.evaluations
    return replace(scan, evaluations=(first, (None,) * 3, third))


@pytest.fixture(scope="session")
def filter_scan() -> SensitivityScan:
    """A complete scan of filters."""
    recipe = Recipe.one_step("lenet5", "digits", method="filter")
    return scan_layers(recipe, levels=(0.5,))

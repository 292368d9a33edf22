from dataclasses import replace

import pytest

from pruning.experiments.sensitivity import SensitivityScan, scan_layers
from pruning.recipe.recipe import Recipe


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

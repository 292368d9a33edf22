"""Adding a criterion, as README's section "Adding a criterion" shows it, breaks no test."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PLUGIN = "tests.pruning.recipe.readme_criterion"
METHODS_TESTS = "tests/pruning/engine/test_methods.py"
TESTS = [
    "tests/pruning/recipe/new_criterion.py",
    "tests/pruning/recipe/test_compatibility.py",
    "tests/pruning/cli/test_list_registries.py",
    "tests/pruning/cli/test_table.py",
    "tests/pruning/experiments/test_reference_table.py",
    "tests/pruning/methods/criteria/test_base.py",
    "tests/pruning/test_docstrings.py::test_numpydoc_reads_the_docstrings"
    "[pruning.methods.criteria.weights]",
    f"{METHODS_TESTS}::test_every_way_to_prune[lenet300-weight-squared]",
    f"{METHODS_TESTS}::test_only_random_criteria_depend_on_the_seed[lenet300-weight-squared]",
]
"""Tests over the registry; the last two exist only for a criterion that is registered."""


@pytest.mark.slow
def test_the_tests_over_the_registry_pass_with_the_criterion_of_the_readme():
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    options = ["-p", PLUGIN, "-n", "0", "-p", "no:cacheprovider", "-m", "not slow"]
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *TESTS],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr

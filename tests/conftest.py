# ruff: noqa: E402
"""Fixtures for all tests. Real MNIST and CIFAR-10 are used where PRUNESCOPE_DATA has them."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two tests run at a time

from pruning.runtime.process import configure_process

configure_process()  # before torch is imported

import tempfile
from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings

from pruning.data import datasets
from pruning.recipe.recipe import Recipe
from pruning.runtime.defaults import CLUSTER_VARIABLE, DEVICE_VARIABLE

torch.manual_seed(0)
_STORE = tempfile.TemporaryDirectory(prefix="prunescope-tests-")
os.environ["PRUNESCOPE_STORE"] = f"{_STORE.name}/results.sqlite"  # not the user's own
# A slow machine is not a failure. The examples are the same in every run, so that a change is
# judged by what it changes; `--hypothesis-profile=random` looks for new ones.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("random", deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def same_random_numbers():
    """Each test has the same random numbers, whatever ran before it in its process."""
    torch.manual_seed(0)


@pytest.fixture
def real():
    """Call with dataset names: skips, naming what is missing, where one of them is not there."""

    def need(*names: str) -> None:
        missing = [name for name in names if not datasets.available(name)]
        if missing:
            pytest.skip(f"needs {', '.join(missing)} in {datasets.data_dir()} (PRUNESCOPE_DATA)")

    return need


@pytest.fixture
def recipe() -> Recipe:
    """A quick one on built-in data."""
    return Recipe.one_step("lenet300", "digits", value=0.8)


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """Options of commands set these variables: not for the tests that follow."""
    before = {name: os.environ.get(name) for name in (CLUSTER_VARIABLE, DEVICE_VARIABLE)}
    yield
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value

"""Fixtures of the tests of pages."""

from dataclasses import replace

import pytest

from pages.explore import curve, panels, pin
from pages.explore.curve import curve_task
from pages.state.background_task import Task
from pages.state.visitor import jobs, processes
from pruning.recipe.recipe import Recipe
from pruning.training.retrain import retrain
from pruning.training.spec import RunSpec, default_spec


@pytest.fixture
def no_downloads(tmp_path, monkeypatch):
    """Only the built-in data are on this machine."""
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path))


@pytest.fixture
def new_jobs():
    """No result of earlier tests is known, as on a new server."""
    jobs.clear()
    processes.clear()


@pytest.fixture
def no_curve(monkeypatch, new_jobs):
    """The curve on Explore is not known and does not begin by itself."""

    def waiting_task(recipe: Recipe) -> Task | None:
        task = curve_task(recipe)
        return None if task is None else replace(task, starts_itself=False)

    for module in (curve, panels, pin):  # the page itself imports it in each run
        monkeypatch.setattr(module, "curve_task", waiting_task)


@pytest.fixture
def finished_run(tmp_path, monkeypatch) -> RunSpec:
    """A short run, the only one on this machine."""
    monkeypatch.setenv("PRUNESCOPE_RUNS", str(tmp_path / "runs"))
    spec = default_spec(Recipe.one_step("lenet300", "digits", value=0.8), "finetune", epochs=1)
    retrain(spec, device="cpu")
    return spec

"""The Retrain page, on built-in data."""

import time

import pytest

from pages.state import run_jobs
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_to_query
from pruning.recipe.step import Step
from pruning.training.retrain import retrain
from pruning.training.run_files import RunFiles, list_runs
from pruning.training.spec import default_spec
from tests.pages.common import charts, opened
from tests.pages.driver import click, finished, has_button, opened_page, warning

LENET300 = {"network": "lenet300", "dataset": "digits", "sparsity": "0.9"}
RECIPE = Recipe.one_step("lenet300", "digits", value=0.9)
SPEC = default_spec(RECIPE, "finetune", epochs=1)
WAIT_S = 90

pytestmark = pytest.mark.usefixtures("no_downloads")


@pytest.fixture(autouse=True)
def own_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(run_jobs, "current_owner", lambda: run_jobs.LOCAL)


def wait_until_trained(at):
    deadline = time.monotonic() + WAIT_S
    while run_jobs.runs_in_training():
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return finished(at)


def test_without_runs_it_says_how_to_start_one():
    at = opened_page("retrain", **LENET300)
    assert not at.exception
    assert "There are no runs yet" in at.info[0].value
    assert has_button(at, "Start")


def test_the_duration_is_measured():
    at = finished(opened_page("retrain", **LENET300))
    deadline = time.monotonic() + WAIT_S
    while not any("ms a step" in text.value for text in at.main.markdown):
        assert time.monotonic() < deadline
        time.sleep(0.3)
        at.run()


@pytest.mark.slow
def test_a_run_is_started_watched_and_opened():
    at = opened_page("retrain", **LENET300)
    at.main.number_input[0].set_value(2).run()
    click(at, "Start")
    assert not at.exception
    at = wait_until_trained(at)
    [run] = list_runs()
    assert run.state == "finished" and run.epochs == 2
    assert at.query_params["run"] == run.name
    assert any(metric.value.endswith("%") for metric in at.main.metric)
    assert len(charts(at)) == 4
    assert all(chart.proto.alt for chart in at.get("plotly_chart"))
    click(at, "Open on Explore")
    assert not at.exception
    assert at.session_state["recipe"].checkpoint == run.name


@pytest.mark.slow
def test_a_cancelled_run_is_deleted():
    spec = default_spec(RECIPE, "finetune", epochs=500)
    at = opened_page("retrain", **LENET300)
    at.main.number_input[0].set_value(500).run()
    click(at, "Start")
    assert [run.name for run in list_runs()] == [spec.name]
    at.main.button(key="cancel run").click().run()
    deadline = time.monotonic() + WAIT_S
    while run_jobs.job_of(spec.name) is not None or list_runs():
        assert time.monotonic() < deadline
        time.sleep(0.1)
        at.run()
    assert not at.exception


def test_every_schedule_has_a_form():
    from pruning.training.schedules import SCHEDULES

    at = opened_page("retrain", **LENET300)
    for name in SCHEDULES:
        at.main.selectbox(key="retrain_schedule").set_value(name).run()
        assert not at.exception and not at.error
        assert has_button(at, "Start")


def test_a_finished_run_is_shown_by_its_link():
    retrain(SPEC, device="cpu")
    at = finished(opened_page("retrain", **LENET300, run=SPEC.name))
    assert any(SPEC.name in text.value for text in at.main.markdown)
    assert has_button(at, "Open on Explore")


def test_an_unknown_run_in_a_link_is_said():
    at = opened_page("retrain", **LENET300, run="gone")
    assert "there is no run gone on this server" in warning(at)
    at = opened_page("explore", **LENET300, checkpoint="gone")
    assert "the run gone is not on this machine" in warning(at)
    assert "This is the default instead" in warning(at)


def test_a_paused_run_can_be_continued_and_deleted():
    spec = default_spec(RECIPE, "finetune", epochs=1, seed=5)
    files = RunFiles(spec.name)
    with files.locked():
        files.save_spec(spec)
    at = finished(opened_page("retrain", **LENET300, run=spec.name))
    assert has_button(at, "Continue") and not has_button(at, "Open on Explore")
    click(at, "Delete this run")
    assert list_runs() == []


def test_a_run_that_failed_says_why():
    spec = default_spec(RECIPE, "finetune", epochs=1, seed=6)
    files = RunFiles(spec.name)
    with files.locked():
        files.save_spec(spec)
    files.save_problem("the loss is nan in step 3 of epoch 1")
    at = finished(opened_page("retrain", **LENET300, run=spec.name))
    assert "the loss is nan" in at.error[0].value.replace("\\", "")


def test_settings_that_do_not_go_together_are_said():
    at = opened_page("retrain", **LENET300, recovery="reconstruct")
    at.main.selectbox(key="retrain_schedule").set_value("lottery").run()
    assert any("does not use recoveries" in caption.value for caption in at.main.caption)
    assert has_button(at, "Start")


def test_limits_are_said(monkeypatch):
    monkeypatch.setattr(run_jobs, "runs_in_training", lambda: ["a"] * run_jobs.MAX_RUNS)
    at = opened_page("retrain", **LENET300)
    click(at, "Start")
    assert "limit of this server" in warning(at)
    monkeypatch.setattr(run_jobs, "runs_in_training", lambda: ["a", "b"])
    monkeypatch.setattr(run_jobs, "_owners", lambda: {"a": "", "b": ""})
    click(at, "Start")
    assert "limit for one visitor" in warning(at)


def test_the_sidebar_offers_finished_runs_everywhere():
    retrain(SPEC, device="cpu")
    for page in ("explore", "sensitivity"):
        at = opened_page(page, **LENET300)
        box = at.sidebar.selectbox(key="checkpoint")
        assert box.options == ["Shipped", SPEC.name]
        box.set_value(SPEC.name).run()
        assert not at.exception
        assert at.session_state["recipe"].checkpoint == SPEC.name


def test_compare_shows_recoveries_and_runs_of_the_same_masks():
    retrain(SPEC, device="cpu")
    at = opened_page("compare")
    at.session_state["comparison"] = [RECIPE]
    at.session_state["column_ids"] = ["first"]
    at.session_state["network"], at.session_state["dataset"] = "lenet300", "digits"
    at.run()
    click(at, "Compare recoveries")
    assert not at.exception
    shown = at.session_state["comparison"]
    assert [recipe.recovery for recipe in shown] == [(), ("reconstruct",), ()]
    assert shown[-1].checkpoint == SPEC.name


def test_the_summary_is_of_the_step_that_the_sidebar_shows():
    steps = (Step(value=0.5), Step(method="filter", value=0.3, scope="layer"))
    query = recipe_to_query(Recipe("lenet5", "digits", steps=steps))
    at = opened(**query)
    at.switch_page("pages/retrain/page.py").run()
    at.sidebar.button(key="choose step 0").click().run()
    assert any("of the 61,470 weights" in text.value for text in at.sidebar.caption)

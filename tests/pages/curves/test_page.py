"""The Curves page, on built-in data."""

import time
from collections.abc import Hashable

import pytest

from pages.state.visitor import jobs
from pruning.engine.evaluate import EvaluationProgress
from pruning.experiments import curves as curves_module
from pruning.experiments import literature
from pruning.experiments.curve_request import CurveRequest
from pruning.experiments.literature import PublishedResult
from pruning.recipe.labels import recipe_label
from pruning.recipe.recipe import Recipe
from tests.pages.common import charts, numbers
from tests.pages.driver import click, finished, has_button, opened_page, to_json

TWO = (
    Recipe.one_step("lenet300", "digits"),
    Recipe.one_step("lenet300", "digits", criterion="random"),
)


pytestmark = pytest.mark.usefixtures("no_downloads")


def link(recipes=TWO, **fields: str) -> dict[str, str]:
    return {"recipes": to_json(recipes), "points": "5", "seeds": "2"} | fields


def test_three_curves_with_the_control_by_default():
    at = finished(opened_page("curves"))
    [chart] = charts(at)
    names = [trace["name"] for trace in chart["data"] if trace.get("name")]
    filters = Recipe.one_step("lenet5", "digits", method="filter", scope="layer")
    assert names == ["Weights by Magnitude", "Weights by Random", recipe_label(filters)]
    assert at.get("plotly_chart")[0].proto.alt
    assert chart["layout"]["xaxis"]["title"]["text"]
    areas = at.dataframe[0].value
    assert sorted(areas["area"], reverse=True) == list(areas["area"])
    assert len(areas) == 3
    assert dict(at.query_params)["points"] == "11"


def test_a_link_carries_the_axes():
    at = finished(opened_page("curves", **link()))
    at.main.segmented_control(key="curves_x").set_value("compression").run()
    assert charts(at)[0]["layout"]["xaxis"]["type"] == "log"
    at.main.segmented_control(key="curves_y").set_value("loss").run()
    assert "nats" in charts(at)[0]["layout"]["yaxis"]["title"]["text"]
    query = dict(at.query_params)
    assert (query["x"], query["y"]) == ("compression", "loss")
    [chart] = charts(finished(opened_page("curves", **query)))
    assert chart["layout"]["xaxis"]["type"] == "log"
    assert "nats" in chart["layout"]["yaxis"]["title"]["text"]


def test_costs_on_the_axes_are_called_effective():
    at = finished(opened_page("curves", **link()))
    options = at.main.segmented_control(key="curves_x").options
    assert "effective MACs left" in options
    assert "effective compression" in options
    spacing = at.sidebar.segmented_control(key="curve_spacing")
    assert "the effective compression ratios 1, 2, 4, 8, 16, 32" in spacing.help


def test_costs_in_the_table_and_in_hover_texts_are_called_effective():
    at = finished(opened_page("curves", **link()))
    columns = list(at.dataframe[1].value.columns)
    assert "effective_compression" in columns
    assert "compression" not in columns
    texts = charts(at)[0]["data"][-1]["text"]
    assert all("effective compression" in text for text in texts)


def test_published_results_have_a_place_on_some_axes(monkeypatch):
    published = PublishedResult(
        "lenet300", "digits", "weight", 0.98, 0.99, "A. Author 2015", "retrained", compression=12.0
    )
    monkeypatch.setattr(literature, "PUBLISHED", (published,))
    at = finished(opened_page("curves", **link(x="compression", published="True")))
    names = [trace.get("name") for trace in charts(at)[0]["data"]]
    assert "published" in names
    captions = [caption.value for caption in at.main.caption]
    assert any("A. Author 2015: 98.00% at 12x compression" in caption for caption in captions)
    at.main.segmented_control(key="curves_x").set_value("macs").run()
    captions = [caption.value for caption in finished(at).main.caption]
    assert "The published points have no values on these axes." in captions
    assert dict(at.query_params)["published"] == "True"


def test_finished_runs_stand_beside_the_curves(finished_run):
    at = finished(opened_page("curves", **link(retrained="True")))
    [chart] = charts(at)
    trace = chart["data"][-1]
    assert trace["name"] == "run: fine-tune" and trace["mode"] == "markers"
    assert trace["customdata"] == [finished_run.name]
    [position] = trace["x"]
    assert position == pytest.approx(0.8, abs=1e-4)
    assert dict(at.query_params)["retrained"] == "True"
    at.main.segmented_control(key="curves_y").set_value("loss").run()
    captions = [caption.value for caption in finished(at).main.caption]
    assert "The retrained networks have no values on these axes." in captions


def test_without_retrained_networks_the_page_says_where_they_are_made(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_RUNS", str(tmp_path))
    at = finished(opened_page("curves", **link(retrained="True")))
    captions = [caption.value for caption in at.main.caption]
    assert "No retrained networks of this network and dataset: see the page Retrain." in captions


@pytest.fixture
def slow_evaluation(monkeypatch):
    """Curves whose work waits until the returned list has an entry."""
    released: list[bool] = []
    evaluate = curves_module.evaluate

    def wait_and_evaluate(recipes, split="test", precision=None, report=None):
        while not released:
            time.sleep(0.01)
            report(EvaluationProgress((None,) * len(recipes), 0.3))
        return evaluate(recipes, split, precision, report)

    monkeypatch.setattr(curves_module, "evaluate", wait_and_evaluate)
    return released


def subscribers_of(key: Hashable) -> list[Hashable]:
    """Return who waits for the job of a key."""
    waiting = jobs().subscribers_where(lambda subscriber: True)
    return [subscriber for subscriber in waiting if jobs().subscription(subscriber).key == key]


def test_work_continues_on_other_pages_and_can_be_cancelled_and_resumed(slow_evaluation):
    recipe = Recipe.one_step("lenet300", "digits", method="neuron", criterion="activation")
    query = link([recipe])
    at = opened_page("curves", **query)
    key = ("curves", CurveRequest((recipe,), points=5, seeds=2))
    assert has_button(at, "Cancel")

    at.switch_page("pages/explore/page.py").run()
    assert numbers(at)
    assert len(subscribers_of(key)) == 1, "the work ended with the page"

    reloaded = opened_page("curves", **query)  # another visitor with the same link
    assert len(subscribers_of(key)) == 2
    click(reloaded, "Cancel")
    assert len(subscribers_of(key)) == 1, "another visitor still waits for it"

    at.switch_page("pages/curves/page.py").run()
    click(at.run(), "Cancel")
    assert not subscribers_of(key)

    slow_evaluation.append(True)
    click(at, "Compute the curves")
    assert len(charts(finished(at))) == 1

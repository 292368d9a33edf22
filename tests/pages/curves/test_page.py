"""The Curves page, on built-in data."""

import time

import pytest

from pages.state.visitor import jobs
from pruning.engine.evaluate import EvaluationProgress
from pruning.experiments import curves as curves_module
from pruning.experiments.curves import CurveRequest, measure_curves
from pruning.recipe.labels import recipe_label
from pruning.recipe.recipe import Recipe
from tests.pages.common import charts, numbers
from tests.pages.driver import click, finished, has_button, opened_page, to_json, warning

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
    assert names == [
        "Weights by Magnitude",
        "Weights by Random",
        "Filters by Magnitude, each layer alike",
    ]
    assert at.get("plotly_chart")[0].proto.alt
    assert chart["layout"]["xaxis"]["title"]["text"]
    areas = at.dataframe[0].value
    assert sorted(areas["area"], reverse=True) == list(areas["area"])
    assert len(areas) == 3
    assert dict(at.query_params)["points"] == "11"


def test_a_link_carries_recipes_points_and_seeds():
    at = finished(opened_page("curves", **link()))
    assert not at.warning
    expected = measure_curves(CurveRequest(TWO, points=5, seeds=2))
    areas = dict(at.dataframe[0].value[["recipe", "area"]].to_numpy())
    assert areas == pytest.approx(
        {recipe_label(curve.recipe, with_seed=False): curve.area for curve in expected}
    )
    assert len(at.dataframe[1].value) == 15
    query = dict(at.query_params)
    assert query == {"points": "5", "seeds": "2", "recipes": query["recipes"]}


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


def test_a_link_carries_ratios_and_precision():
    at = finished(opened_page("curves", **link(points="0", precision="0.02")))
    assert at.sidebar.segmented_control(key="curve_spacing").value == "ratios"
    query = dict(at.query_params)
    assert (query["points"], query["precision"]) == ("0", "0.02")


def test_costs_on_the_axes_are_called_effective():
    at = finished(opened_page("curves", **link()))
    options = at.main.segmented_control(key="curves_x").options
    assert "effective MACs left" in options
    assert "effective compression" in options


def test_at_least_one_recipe_has_to_be_chosen():
    at = finished(opened_page("curves", **link()))
    at.sidebar.multiselect[0].set_value([]).run()
    assert "Choose a recipe" in at.info[0].value


@pytest.mark.parametrize(
    "fields, part",
    [
        ({"recipes": "["}, "could not be followed"),
        ({"recipes": "[" * 100_000}, "nested too deeply"),
        ({"recipes": "3"}, "must be a list"),
        ({"recipes": '[{"network": "vgg"}]'}, "unknown network"),
        ({"recipes": '[{"network": ["lenet5"]}]'}, "could not be followed"),
        ({"points": "1"}, "points must be"),
        ({"points": "x"}, "could not be followed"),
        ({"precision": "0.3"}, "precision must be one of"),
        ({"recipes": '[{"network":"lenet5","dataset":"mnist"}]'}, "not on this machine"),
        ({"seeds": "99"}, "seeds must be"),
        ({"x": "speed"}, "x must be one of sparsity"),
        ({"y": "beauty"}, "y must be one of accuracy"),
    ],
)
def test_a_bad_link_is_reported_and_the_page_shows_its_default(fields, part):
    at = opened_page("curves", **(link() | fields))
    assert part in warning(at)
    assert "This is the default instead" in warning(at)
    assert len(charts(finished(at))) == 1


def test_unknown_keys_of_a_link_are_named():
    at = opened_page("curves", **link(speed="fast"))
    assert "without a meaning here, which are ignored: speed" in warning(at)


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


def test_work_continues_on_other_pages_and_can_be_cancelled_and_resumed(slow_evaluation):
    recipe = Recipe.one_step("lenet300", "digits", method="neuron", criterion="activation")
    query = link([recipe])
    at = opened_page("curves", **query)
    key = ("curves", CurveRequest.from_query(query))
    assert has_button(at, "Cancel")

    at.switch_page("pages/explore/page.py").run()
    assert numbers(at)
    assert jobs()._running.get(key), "the work ended with the page"

    reloaded = opened_page("curves", **query)  # another visitor with the same link
    assert len(jobs()._running[key].subscribers) == 2
    click(reloaded, "Cancel")
    assert jobs()._running.get(key), "another visitor still waits for it"

    at.switch_page("pages/curves/page.py").run()
    click(at.run(), "Cancel")
    deadline = time.time() + 10
    while key in jobs()._running:
        assert time.time() < deadline
        time.sleep(0.05)

    slow_evaluation.append(True)
    click(at, "Compute the curves")
    assert len(charts(finished(at))) == 1

"""The Curves and Sensitivity pages, on built-in data."""

import json
import time

import pytest
from streamlit.testing.v1 import AppTest

from pages.state.session import jobs
from pruning.engine import evaluate as sweep
from pruning.engine import prune as experiment
from pruning.experiments import curves as bundle
from pruning.experiments import sensitivity
from pruning.experiments.curves import Bundle
from pruning.recipe.recipe import Recipe
from tests.pages.common import charts, numbers, shown

TWO = (Recipe("lenet300", "digits"), Recipe("lenet300", "digits", criterion="random"))


@pytest.fixture(autouse=True)
def no_downloads(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path))


def at_page(page: str, wait: bool = True, **query) -> AppTest:
    at = AppTest.from_file("../../../app.py", default_timeout=60).run()
    at.query_params.clear()
    at.query_params.update(query)
    at.switch_page(f"pages/{page}/page.py").run()
    return done(at) if wait else at


def done(at: AppTest) -> AppTest:
    """Until no work is running."""
    at.run()
    deadline = time.time() + 90
    while not at.exception and any(button.label == "Cancel" for button in at.main.button):
        assert time.time() < deadline
        time.sleep(0.2)
        at.run()
    assert not at.exception, at.exception
    return at


def link(recipes=TWO, **more) -> dict[str, str]:
    return {
        "recipes": json.dumps([recipe.to_dict() for recipe in recipes]),
        "points": "5",
        "seeds": "2",
    } | more


def test_three_curves_with_the_control_without_being_asked():
    at = at_page("curves")
    (chart,) = charts(at)
    names = [trace["name"] for trace in chart["data"] if trace.get("name")]
    assert names == [
        "Weights by Magnitude",
        "Weights by Random",
        "Filters by Magnitude, each layer alike",
    ]
    assert at.get("plotly_chart")[0].proto.alt and chart["layout"]["xaxis"]["title"]["text"]
    areas = at.dataframe[0].value
    assert sorted(areas["area"], reverse=True) == list(areas["area"]) and len(areas) == 3
    assert dict(at.query_params)["points"] == "11"


def test_a_link_carries_recipes_points_and_seeds():
    at = at_page("curves", **link())
    expected = bundle.measure(Bundle(TWO, points=5, seeds=2))
    areas = dict(at.dataframe[0].value[["recipe", "area"]].to_numpy())
    assert areas == pytest.approx(
        {bundle.name_of(line.recipe, seed=False): line.area for line in expected}
    )
    assert len(at.dataframe[1].value) == 15
    assert dict(at.query_params) == {
        "points": "5",
        "seeds": "2",
        "recipes": dict(at.query_params)["recipes"],
    }
    at.main.segmented_control(key="curves x").set_value("compression").run()
    assert charts(at)[0]["layout"]["xaxis"]["type"] == "log"
    at.main.segmented_control(key="curves y").set_value("loss").run()
    assert "nats" in charts(at)[0]["layout"]["yaxis"]["title"]["text"]
    query = dict(at.query_params)
    assert (query["x"], query["y"]) == ("compression", "loss")
    (again,) = charts(at_page("curves", **query))
    assert (
        again["layout"]["xaxis"]["type"] == "log"
        and "nats" in again["layout"]["yaxis"]["title"]["text"]
    )
    at.sidebar.multiselect[0].set_value([]).run()
    assert "Choose a recipe" in at.info[0].value


@pytest.mark.parametrize(
    "query, part",
    [
        (link() | {"recipes": "["}, "could not be followed"),
        (link() | {"recipes": "3"}, "must be a list"),
        (link() | {"recipes": '[{"network": "vgg"}]'}, "unknown network"),
        (link() | {"points": "1"}, "points must be"),
        (link() | {"points": "x"}, "could not be followed"),
        (link() | {"precision": "0.3"}, "precision must be one of"),
        (link() | {"recipes": '[{"network":"lenet5","dataset":"mnist"}]'}, "not on this machine"),
        (link() | {"seeds": "99"}, "seeds must be"),
        (link() | {"x": "speed"}, "x must be one of sparsity"),
        (link() | {"y": "beauty"}, "y must be one of accuracy"),
    ],
)
def test_a_bad_link_is_said_and_the_page_opens(query, part):
    at = at_page("curves", wait=False, **query)
    assert part in at.warning[0].value.replace("\\", "") and len(charts(done(at))) == 1


def test_work_goes_on_while_its_visitor_looks_elsewhere_and_can_be_cancelled_and_taken_up(
    monkeypatch,
):
    plain = sweep.measure

    def slow(recipes, report, **more):
        while not released:
            time.sleep(0.01)
            report(sweep.Progress((None,) * len(recipes), 0.3))
        return plain(recipes, report, **more)

    released = []
    monkeypatch.setattr(sweep, "measure", slow)
    asked = link((Recipe("lenet300", "digits", method="neuron", criterion="activation"),))
    at = at_page("curves", wait=False, **asked)
    key = next(key for key in jobs()._running if key[0] == "bundle")
    assert any(button.label == "Cancel" for button in at.main.button)
    at.switch_page("pages/explore/page.py").run()
    assert numbers(at) and jobs().running(key), "it ended with the page"
    again = at_page("curves", wait=False, **asked)  # after a reload: another visitor, the same link
    assert jobs().running(key) and len(jobs().running(key).subscribers) == 2
    next(button for button in again.main.button if button.label == "Cancel").click().run()
    assert jobs().running(key), "somebody else still wants it"
    at.switch_page("pages/curves/page.py").run()
    at.run()
    next(button for button in at.main.button if button.label == "Cancel").click().run()
    deadline = time.time() + 10
    while key in jobs()._running:
        assert time.time() < deadline
        time.sleep(0.05)
    released.append(True)
    next(button for button in at.main.button if button.label == "Compute the curves").click().run()
    assert len(charts(done(at))) == 1


def test_a_scan_a_plan_and_the_way_to_explore():
    at = at_page("sensitivity", network="lenet5", dataset="digits")
    assert len(charts(at)) == 2 and all(chart.proto.alt for chart in at.get("plotly_chart"))
    found = sensitivity.scan(Recipe("lenet5", "digits"))
    heat = charts(at)[0]["data"]
    assert heat[0]["y"] == list(found.layers) and any(
        "Most sensitive first" in caption.value for caption in at.main.caption
    )
    planned = sensitivity.plan(found, 1.0)
    table = at.dataframe[0].value
    assert list(table["effective_parameters"]) == [
        planned.plan.parameters,
        *(one.parameters for one in planned.beside),
    ]
    assert list(table["test_accuracy"])[0] == experiment.run(planned.plan.recipe).accuracy.value
    at.main.number_input(key="lose").set_value(5.0).run()
    more = done(at).dataframe[0].value
    assert dict(at.query_params)["lose"] == "5.0"
    assert more["effective_parameters"][0] <= table["effective_parameters"][0]
    next(
        button for button in at.main.button if button.label == "Open the plan on Explore"
    ).click().run()
    assert not at.exception and numbers(at) == shown(
        experiment.run(sensitivity.plan(found, 5.0).plan.recipe)
    )


def test_a_link_carries_what_may_be_lost():
    at = at_page("sensitivity", network="lenet5", dataset="digits", lose="3.5")
    assert at.main.number_input(key="lose").value == 3.5 and dict(at.query_params)["lose"] == "3.5"
    for wrong in ("x", "51", "-1", "nan"):
        at = at_page("sensitivity", wait=False, network="lenet5", dataset="digits", lose=wrong)
        assert "lose must be from 0 to 50 points" in at.warning[0].value.replace("\\", "")


def test_a_scan_needs_layers():
    at = at_page("sensitivity")
    at.sidebar.selectbox(key="method").set_value("layer").run()
    assert "layer by layer" in at.info[0].value and not charts(at)

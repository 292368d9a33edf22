"""The Compare page, on built-in data."""

import json
import time
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from pruning.engine import prune as experiment
from pruning.experiments.comparison import Budget, matched
from pruning.recipe.recipe import Recipe, Step
from tests.pages.common import charts, numbers

THREE = [
    Recipe("lenet5", "digits"),
    Recipe("lenet5", "digits", method="neuron", criterion="activation", scope="layer"),
    Recipe("lenet5", "digits", method="filter", scope="layer"),
]


@pytest.fixture(autouse=True)
def no_downloads(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path))


def comparing(recipes=(), said=False, **query) -> AppTest:
    at = AppTest.from_file("../../../app.py", default_timeout=60).run()
    at.query_params.clear()
    at.query_params.update(
        query | ({"columns": json.dumps([r.to_dict() for r in recipes])} if recipes else {})
    )
    at.switch_page("pages/compare/page.py").run()
    return at if said else done(at.run())


def done(at: AppTest) -> AppTest:
    deadline = time.time() + 60
    while not at.exception and not at.error and not charts(at) and time.time() < deadline:
        time.sleep(0.1)
        at.run()
    assert not at.exception and not at.error, (at.exception, at.error)
    return at


def metrics(at: AppTest, label: str) -> list[str]:
    return [metric.value for metric in at.metric if metric.label == label]


def expected(recipes, budget: Budget):
    columns = [matched(recipe, budget) for recipe in recipes]
    return (
        [f"{experiment.run(c.recipe).accuracy.value:.2%}" for c in columns],
        [f"{c.left.macs / 416_520:.1%}" for c in columns],
    )


def test_three_columns_at_the_same_budget():
    at = comparing()
    assert len(metrics(at, "Test accuracy")) == 3 and len(charts(at)) == 6
    assert all(chart.proto.alt for chart in at.get("plotly_chart"))
    at.main.segmented_control(key="budget").set_value("macs").run()
    at.main.slider(key="share of macs").set_value(40.0).run()
    done(at)
    accuracies, macs = expected(THREE, Budget("macs", 0.4))
    assert metrics(at, "Test accuracy") == accuracies and metrics(at, "Effective MACs") == macs
    assert dict(at.query_params)["budget"] == "macs=0.4"
    colours = [t["marker"]["color"] for t in charts(at)[0]["data"]]
    assert (
        colours == [t["marker"]["color"] for t in charts(at)[2]["data"]] and len(set(colours)) == 3
    )


def test_a_link_and_each_its_own():
    recipes = [
        Recipe("lenet300", "digits", value=0.9),
        Recipe("lenet300", "digits").with_steps(
            (Step(method="filter", value=0.3, scope="layer"), Step(value=0.5))
        ),
    ]
    at = comparing(recipes, budget="own")
    assert metrics(at, "Test accuracy") == [
        f"{experiment.run(r).accuracy.value:.2%}" for r in recipes
    ]
    assert [
        r["method"] if "method" in r else len(r["steps"])
        for r in json.loads(dict(at.query_params)["columns"])
    ] == ["weight", 2]
    at.main.slider[0].set_value(50.0).run()
    assert (
        metrics(at, "Test accuracy")[0]
        == f"{experiment.run(Recipe('lenet300', 'digits')).accuracy.value:.2%}"
    )


def test_each_its_own_slider_whatever_the_rule():
    recipes = [
        Recipe("lenet300", "digits", rule="threshold", value=0.02),
        Recipe("lenet300", "digits", rule="n_m", value="2:4"),
        Recipe("lenet300", "digits", scope="custom", values=(("fc1", 0.9),)),
    ]
    at = comparing(recipes, budget="own")
    done(at.run())
    read = lambda: [r["value"] for r in json.loads(dict(at.query_params)["columns"])]  # noqa: E731
    assert read() == [0.02, "2:4", 0.5]  # looking changes nothing
    at.main.slider[0].set_value(80.0).run()
    done(at)
    at.main.selectbox(key=next(b.key for b in at.main.selectbox if b.label == "N:M")).set_value(
        "1:4"
    ).run()
    done(at)
    assert read()[0] > 0.02 and read()[1] == "1:4"
    from pruning.methods.rules import count_removed

    assert count_removed(experiment.select(replace(recipes[0], value=read()[0]))) == pytest.approx(
        0.8 * 266_200, rel=0.01
    )


def test_a_link_may_name_the_budget_alone():
    at = comparing(budget="parameters=0.3")
    assert (
        dict(at.query_params)["budget"] == "parameters=0.3"
        and len(metrics(at, "Test accuracy")) == 3
    )
    assert "could not be followed" in comparing(said=True, budget="parameters=x").warning[0].value


def test_columns_can_be_added_removed_and_given_another_recipe():
    at = comparing(THREE, budget="macs=0.5")
    next(b for b in at.sidebar.button if b.label == "Add a column").click().run()
    done(at)
    assert len(metrics(at, "Test accuracy")) == 4
    next(b for b in at.main.button if b.label == "Remove this column").click().run()
    done(at)
    assert len(metrics(at, "Test accuracy")) == 3
    box = next(b for b in at.main.selectbox if b.label == "Criterion")
    box.set_value("taylor").run()
    done(at)
    assert json.loads(dict(at.query_params)["columns"])[0]["criterion"] == "taylor"
    next(b for b in at.main.button if b.label == "Take the recipe of Explore").click().run()
    done(at)
    assert json.loads(dict(at.query_params)["columns"])[0]["method"] == "weight"


def test_a_budget_out_of_reach_is_said():
    at = comparing([Recipe("lenet5", "digits", method="layer")], budget="macs=0.01")
    assert any("out of reach" in warning.value for warning in at.warning)


def test_equal_accuracy():
    at = comparing([Recipe("lenet300", "digits")], budget="accuracy=0.95")
    column = matched(Recipe("lenet300", "digits"), Budget("accuracy", 0.95))
    assert metrics(at, "Effective parameters") == [f"{column.left.parameters / 266_610:.1%}"]


def test_the_ledger_and_the_curves_on_request():
    at = comparing([Recipe("lenet300", "digits")], budget="macs=0.5")
    for key in ("begin curves", "begin ledger"):
        at.main.button(key=key).click().run()
        deadline = time.time() + 60
        while any(b.key == key.replace("begin", "cancel") for b in at.main.button):
            assert time.time() < deadline
            time.sleep(0.2)
            at.run()
    done(at)
    assert len(charts(at)[0]["data"]) == 2 and len(charts(at)[0]["data"][0]["x"]) > 8
    assert "bytes of the file" in at.dataframe[0].value["quantity"].tolist()
    assert any("masked and removed logits agree" in caption.value for caption in at.main.caption)


@pytest.mark.parametrize(
    "query, part",
    [
        ({"columns": "["}, "could not be followed"),
        ({"columns": "[]"}, "a list of 1 to 6 recipes"),
        ({"columns": '[{"network": "vgg"}]'}, "unknown network"),
        ({"columns": "[3]"}, "could not be followed"),
        ({"columns": '[{"network":"lenet5","dataset":"mnist"}]'}, "not on this machine"),
        (
            {"columns": '[{"network":"lenet5","dataset":"digits"}]', "budget": "macs=7"},
            "must be between 0 and 1",
        ),
        ({"columns": "[" * 100_000}, "could not be followed"),
    ],
)
def test_a_bad_link_is_said_and_the_page_opens(query, part):
    at = comparing(said=True, **query)  # said once
    assert part in at.warning[0].value.replace("\\", "")
    assert len(metrics(done(at), "Test accuracy")) == 3 and numbers(at)


def test_a_comparison_is_opened_from_its_own_file():
    at = comparing(THREE[:1], budget="macs=0.5")
    columns = [matched(recipe, Budget("parameters", 0.4)) for recipe in THREE]
    told = {
        "budget": {"kind": "parameters", "share": 0.4},
        "columns": [{"recipe": c.recipe.to_dict()} for c in columns],
    }
    at.sidebar.get("file_uploader")[0].set_value(
        ("comparison.json", json.dumps(told).encode(), "application/json")
    ).run()
    done(at)
    assert (
        dict(at.query_params)["budget"] == "parameters=0.4"
        and len(metrics(at, "Test accuracy")) == 3
    )
    at.sidebar.get("file_uploader")[0].set_value(
        ("comparison.json", b"\xff\x00", "application/json")
    ).run()
    assert (
        "could not be read" in at.warning[0].value and len(metrics(done(at), "Test accuracy")) == 3
    )


def test_the_smallest_budget_and_another_grouping():
    at = comparing(
        [
            Recipe(
                "resnet20",
                "digits",
                method="filter",
                grouping="across",
                scope="custom",
                values=(("conv1", 0.1),),
            )
        ],
        budget="macs=0",
    )
    assert any("out of reach" in warning.value for warning in at.warning)
    at.main.segmented_control(key="budget").set_value("own").run()
    next(box for box in at.main.selectbox if box.label == "Grouping").set_value("inside").run()
    assert json.loads(dict(done(at).query_params)["columns"])[0]["values"] == {}


def test_six_columns_differ():
    at = comparing(THREE, budget="macs=0.5")
    for _ in range(3):
        next(b for b in at.sidebar.button if b.label == "Add a column").click().run()
    done(at)
    told = json.loads(dict(at.query_params)["columns"])
    assert [column["seed"] for column in told[3:]] == [0, 1, 2] and len(
        metrics(at, "Test accuracy")
    ) == 6

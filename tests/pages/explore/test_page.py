"""The Explore page, driven without a browser, on built-in data."""

import gc
import time

import pytest
from streamlit.testing.v1 import AppTest

from pruning.engine import prune as experiment
from pruning.models import checkpoints
from pruning.recipe.recipe import Recipe
from tests.pages.common import charts, numbers, opened, shown

LENET = {"network": "lenet300", "dataset": "digits"}


@pytest.fixture(autouse=True)
def no_downloads(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path))


def slider(at: AppTest):
    return at.sidebar.slider[0]


def test_the_first_page_shows_a_pruned_network_without_any_download():
    at = opened()
    assert set(numbers(at)) == {"Test accuracy", "Sparsity", "Parameters left", "MACs left"}
    assert (
        at.sidebar.selectbox(key="network").value == "lenet5"
        and at.sidebar.selectbox(key="dataset").value == "digits"
    )
    assert len(charts(at)) == 4 and len(at.dataframe) == 1
    assert all(chart.proto.alt for chart in at.get("plotly_chart"))
    for chart in charts(at):
        assert (
            chart["layout"]["xaxis"]["title"]["text"] and chart["layout"]["yaxis"]["title"]["text"]
        )
    assert {button.label for button in at.sidebar.button} == {
        "Add a step",
        "Download MNIST (12 MB)",
        "Download CIFAR-10 (170 MB)",
    }


def test_collecting_garbage_after_each_run_does_not_walk_through_the_libraries():
    at = opened()
    at.run()
    assert gc.get_freeze_count() > 100_000 and len(gc.get_objects()) < gc.get_freeze_count() / 4


@pytest.mark.parametrize("sparsity", [0.0, 0.35, 0.9, 1.0])
def test_the_slider_moves_everything(sparsity):
    at = opened(**LENET)
    slider(at).set_value(100 * sparsity).run()
    outcome = experiment.run(Recipe("lenet300", "digits", value=sparsity))
    assert numbers(at) == shown(outcome)
    table = at.dataframe[0].value
    assert table["kept"].tolist() == outcome.layers["kept"].tolist()
    assert dict(at.query_params)["sparsity"] == str(sparsity)
    texts = [warning.value for warning in at.warning]
    assert texts == list(outcome.warnings) and bool(texts) == (sparsity == 1.0)


@pytest.mark.parametrize(
    "rule, value", [("threshold", 0.02), ("relative", 0.05), ("sigma", 1.25), ("sparsity", 0.123)]
)
def test_a_link_opens_the_same_page(rule, value):
    at = opened(**LENET, scope="layer", layers="fc1,fc3", **{rule: str(value)})
    recipe = Recipe(
        "lenet300", "digits", scope="layer", rule=rule, value=value, layers=("fc1", "fc3")
    )
    assert numbers(at) == shown(experiment.run(recipe)) and not at.warning
    assert (
        dict(at.query_params) == recipe.key.to_query()
    )  # a scope that makes no difference is not kept
    assert at.sidebar.multiselect[0].value == ["fc1", "fc3"]


@pytest.mark.parametrize(
    "query, part",
    [
        ({"network": "vgg"}, "unknown network 'vgg': choose from lenet300"),
        ({"sparsity": "7"}, "sparsity must be between 0 and 1, not 7.0"),
        ({"sparsity": "<script>"}, "sparsity must be a number"),
        ({"network": "lenet5", "layers": "fc9"}, "unknown layer 'fc9' of lenet5"),
        ({"network": "lenet5", "dataset": "mnist"}, "MNIST is not on this machine"),
        (
            {"network": "![](http://localhost/x.png)"},
            "unknown network '![](http://localhost/x.png)'",
        ),
        ({"network": "resnet56", "dataset": "digits"}, "Digits has no checkpoint for ResNet-56"),
    ],
)
def test_a_bad_link_is_explained_and_the_page_opens(query, part):
    at = opened(**query)
    assert part in at.warning[0].value.replace("\\", "") and numbers(at)["Sparsity"] == "50.00%"
    assert "](" not in at.warning[0].value  # shown, not followed
    at.run()
    assert not at.warning  # said once


def test_another_rule_keeps_the_sparsity():
    at = opened(**LENET, sparsity="0.8")
    before = numbers(at)["Sparsity"]
    for rule in ("threshold", "sigma", "relative", "sparsity"):
        at.sidebar.selectbox(key="rule").set_value(rule).run()
        assert float(numbers(at)["Sparsity"][:-1]) == pytest.approx(float(before[:-1]), abs=0.3), (
            rule
        )
        options = at.sidebar.segmented_control[0].patterns
        assert options == (
            ["global", "layer", "erk", "custom"] if rule == "sparsity" else ["all alike", "custom"]
        )
        assert rule in dict(at.query_params)


def test_threshold_and_sparsity_are_two_views_of_one_thing():
    at = opened(**LENET, sparsity="0.8")
    views = next(caption.value for caption in at.sidebar.caption if "percentile" in caption.value)
    assert "80.00%" in views and "σ" in views
    threshold = experiment.select(Recipe("lenet300", "digits", value=0.8))["fc1"].threshold
    assert f"{threshold:.4g}" in views


def test_no_layer_is_said_and_nothing_is_lost():
    at = opened(**LENET)
    at.sidebar.multiselect[0].set_value([]).run()
    assert not at.exception and "No layer chosen: choose from fc1, fc2, fc3" in at.sidebar.error[
        0
    ].value.replace("\\", "")
    at.sidebar.multiselect[0].set_value(["fc2"]).run()
    assert numbers(at)["Sparsity"] == f"{15_000 / 266_200:.2%}"


def test_another_network_has_its_own_layers_and_keeps_the_rest():
    at = opened(**LENET, sparsity="0.7", layers="fc1")
    at.sidebar.selectbox(key="network").set_value("lenet5").run()
    assert numbers(at)["Sparsity"] == "70.00%" and len(at.sidebar.multiselect[0].value) == 5
    at.sidebar.selectbox(key="network").set_value("lenet300").run()
    assert at.sidebar.multiselect[0].value == ["fc1"]


def test_settings_survive_a_change_of_page():
    at = opened(**LENET, sigma="1.5", scope="layer", layers="fc2")
    before = numbers(at)
    at.switch_page("pages/glossary/page.py").run()
    assert not at.exception and at.title[0].value == "What the numbers mean"
    at.switch_page("pages/explore/page.py").run().run()
    assert numbers(at) == before and "sigma" in dict(at.query_params)


def test_settings_visited_are_points_of_the_curve():
    at = opened(**LENET, sparsity="0.2")
    for value in (40.0, 60.0):
        slider(at).set_value(value).run()
    trace = next(t for t in charts(at)[-1]["data"] if t["name"] == "visited")
    assert [round(x, 3) for x in trace["x"]] == [0.2, 0.4, 0.6]


def test_the_curve_is_computed_on_request():
    at = opened(**LENET, scope="layer", sparsity="0.5")
    at.main.button[0].click().run()
    deadline = time.time() + 60
    while "curve" not in [t["name"] for t in charts(at)[-1]["data"]] or at.main.button:
        assert time.time() < deadline
        time.sleep(0.2)
        at.run()
        assert not at.exception
    line = next(t for t in charts(at)[-1]["data"] if t["name"] == "curve")
    assert len(line["x"]) >= 15 and line["x"][0] == 0 and line["x"][-1] == 1


def test_histogram_and_mask_follow_the_chosen_layer():
    at = opened(**LENET, sparsity="0.5")
    assert len(charts(at)) == 5  # the first layer also as a picture of its input pixels
    at.main.selectbox(key="mask").set_value("fc2").run()
    assert len(charts(at)) == 4
    at.main.selectbox(key="histogram").set_value("fc3").run()
    assert at.get("plotly_chart")[0].proto.alt.startswith("Histogram of the 1,000 weights of fc3")
    at.main.toggle[0].set_value(True).run()
    assert charts(at)[0]["layout"]["yaxis"]["type"] == "log"


def test_a_broken_checkpoint_is_a_message_and_not_a_crash(monkeypatch):
    from pruning.models import checkpoints
    from pruning.runtime.errors import CheckpointError

    def broken(*_):
        raise CheckpointError("lenet300-digits.safetensors is not the file that its card describes")

    experiment._pruned.cache.clear()
    experiment._rankings.clear()
    monkeypatch.setattr(checkpoints, "shared", broken)
    for rule in ({"threshold": "0.02"}, {"sparsity": "0.5"}):  # met in the sidebar, or in the page
        at = opened(**LENET, **rule)
        assert not at.exception and "is not the file that its card describes" in at.error[
            0
        ].value.replace("\\", "")
    monkeypatch.undo()
    monkeypatch.setenv("PRUNESCOPE_DATA", "/nowhere")
    at.sidebar.selectbox(key="network").set_value("lenet5").run()
    assert numbers(at)["Sparsity"] == "50.00%"  # another network works


@pytest.mark.parametrize(
    "network, dataset", [pair for pair in checkpoints.shipped() if pair[1] == "digits"]
)
def test_every_shipped_network_opens_and_its_curve_can_be_cancelled(network, dataset, monkeypatch):
    from pruning.experiments import strength as curves

    plain = curves.curve

    def slow(recipe, report):
        plain(recipe, report, sparsities=(0.5,))
        while True:
            time.sleep(0.01)
            report(curves.Progress((), 0.1))

    monkeypatch.setattr(curves, "curve", slow)
    at = opened(network=network, dataset=dataset, sparsity="0.9")
    assert numbers(at)["Sparsity"] == "90.00%"
    at.main.button[0].click().run()
    assert (
        not at.exception
        and not at.error
        and "Cancel" in [button.label for button in at.main.button]
    )
    next(button for button in at.main.button if button.label == "Cancel").click().run()
    assert numbers(at)["Sparsity"] == "90.00%" and "Compute the curve" in [
        button.label for button in at.main.button
    ]


def test_the_link_carries_what_is_looked_at():
    at = opened(**LENET, histogram="fc2", mask="fc3", log="True", sparsity="0.5")
    assert (
        at.main.selectbox(key="histogram").value == "fc2"
        and at.main.selectbox(key="mask").value == "fc3"
    )
    assert at.main.toggle[0].value is True
    at.main.selectbox(key="mask").set_value("fc2").run()
    assert dict(at.query_params)["mask"] == "fc2" and dict(at.query_params)["histogram"] == "fc2"
    at = opened(**LENET, histogram="conv1", mask="<b>")
    assert (
        at.main.selectbox(key="histogram").value == "all layers"
        and at.main.selectbox(key="mask").value == "fc1"
    )


def test_a_download_that_fails_is_said_once_and_everything_else_goes_on(monkeypatch):
    from pages.controls import checkpoint as data
    from pruning.runtime.errors import DatasetError

    def offline(name, report):
        report(0.5)
        raise DatasetError(
            "MNIST could not be downloaded (offline): check the connection and try again"
        )

    monkeypatch.setattr(data, "download", offline)
    at = opened(**LENET)
    at.sidebar.button[0].click().run()
    deadline = time.time() + 20
    while not at.sidebar.error:
        assert time.time() < deadline
        at.run()
    assert "check the connection" in at.sidebar.error[0].value.replace("\\", "")
    assert (
        numbers(at)["Sparsity"] == "50.00%"
        and at.sidebar.button[0].label == "Download MNIST (12 MB)"
    )


def test_a_torchvision_that_does_not_fit_is_one_sentence(monkeypatch):
    from pruning.runtime import installation as environment
    from pruning.runtime.errors import PrunescopeError

    def mismatch():
        raise PrunescopeError("torch and torchvision do not work together: run `pip install`")

    monkeypatch.setattr(environment, "check_torch", mismatch)
    at = AppTest.from_file("../../../app.py", default_timeout=60).run()
    assert not at.exception and "do not work together" in at.error[0].value and not at.metric

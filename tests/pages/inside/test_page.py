"""The page Inside, on built-in data."""

from dataclasses import replace

import numpy as np
import pytest

from pages.inside import classes
from pruning.engine.evaluate import evaluate
from pruning.experiments.predictions import predict, stages
from pruning.inference.predictions import PredictionChange
from pruning.recipe.recipe import Recipe
from pruning.training.run_files import RunFiles
from tests.pages.common import charts, numbers
from tests.pages.driver import finished, opened_page

LENET = {"network": "lenet5", "dataset": "digits", "sparsity": "0.9"}
RECIPE = Recipe.one_step("lenet5", "digits", value=0.9)

pytestmark = pytest.mark.usefixtures("no_downloads")


def opened(**query):
    return finished(opened_page("inside", **LENET, **query))


def change_of(recipe: Recipe) -> PredictionChange:
    predictions = predict([stage.recipe for stage in stages(recipe)]).predictions
    return PredictionChange(predictions[0], predictions[-1])


def test_the_numbers_are_those_of_the_networks():
    at = opened()
    [evaluation] = evaluate([RECIPE])
    change = change_of(RECIPE)
    shown = numbers(at)
    assert shown["Test accuracy, pruned"] == f"{evaluation.accuracy.value:.2%}"
    assert shown["Changed predictions"] == f"{len(change.flipped):,}"
    error = change.after.reliability.expected_error
    assert shown["Calibration error"] == f"{error:.2%}"


def test_recovered_images_come_back():
    at = opened(recovery="reconstruct", calibration="256")
    recipe = Recipe.one_step(
        "lenet5", "digits", value=0.9, recovery=("reconstruct",), calibration=256
    )
    dense, pruned, last = predict([stage.recipe for stage in stages(recipe)]).predictions
    back = dense.is_correct & ~pruned.is_correct & last.is_correct
    assert numbers(at)["Came back, recovered"] == f"{int(back.sum()):,}"
    at.main.button_group(key="after").set_value("pruned").run()
    assert "Test accuracy, pruned" in numbers(at)
    assert at.query_params["after"] == "pruned"
    at.main.button_group(key="changes").set_value("back").run()
    assert any("dense, pruned and recovered" in caption.value for caption in at.main.caption)


@pytest.mark.parametrize("section", ["forgotten", "image", "units", "classes"])
@pytest.mark.parametrize(
    "query",
    [
        {"method": "filter", "scope": "layer"},
        {"method": "feature"},
        {"method": "layer"},
        {"network": "lenet300"},
        {"network": "resnet20"},
    ],
    ids=lambda query: next(iter(query.values())),
)
def test_every_part_of_every_method(section, query):
    at = finished(opened_page("inside", **{**LENET, **query, "show": section}))
    assert not at.error and not at.warning
    assert all(chart.proto.alt for chart in at.get("plotly_chart"))


def test_the_link_has_what_is_shown():
    at = opened(show="image", image="12", at="conv2")
    assert at.main.number_input(key="image").value == 12
    assert at.main.selectbox(key="inside_layer").value == "conv2"
    at.main.number_input(key="image").set_value(3).run()
    at.main.selectbox(key="inside_layer").set_value("fc1").run()
    at.run()
    assert at.query_params["image"] == "3" and at.query_params["at"] == "fc1"
    assert at.query_params["show"] == "image"


@pytest.mark.parametrize(
    "query, sentence",
    [
        ({"show": "nothing"}, "show"),
        ({"image": "360"}, "image must be a test image from 0 to 359"),
        ({"image": "-1"}, "image must be a test image from 0 to 359"),
        ({"at": "conv9"}, "at"),
        ({"after": "x"}, "after"),
        ({"drawn": "abc"}, "drawn must be an image of 28 x 28 pixels"),
    ],
)
def test_a_bad_link_is_described(query, sentence):
    at = opened_page("inside", **LENET, **query)
    assert sentence in at.warning[0].value.replace("\\", "")


def test_confusion_matrices():
    at = opened(show="classes")
    change = change_of(RECIPE)
    titles = [chart["layout"]["xaxis"]["title"]["text"] for chart in charts(at)]
    assert titles.count("predicted class") == 3
    written = charts(at)[2]["data"][0]["text"]
    expected = change.after.confusion.astype(str)
    expected[expected == "0"] = ""
    assert np.array_equal(np.array(written), expected)


def test_a_run_is_compared_with_what_was_before_it(finished_run):
    at = finished(
        opened_page(
            "inside",
            network="lenet300",
            dataset="digits",
            checkpoint=finished_run.name,
            sparsity="0",
        )
    )
    shown = numbers(at)
    card = RunFiles(finished_run.name).card()
    assert shown["Test accuracy, retrained"] == f"{card.test_accuracy:.2%}"
    assert "Came back, retrained" in shown
    recipe = Recipe.one_step("lenet300", "digits", checkpoint=finished_run.name, value=0.0)
    names = ["dense", "pruned, not retrained", "retrained"]
    assert [stage.name for stage in stages(recipe)] == names
    further = replace(recipe.with_last_step(value=0.97), recovery=("reconstruct",))
    names += ["retrained, pruned", "recovered"]
    assert [stage.name for stage in stages(further)] == names


def test_an_image_that_the_dataset_does_not_have_is_not_in_the_link():
    at = opened(show="image", image="300")
    at.session_state["image"] = 5_000
    at.session_state["section"] = "classes"
    at.run()
    assert "image" not in at.query_params


def test_a_matrix_of_many_classes_is_not_drawn(monkeypatch):
    monkeypatch.setattr(classes, "MAX_CLASSES", 9)
    at = finished(opened_page("inside", **LENET, show="classes"))
    headings = " ".join(each.value for each in at.main.markdown)
    assert "Accuracy of each class" in headings and "Calibration" in headings
    assert "Confusion" not in headings

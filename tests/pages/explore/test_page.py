"""The Explore page, driven without a browser, on built-in data."""

import pytest
from streamlit.testing.v1 import AppTest

from pruning.engine import prune as prune_module
from pruning.engine.caches import clear_caches
from pruning.engine.prune import prune
from pruning.methods.rules import Rule
from pruning.models import checkpoints
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_to_query
from pruning.recipe.step import Step
from pruning.runtime.errors import CheckpointError, PrunescopeError
from tests.pages.common import charts, numbers, opened, plain, shown

LENET = {"network": "lenet300", "dataset": "digits"}

pytestmark = pytest.mark.usefixtures("no_downloads")


def test_the_first_page_shows_a_pruned_network_without_any_download():
    at = opened()
    assert list(numbers(at)) == [
        "Test accuracy",
        "Sparsity",
        "Parameters left (masked)",
        "MACs left (masked)",
    ]
    assert at.sidebar.selectbox(key="network").value == "lenet5"
    assert at.sidebar.selectbox(key="dataset").value == "digits"
    assert len(charts(at)) == 3
    assert len(at.dataframe) == 1
    assert all(chart.proto.alt for chart in at.get("plotly_chart"))
    for chart in charts(at):
        assert chart["layout"]["xaxis"]["title"]["text"]
        assert chart["layout"]["yaxis"]["title"]["text"]
    assert {button.label for button in at.sidebar.button} == {
        "Add a step",
        "Download MNIST (12 MB)",
        "Download CIFAR-10 (170 MB)",
    }


@pytest.mark.parametrize("sparsity", [0.0, 0.35, 0.9, 1.0])
def test_the_slider_moves_everything(sparsity):
    at = opened(**LENET)
    at.sidebar.slider[0].set_value(100 * sparsity).run()
    recipe = Recipe.one_step("lenet300", "digits", value=sparsity)
    pruned = prune(recipe)
    assert numbers(at) == shown(recipe)
    table = at.dataframe[0].value
    assert table["kept"].tolist() == pruned.layer_table["kept"].tolist()
    assert dict(at.query_params)["sparsity"] == str(sparsity)
    texts = [warning.value for warning in at.warning]
    assert texts == list(pruned.warnings)
    assert bool(texts) == (sparsity == 1.0)


@pytest.mark.parametrize(
    "rule, value", [("threshold", 0.02), ("relative", 0.05), ("sigma", 1.25), ("sparsity", 0.123)]
)
def test_a_link_opens_the_same_page(rule, value):
    at = opened(**LENET, scope="layer", layers="fc1,fc3", **{rule: str(value)})
    recipe = Recipe.one_step(
        "lenet300", "digits", scope="layer", rule=rule, value=value, layers=("fc1", "fc3")
    )
    assert numbers(at) == shown(recipe)
    assert not at.warning
    assert dict(at.query_params) == recipe_to_query(recipe)
    assert at.sidebar.multiselect[0].value == ["fc1", "fc3"]


@pytest.mark.usefixtures("no_curve")
def test_the_rule_selects_once_a_move(monkeypatch):
    at = opened(**LENET)
    moved = Recipe.one_step("lenet300", "digits", value=0.812)  # no curve has this value
    expected = shown(moved)  # in the store from now on
    values, select = [], Rule.select

    def count(rule, ranking, value, *arguments):
        values.append(value)
        return select(rule, ranking, value, *arguments)

    monkeypatch.setattr(Rule, "select", count)
    at.sidebar.slider[0].set_value(81.2).run()
    assert values.count(0.812) == 1
    assert numbers(at) == expected


@pytest.mark.usefixtures("no_curve")
@pytest.mark.parametrize("active", [0, 1])
def test_the_page_prunes_once_a_move(monkeypatch, active):
    recipe = Recipe("lenet300", "digits", (Step(value=0.2), Step(value=0.5)))
    at = opened(**recipe_to_query(recipe))
    at.sidebar.button(key=f"choose step {active}").click().run()
    steps = list(recipe.steps)
    steps[active] = Step(value=0.612)  # no curve has this value
    moved = recipe.with_steps(tuple(steps))
    expected = shown(moved)  # in the store from now on
    calls, depth = [], 0

    def count(recipe, *arguments):
        nonlocal depth
        if depth == 0:  # otherwise for the steps before
            calls.append(recipe)
        depth += 1
        pruned = prune(recipe, *arguments)
        depth -= 1
        return pruned

    monkeypatch.setattr(prune_module, "prune", count)  # the page imports it in each run
    at.sidebar.slider[0].set_value(61.2).run()
    assert numbers(at) == expected
    assert [recipe for recipe in calls if recipe.steps[active].value == 0.612] == [moved]


def test_settings_survive_a_change_of_page():
    at = opened(**LENET, sigma="1.5", scope="layer", layers="fc2")
    before = numbers(at)
    at.switch_page("pages/glossary/page.py").run()
    assert not at.exception
    assert at.title[0].value == "What the numbers mean"
    at.switch_page("pages/explore/page.py").run().run()
    assert numbers(at) == before
    assert "sigma" in dict(at.query_params)


def test_a_broken_checkpoint_is_a_message_and_not_a_crash(monkeypatch):
    def broken(*_):
        raise CheckpointError("lenet300-digits.safetensors is not the file that its card describes")

    clear_caches()
    monkeypatch.setattr(checkpoints, "shared_model", broken)
    for rule in ({"threshold": "0.02"}, {"sparsity": "0.5"}):  # met in the sidebar, or in the page
        at = opened(**LENET, **rule)
        assert not at.exception
        assert "is not the file that its card describes" in plain(at.error[0])
    monkeypatch.undo()
    monkeypatch.setenv("PRUNESCOPE_DATA", "/nowhere")
    at.sidebar.selectbox(key="network").set_value("lenet5").run()
    assert numbers(at)["Sparsity"] == "50.00%"  # another network works


def test_a_torchvision_that_does_not_fit_is_one_sentence(monkeypatch):
    from pruning.runtime import installation

    def mismatch():
        raise PrunescopeError("torch and torchvision do not work together: run `pip install`")

    monkeypatch.setattr(installation, "check_torch", mismatch)
    at = AppTest.from_file("../../../app.py", default_timeout=60).run()
    assert not at.exception
    assert "do not work together" in at.error[0].value
    assert not at.metric


def test_the_default_mask_is_not_in_the_link():
    at = opened(**LENET, sparsity="0.5").run()
    assert "mask" not in dict(at.query_params)
    layers = at.main.selectbox(key="mask").options
    at.main.selectbox(key="mask").set_value(layers[1]).run()
    assert dict(at.query_params)["mask"] == layers[1]

"""The sidebar of Curves and its link, on built-in data."""

import pytest

from pages.curves import sidebar
from pruning.experiments.curve_request import CurveRequest
from pruning.experiments.curves import measure_curves
from pruning.recipe.labels import recipe_label
from pruning.recipe.recipe import Recipe
from tests.pages.common import charts
from tests.pages.driver import finished, opened_page, to_json, warning

TWO = (
    Recipe.one_step("lenet300", "digits"),
    Recipe.one_step("lenet300", "digits", criterion="random"),
)


pytestmark = pytest.mark.usefixtures("no_downloads")


def link(recipes=TWO, **fields: str) -> dict[str, str]:
    return {"recipes": to_json(recipes), "points": "5", "seeds": "2"} | fields


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


def test_a_link_carries_ratios_and_precision():
    at = finished(opened_page("curves", **link(points="0", precision="0.02")))
    assert at.sidebar.segmented_control(key="curve_spacing").value == "ratios"
    query = dict(at.query_params)
    assert (query["points"], query["precision"]) == ("0", "0.02")


def test_a_link_without_recipes_is_for_the_default_curves():
    fields = {"points": "3", "seeds": "1", "precision": "0.02", "x": "macs", "y": "loss"}
    at = finished(opened_page("curves", **fields))
    assert not at.warning
    query = dict(at.query_params)
    assert {key: query[key] for key in fields} == fields
    assert query["recipes"].count("network") == 3
    assert len(at.dataframe[1].value) == 3 * 3
    assert "nats" in charts(at)[0]["layout"]["yaxis"]["title"]["text"]


def test_the_link_decides_after_the_back_button(monkeypatch):
    at = finished(opened_page("curves", **link(x="macs", precision="0.02")))
    monkeypatch.setattr(sidebar, "is_history_navigation", lambda: True)
    at.query_params.clear()
    at.query_params.update(link(TWO[:1], y="loss"))
    at = finished(at)
    assert at.main.segmented_control(key="curves_x").value == "sparsity"
    assert at.main.segmented_control(key="curves_y").value == "loss"
    assert at.sidebar.multiselect[0].value == [recipe_label(TWO[0])]
    assert "precision" not in dict(at.query_params)


def test_too_many_points_for_one_figure_are_an_error_on_the_page():
    random = [
        Recipe.one_step("lenet300", "digits", criterion="random", seed=seed) for seed in range(12)
    ]
    at = finished(opened_page("curves", **link(random, points="2", seeds="1")))
    at.sidebar.slider(key="curve_points").set_value(50)
    at.sidebar.slider(key="curve_seeds").set_value(10).run()
    text = at.error[0].value.replace("\\", "")
    assert text.startswith("6,000 points are too many for one picture")
    assert not at.exception


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
        ({"published": "yes"}, "published must be one of True, False, not 'yes'"),
        ({"recipes": "[]"}, "1 to 12 recipes"),
    ],
)
def test_a_bad_link_is_reported_and_the_page_shows_its_default(fields, part):
    at = opened_page("curves", **(link() | fields))
    assert part in warning(at)
    assert "This is the default instead" in warning(at)
    assert len(charts(finished(at))) == 1


def test_an_unknown_network_is_answered_with_those_on_this_machine():
    at = opened_page("curves", recipes='[{"network": "vgg"}]')
    assert "unknown network 'vgg': choose from lenet300, lenet5" in warning(at)
    assert "resnet56" not in warning(at)


def test_unknown_keys_of_a_link_are_named():
    at = opened_page("curves", **link(speed="fast"))
    assert "without a meaning here, which are ignored: speed" in warning(at)

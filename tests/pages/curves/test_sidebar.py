"""The sidebar of Curves and its link, on built-in data."""

import pytest

from pruning.experiments.curves import CurveRequest, measure_curves
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

"""Links of Curves."""

import pytest

from pages.curves.link import FIELDS, PRECISIONS, CurvesLink
from pruning.experiments.curve_request import CurveRequest
from pruning.recipe.query import format_query, parse_query
from pruning.recipe.recipe import Recipe
from tests.pages.driver import to_json

TWO = (
    Recipe.one_step("lenet300", "digits"),
    Recipe.one_step("lenet300", "digits", criterion="random"),
)


def recipes_text() -> str:
    """The recipes without spaces, as a link writes them."""
    return to_json(TWO).replace(", ", ",").replace(": ", ":")


def test_a_link_is_written_in_the_order_of_the_table_without_defaults():
    link = CurvesLink(CurveRequest(TWO, points=7, seeds=2), "sparsity", "accuracy", False, False)
    assert list(format_query(FIELDS, link).items()) == [
        ("recipes", recipes_text()),
        ("points", "7"),
        ("seeds", "2"),
    ]


def test_a_link_gives_the_same_values_back():
    request = CurveRequest(TWO, points=0, seeds=2, precision=0.01)
    query = format_query(FIELDS, CurvesLink(request, "macs", "loss", True, True))
    assert query["published"] == "True"
    assert list(query) == [field.name for field in FIELDS]
    assert parse_query(FIELDS, query) == {
        "recipes": TWO,
        "points": 0,
        "seeds": 2,
        "precision": 0.01,
        "x": "macs",
        "y": "loss",
        "published": True,
        "retrained": True,
    }


@pytest.mark.parametrize("precision", [value for value in PRECISIONS.values() if value])
def test_every_precision_can_be_linked(precision):
    assert parse_query(FIELDS, {"precision": str(precision)}) == {"precision": precision}


@pytest.mark.parametrize(
    "query, message",
    [
        ({"recipes": "{"}, "recipes is not JSON"),
        ({"recipes": ""}, "recipes is not JSON"),
        ({"recipes": "[" * 10_000}, "recipes is nested too deeply"),
        ({"recipes": "5"}, "recipes must be a list"),
        ({"recipes": "[null]"}, "a recipe is an object"),
        ({"points": "nan"}, "points must be a whole number, not 'nan'"),
        ({"points": "51"}, "points must be from 2 to 50"),
        ({"seeds": "x"}, "seeds must be a whole number"),
        ({"seeds": "11"}, "seeds must be from 1 to 10"),
        ({"precision": "x"}, "precision must be a number"),
        ({"precision": "nan"}, "precision must be one of 0.005, 0.01, 0.02, not nan"),
        ({"x": "speed"}, "x must be one of sparsity, compression, macs, not 'speed'"),
        ({"y": ""}, "y must be one of accuracy, loss, not ''"),
        ({"published": "yes"}, "published must be one of True, False, not 'yes'"),
    ],
)
def test_bad_links_are_refused(query, message):
    with pytest.raises(ValueError, match=message):
        parse_query(FIELDS, query)

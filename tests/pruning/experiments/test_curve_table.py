"""Curves as a table and as JSON."""

import json

from pruning.experiments.curve_request import COMPRESSION_RATIOS, CurveRequest
from pruning.experiments.curve_table import curves_table, curves_to_dict
from pruning.experiments.curves import measure_curves
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_from_dict

one_step = Recipe.one_step
TWO = (one_step("lenet300", "digits"), one_step("lenet300", "digits", criterion="random"))


def test_table_and_file_have_every_number():
    request = CurveRequest(TWO, points=3, seeds=2)
    curves = measure_curves(request)
    table = curves_table(curves)
    assert len(table) == 9
    numbers = {"sparsity", "effective_parameters", "accuracy", "loss", "images"}
    assert {"name", "seed", "value"} | numbers <= set(table.columns)
    content = json.loads(json.dumps(curves_to_dict(request, curves), allow_nan=False))
    assert [len(curve["runs"]) for curve in content["curves"]] == [1, 2]
    assert content["curves"][0]["area"] == curves[0].area
    assert recipe_from_dict(content["curves"][1]["runs"][1][2]["recipe"]).seed == 1
    assert (content["points"], content["seeds"], content["precision"]) == (3, 2, None)


def test_ratios_are_listed_in_the_file():
    request = CurveRequest(TWO[:1], points=0)
    assert curves_to_dict(request, [])["points"] == list(COMPRESSION_RATIOS)

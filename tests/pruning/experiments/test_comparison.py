import json

import pytest

from pruning.engine.evaluate import evaluate
from pruning.engine.prune import prune
from pruning.experiments.budgets import Budget
from pruning.experiments.comparison import (
    MAX_COLUMNS,
    ColumnProgress,
    Comparison,
    check_comparable,
    measure_column,
    read_comparison,
    recipe_contents,
    unknown_keys,
)
from pruning.recipe.labels import recipe_label
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_from_dict, recipe_to_dict

one_step = Recipe.one_step
THREE = [
    one_step("lenet5-caffe", "digits"),
    one_step("lenet5-caffe", "digits", method="neuron", criterion="random", scope="layer"),
    one_step("lenet5-caffe", "digits", method="filter", scope="layer"),
]
CONTENT = [recipe_to_dict(recipe) for recipe in THREE]


def test_the_budget_own_leaves_the_recipes_alone():
    comparison = Comparison.of(THREE, Budget("own"))
    assert [column.recipe for column in comparison.columns] == THREE
    table = comparison.table()
    accuracies = [evaluation.accuracy.value for evaluation in evaluate(THREE)]
    assert list(table["accuracy"]) == accuracies
    assert list(table["name"]) == [recipe_label(recipe) for recipe in THREE]
    assert list(table["column"]) == [1, 2, 3] and (table["problem"] == "").all()


def test_the_table_has_the_effective_costs():
    comparison = Comparison.of(THREE, Budget("macs", 0.5))
    for column, row in zip(comparison.columns, comparison.table().itertuples(), strict=True):
        effective = prune(column.recipe).effective
        assert row.effective_macs == effective.macs == pytest.approx(0.5 * 2_293_000, rel=0.03)
        assert row.effective_parameters == effective.parameters
        assert row.effective_compression == 431_080 / effective.parameters
        assert row.theoretical_speed_up == 2_293_000 / effective.macs
        assert row.value == column.recipe.last_step.value


def test_values_of_all_columns_have_one_type():
    pattern = one_step("lenet5-caffe", "digits", rule="n_m", value="2:4")
    values = list(Comparison.of([THREE[0], pattern], Budget("own")).table()["value"])
    assert values == ["0.5", "2:4"]


def test_a_comparison_reads_what_it_writes():
    comparison = Comparison.of(THREE, Budget("macs", 0.5))
    content = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert content["budget"] == {"kind": "macs", "share": 0.5}
    assert (content["dense"]["parameters"], content["dense"]["macs"]) == (431_080, 2_293_000)
    recipes, budget = read_comparison(content)
    assert recipes == [column.recipe for column in comparison.columns]
    assert budget == comparison.budget
    for column in content["columns"]:
        [evaluation] = evaluate([recipe_from_dict(column["recipe"])])
        assert column["accuracy"] == evaluation.accuracy.value
    assert read_comparison(CONTENT) == (THREE, Budget("own"))


def test_unknown_keys_are_those_of_the_outermost_object():
    columns = [{"recipe": CONTENT[0], "remark": "mine"}]
    content = {"budgets": {}, "budget": {"kind": "own"}, "columns": columns, "by": "me"}
    assert unknown_keys(content) == ["budgets", "by"]
    assert unknown_keys(Comparison.of(THREE, Budget("own")).to_dict()) == []
    assert unknown_keys(CONTENT) == []
    assert recipe_contents(content) == CONTENT[:1]
    assert recipe_contents(CONTENT) == CONTENT


def test_text_names_every_recipe_and_problem():
    blocks = one_step("resnet20", "digits", method="layer", max_test_images=50)
    comparison = Comparison.of([blocks], Budget("macs", 0.97))
    text = comparison.to_text()
    assert "Layers by Magnitude" in text and text.splitlines()[-1].startswith("Layers by")
    assert comparison.columns[0].problem in text


def test_a_column_is_scored_matched_and_evaluated():
    progress: list[ColumnProgress] = []
    budget = Budget("parameters", 0.3)
    column = measure_column(THREE[2], budget, progress.append)
    shares = [one.share for one in progress]
    assert shares == sorted(shares) and column.share == 1
    [evaluation] = Comparison.of(THREE[2:], budget).evaluations
    assert column.evaluation == evaluation and evaluation.recipe == column.matched.recipe
    assert progress[-1].matched == column.matched and progress[0].matched is None


@pytest.mark.parametrize(
    "recipes, message",
    [
        ([], "there is nothing to compare"),
        ([THREE[0], one_step("lenet5", "digits")], "only recipes of one network and one dataset"),
        ([THREE[0], one_step("lenet5-caffe", "mnist")], "lenet5-caffe on mnist"),
    ],
)
def test_recipes_that_cannot_be_compared(recipes, message):
    with pytest.raises(ValueError, match=message):
        check_comparable(recipes)
    with pytest.raises(ValueError, match=message):
        Comparison.of(recipes, Budget("own"))


@pytest.mark.parametrize(
    "content, message",
    [
        ({"budget": 5, "columns": []}, "a budget is an object with kind"),
        ({"budget": None, "columns": []}, "a budget is an object with kind"),
        ({"budget": {"kind": "macs", "share": "0.5"}}, "macs must be between 0 and 1"),
        ({"columns": 5}, "columns must be a list"),
        ({"columns": {}}, "columns must be a list"),
        ({}, "columns must be a list"),
        ({"columns": [None]}, "a column is an object with a recipe"),
        ({"columns": [5]}, "a column is an object with a recipe"),
        ({"columns": [{}]}, "a recipe is an object"),
        ({"columns": [{"recipe": None}]}, "a recipe is an object"),
        ({"columns": [{"recipe": {"value": "0.5"}}]}, "sparsity must be"),
        ({"columns": []}, "a list of 1 to 6 recipes"),
        ([], "a list of 1 to 6 recipes"),
        ([None], "a recipe is an object"),
        (None, "a list of 1 to 6 recipes"),
        (5, "a list of 1 to 6 recipes"),
        ("text", "a list of 1 to 6 recipes"),
        (CONTENT[:1] * (MAX_COLUMNS + 1), "a list of 1 to 6 recipes"),
        ([CONTENT[0], {"network": "lenet5", "dataset": "digits"}], "only recipes of one network"),
    ],
)
def test_what_is_no_comparison_is_refused_with_what_is_valid(content, message):
    with pytest.raises(ValueError, match=message) as error:
        read_comparison(content)
    assert "object has no attribute" not in str(error.value) and len(str(error.value)) < 300

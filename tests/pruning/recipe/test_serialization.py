import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pruning.methods.rules import RULES
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import (
    RECIPE_KEYS,
    STEP_KEYS,
    parse_values,
    query_keys,
    recipe_from_dict,
    recipe_from_query,
    recipe_to_dict,
    recipe_to_query,
    step_to_dict,
)
from pruning.recipe.step import Step
from tests.pruning.recipe.strategies import recipes


@pytest.mark.slow
@settings(max_examples=100)
@given(recipe=recipes())
def test_json_and_link_give_the_same_recipe_back(recipe):
    content = json.loads(json.dumps(recipe_to_dict(recipe), allow_nan=False))
    assert recipe_from_dict(content) == recipe
    assert hash(recipe_from_dict(content)) == hash(recipe)
    default = Recipe("resnet56", recipe.dataset, max_test_images=recipe.max_test_images)
    query = recipe_to_query(recipe)
    assert recipe_from_query(query, default) == replace(recipe, draw=0)
    assert set(query) <= query_keys() and all(isinstance(text, str) for text in query.values())


def test_a_recipe_of_one_step_is_one_flat_object():
    recipe = Recipe.one_step("lenet5", "digits", method="filter", variant="l2", value=0.3)
    assert recipe_to_dict(recipe) == {
        "network": "lenet5",
        "dataset": "digits",
        "calibration": 1024,
        "images": None,
        "seed": 0,
        "method": "filter",
        "criterion": "magnitude",
        "measure": "l2",
        "grouping": "inside",
        "scope": "global",
        "rule": "sparsity",
        "value": 0.3,
        "values": {},
        "layers": ["conv1", "conv2", "fc1", "fc2"],
    }


def test_single_layers_are_written_as_before_there_were_subnetworks():
    single = Recipe.one_step("lenet5", "digits", method="layer")
    runs = single.with_last_step(grouping="subnetwork")
    assert single.last_step.grouping == "single"
    assert recipe_to_dict(single)["grouping"] == ""
    assert recipe_to_dict(runs)["grouping"] == "subnetwork"
    assert recipe_from_dict(recipe_to_dict(single) | {"grouping": "single"}) == single
    assert "grouping" not in recipe_to_query(single)
    assert recipe_to_query(runs)["grouping"] == "subnetwork"
    twice = Recipe("lenet5", "digits", (single.last_step, runs.last_step))
    first, second = recipe_to_dict(twice)["steps"]
    assert (first["grouping"], second["grouping"]) == ("", "subnetwork")
    assert recipe_from_dict(recipe_to_dict(twice)) == twice
    earlier = json.loads(recipe_to_query(twice)["earlier"])
    assert "grouping" not in earlier[0]


def test_a_recipe_of_several_steps_has_a_list_of_them():
    recipe = Recipe("lenet5", "digits", (Step(layers=("fc1",)), Step(rule="n_m", value="2:4")))
    content = recipe_to_dict(recipe)
    assert content["steps"] == [step_to_dict(step) for step in recipe.steps]
    assert not set(STEP_KEYS.values()) & set(content)
    assert [step["layers"] for step in content["steps"]] == [["fc1"], None]


def test_missing_fields_take_their_default():
    assert recipe_from_dict({}) == Recipe()
    assert recipe_from_dict({"dataset": "digits", "steps": [{}, {"value": 0.1}]}) == Recipe(
        "lenet5", "digits", (Step(), Step(value=0.1))
    )


def test_a_link_is_in_the_words_of_the_command_line():
    recipe = Recipe.one_step("lenet300", "digits", rule="n_m", value="2:4", layers=("fc1",))
    query = recipe_to_query(recipe)
    assert next(iter(query)) == "n_m"
    assert query == {
        "n_m": "2:4",
        "network": "lenet300",
        "dataset": "digits",
        "method": "weight",
        "criterion": "magnitude",
        "scope": "global",
        "layers": "fc1",
    }


def test_a_link_starts_from_the_default_and_a_method_from_its_own_criterion():
    default = Recipe.one_step("lenet5", "digits", criterion="lamp", value=0.9)
    assert recipe_from_query({}, default) == default
    assert recipe_from_query({"sparsity": "0.2"}, default) == default.with_last_step(value=0.2)
    filters = recipe_from_query({"method": "filter"}, default).last_step
    assert (filters.criterion, filters.scope, filters.value) == ("magnitude", "global", 0.9)
    neurons = recipe_from_query({"method": "neuron"}, default).last_step
    assert neurons.criterion == "activation"
    assert recipe_from_query({"unknown": "x"}, default) == default


def test_every_rule_is_a_key_of_a_link():
    assert set(RULES) < query_keys()


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_a_link_that_is_nested_too_deeply_is_refused(text):
    with pytest.raises(ValueError, match=r"^earlier is nested too deeply$"):
        recipe_from_query({"earlier": text}, Recipe())


@pytest.mark.parametrize(
    "query, message",
    [
        ({"sparsity": "lots"}, "sparsity must be a number, not 'lots'"),
        ({"sparsity": "nan"}, "sparsity must be between 0 and 1"),
        ({"sparsity": "\u0660.\u0665"}, "sparsity must be a number"),
        ({"sparsity": "0.5", "sigma": "1"}, "one rule, not sparsity and sigma"),
        ({"layers": ","}, "no layer chosen"),
        ({"network": "../../etc/passwd"}, "unknown network"),
        ({"method": "neurons"}, "unknown method 'neurons'"),
        ({"seed": "x"}, "seed must be a whole number, not 'x'"),
        ({"seed": "9" * 5000}, "seed must be a"),
        ({"calibration": "1.5"}, "calibration must be a whole number, not '1.5'"),
        ({"values": "conv1=x"}, "the value of conv1 must be a number, not 'x'"),
        ({"earlier": "5"}, "earlier must be a list of steps"),
        ({"earlier": "[5]"}, "a step is an object with fields like method"),
        ({"earlier": "["}, "earlier is not JSON"),
        ({"earlier": '[{"value":NaN}]'}, "earlier is not JSON"),
        ({"earlier": json.dumps([{}] * 6)}, "steps must be a list of 1 to 6 steps"),
    ],
)
def test_bad_links_are_refused_with_what_is_wrong(query, message):
    with pytest.raises(ValueError, match=message) as error:
        recipe_from_query(query, Recipe())
    assert len(str(error.value)) < 200 and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content, message",
    [
        ({"sparsty": 0.5}, "unknown recipe field 'sparsty'"),
        ({"steps": [{"sparsty": 0.5}]}, "unknown step field 'sparsty'"),
        ({"steps": [{}], "value": 0.5}, "unknown recipe field 'value'"),
        ({"x" * 5000: 0.5}, "unknown recipe field"),
        ({"layers": "conv1"}, "layers must be a list of names"),
        ({"layers": [1]}, "layers must be a list of names"),
        ({"values": [1]}, "values must be an object of layers and their values"),
        ({"scope": "custom", "values": {"conv1": None}}, "sparsity must be"),
        ({"measure": 5}, "measure must be text"),
        ({"grouping": ["across"]}, "grouping must be text"),
        ({"method": None}, "unknown method None"),
        ({"method": {}}, "unknown method {}"),
        ({"value": None}, "sparsity must be"),
        ({"value": True}, "sparsity must be"),
        ({"images": "5"}, "images must be"),
        ({"steps": []}, "steps must be a list of 1 to 6 steps"),
        ({"steps": {}}, "steps must be a list"),
        ({"steps": [None]}, "a step is an object"),
        (None, "a recipe is an object"),
        (5, "a recipe is an object"),
        ([], "a recipe is an object"),
    ],
)
def test_bad_files_are_refused_with_what_is_valid(content, message):
    with pytest.raises(ValueError, match=message) as error:
        recipe_from_dict(content)
    assert len(str(error.value)) < 300


def test_parsing_values_of_single_layers():
    assert parse_values("conv1=0.3, fc1=1") == {"conv1": 0.3, "fc1": 1.0}
    assert parse_values("") == {}


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["lenet5", "digits", "filter", "taylor", "layer", "2:4", "conv1", "l2", ""])
    | st.text(max_size=5)
)
KEYS = st.sampled_from([*STEP_KEYS.values(), *RECIPE_KEYS.values(), "steps", "conv1"])
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
TEXTS_OF_PYTHON = (
    *("has no attribute", "not iterable", "invalid literal", "unhashable", "not supported between"),
    *("unexpected keyword", "could not convert", "cannot convert", "not subscriptable"),
)


@pytest.mark.slow
@settings(max_examples=1000)
@given(content=ANY_JSON)
def test_whatever_a_file_holds_is_read_or_refused_in_a_sentence_of_this_project(content):
    try:
        recipe = recipe_from_dict(content)
    except ValueError as error:
        assert not any(text in str(error) for text in TEXTS_OF_PYTHON)
    else:
        assert isinstance(recipe, Recipe)


@pytest.mark.slow
@settings(max_examples=1000)
@given(query=st.dictionaries(st.sampled_from(sorted(query_keys())), st.text(max_size=8)))
def test_whatever_a_link_holds_is_read_or_refused_in_a_sentence_of_this_project(query):
    try:
        recipe = recipe_from_query(query, Recipe())
    except ValueError as error:
        assert not any(text in str(error) for text in TEXTS_OF_PYTHON)
    else:
        assert isinstance(recipe, Recipe)


def test_a_recovery_is_a_part_of_json_and_links_and_absent_without_one():
    recipe = Recipe("lenet5", "digits", recovery=("reconstruct",), calibration=500)
    assert recipe_to_dict(recipe)["recovery"] == ["reconstruct"]
    assert recipe_from_dict(recipe_to_dict(recipe)) == recipe
    query = recipe_to_query(recipe)
    assert query["recovery"] == "reconstruct" and query["calibration"] == "500"
    assert recipe_from_query(query, Recipe()) == recipe
    assert "recovery" not in recipe_to_dict(Recipe())
    assert "recovery" not in recipe_to_query(Recipe())


@pytest.mark.parametrize("recovery", ["reconstruct", 5, [5], {"reconstruct": 1}])
def test_a_recovery_that_is_no_list_of_names_is_refused(recovery):
    with pytest.raises(ValueError, match="recovery must be a list of names"):
        recipe_from_dict({"recovery": recovery})

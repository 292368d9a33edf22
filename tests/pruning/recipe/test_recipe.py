import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pruning.data.datasets import DATASETS
from pruning.methods.criteria import CRITERIA
from pruning.methods.rules import RULES, scopes_for
from pruning.methods.units import METHODS, groups_of
from pruning.models import NETWORKS, layer_names
from pruning.recipe.recipe import Recipe, Step, criteria_for, rules_for, variants_for


@st.composite
def steps(draw, network: str) -> Step:
    method = draw(st.sampled_from(list(METHODS)))
    criterion = draw(st.sampled_from(criteria_for(network, method)))
    rule = draw(st.sampled_from(rules_for(method, criterion)))
    scope = draw(st.sampled_from(scopes_for(rule, method)))
    grouping = draw(st.sampled_from(list(METHODS[method].groupings) or [""]))
    measure = draw(st.sampled_from(variants_for(method, criterion) or [""]))
    names = list(groups_of(network, method, grouping))
    value = draw(
        st.sampled_from(RULES[rule].patterns)
        if RULES[rule].patterns
        else st.floats(RULES[rule].min_value if RULES[rule].min_value > 0 else 0, 1)
    )
    values = (
        draw(st.dictionaries(st.sampled_from(names), st.floats(1, 1))) if scope == "custom" else {}
    )
    layers = draw(st.none() | st.lists(st.sampled_from(names), min_size=1).map(tuple))
    return Step(
        method=method,
        criterion=criterion,
        measure=measure,
        grouping=grouping,
        scope=scope,
        rule=rule,
        value=value,
        values=tuple(values.items()),
        layers=layers,
    )


@st.composite
def recipes(draw) -> Recipe:
    network = draw(st.sampled_from(list(NETWORKS)))
    recipe = Recipe(
        network,
        draw(st.sampled_from(list(DATASETS))),
        images=draw(st.none() | st.integers(1, 360)),
        calibration=draw(st.integers(1, 1150)),
        seed=draw(st.integers(0, 2**32 - 1)),
    )
    return recipe.with_steps(tuple(draw(st.lists(steps(network), min_size=1, max_size=3))))


@settings(max_examples=200)
@given(recipe=recipes())
def test_json_and_link_give_the_same_recipe_back(recipe):
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    from_link = Recipe.from_query(
        recipe.to_query(), Recipe("resnet56", recipe.dataset, images=recipe.images)
    )
    assert from_link == recipe
    assert hash(Recipe.from_dict(recipe.to_dict())) == hash(recipe)


def test_results_are_remembered_without_what_makes_no_difference():
    assert Recipe(seed=1).key == Recipe(seed=2).key
    assert Recipe(rule="sigma", scope="layer").key == Recipe(rule="sigma").key
    assert (
        Recipe(scope="layer").key != Recipe(scope="global").key
        and Recipe(value=0.1).key != Recipe(value=0.2).key
    )


def test_steps_are_a_list():
    one = Recipe(value=0.3)
    assert one.steps == (one.step,) and one.before is None
    two = one.with_steps((Step(method="filter", value=0.2), one.step))
    assert two.before == Recipe(method="filter", value=0.2) and two.step == one.step and two != one
    assert two.with_steps(two.steps) == two and two.with_steps(two.steps[::-1]).value == 0.2
    assert two.scoring == two.with_steps((two.earlier[0], Step(value=0.9))).scoring != one.scoring


def test_a_pattern_is_written_one_way():
    assert Recipe(rule="n_m", value="02:04") == Recipe(rule="n_m", value="2:4")


def test_a_link_that_nests_without_end_is_refused():
    with pytest.raises(ValueError, match="cannot be read"):
        Recipe.from_query({"earlier": "[" * 100_000}, Recipe())


def test_layers_are_kept_in_network_order_and_all_of_them_is_none():
    assert Recipe(layers=("fc3", "conv1")) == Recipe(layers=("conv1", "fc3"))
    assert Recipe(layers=("fc3", "conv1")).layers == ("conv1", "fc3")
    assert Recipe(layers=layer_names("lenet5")) == Recipe(layers=None)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"network": "vgg"}, "unknown network 'vgg': choose from lenet300"),
        ({"network": "__class__"}, "unknown network"),
        ({"dataset": "svhn"}, "unknown dataset 'svhn': choose from digits"),
        ({"method": "neurons"}, "unknown method 'neurons': choose from weight"),
        ({"criterion": "l3"}, "unknown criterion 'l3': choose from magnitude"),
        ({"scope": "all"}, "unknown scope 'all': choose from global, layer"),
        ({"rule": "top"}, "unknown rule 'top': choose from sparsity, threshold"),
        ({"value": 1.5}, "sparsity must be between 0 and 1, not 1.5"),
        ({"value": float("nan")}, "sparsity must be between 0 and 1, not nan"),
        ({"value": -0.1}, "not -0.1"),
        ({"value": "0.5"}, "sparsity must be"),
        ({"rule": "sigma", "value": -1}, "sigma must be a number, 0 or more, not -1"),
        ({"rule": "n_m"}, "n_m must be like 2:4"),
        (
            {"method": "filter", "layers": ("fc3",)},
            "unknown layer 'fc3' of lenet5: choose from conv1, conv2, fc1, fc2",
        ),
        (
            {"method": "neuron"},
            "criterion 'magnitude' does not score neurons: choose from activation",
        ),
        ({"scope": "erk", "rule": "threshold"}, "scope 'erk' does not go with rule 'threshold'"),
        ({"earlier": (Step(method="neuron"),)}, "does not score neurons"),
        ({"calibration": 10_001}, "calibration must be a whole number from 1 to 10000"),
        ({"rule": "threshold", "value": 10**400}, "threshold must be a number"),
        ({"earlier": (Step(),) * 6}, "a recipe has at most 6 steps, not 7"),
        ({"layers": ()}, "no layer chosen: choose from conv1"),
        ({"layers": ("conv9",)}, "unknown layer 'conv9' of lenet5: choose from conv1"),
        ({"images": 0}, "images must be a whole number from 1 to 10000, not 0"),
        ({"images": 10_001}, "images must be"),
        ({"images": True}, "images must be"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_bad_input_says_what_is_valid(fields, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**fields)


@pytest.mark.parametrize(
    "query, message",
    [
        ({"sparsity": "lots"}, "sparsity must be a number, not 'lots'"),
        ({"sparsity": "nan"}, "sparsity must be between 0 and 1"),
        ({"sparsity": "0.5", "sigma": "1"}, "one rule, not sparsity and sigma"),
        ({"layers": ","}, "no layer chosen"),
        ({"network": "../../etc/passwd"}, "unknown network"),
        ({"seed": "x"}, "seed must be a number"),
    ],
)
def test_bad_links_say_what_is_wrong(query, message):
    with pytest.raises(ValueError, match=message):
        Recipe.from_query(query, Recipe())


def test_files_with_unknown_fields_or_shapes_are_refused():
    with pytest.raises(ValueError, match="unknown recipe field 'sparsty'"):
        Recipe.from_dict({"sparsty": 0.5})
    with pytest.raises(ValueError, match="layers must be a list of names"):
        Recipe.from_dict({"layers": "conv1"})


def test_every_registered_thing_is_described():
    for registry in (NETWORKS, DATASETS, METHODS, CRITERIA, RULES):
        for name, entry in registry.items():
            assert entry.name == name and entry.label
    for entry in (*CRITERIA.values(), *RULES.values()):
        assert entry.formula and entry.help.endswith(".") and entry.source
    assert all(set(c.applies_to) <= set(METHODS) for c in CRITERIA.values())

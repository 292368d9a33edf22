"""Architectures as JSON: networks come back, everything else is refused by a sentence."""

import copy
import json
import random
from collections import OrderedDict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pruning.models import NETWORKS, build
from pruning.models.architecture import (
    KINDS,
    SHARED_LIMITS,
    architecture_from_dict,
    architecture_to_dict,
    planned_architecture,
)
from pruning.models.graph import MODULES, UnsupportedNetworkError, translate
from tests.small_network import SmallNetwork


def content_of(model: torch.nn.Module, shape: tuple[int, ...]) -> dict:
    return json.loads(json.dumps(architecture_to_dict(translate(model, shape))))


def check_comes_back(model: torch.nn.Module, shape: tuple[int, ...]) -> None:
    network = translate(model.eval(), shape)
    again = architecture_from_dict(content_of(model, shape))
    assert again.steps == network.steps and again.shape == network.shape
    again.load_state_dict(network.state_dict())
    x = torch.rand(2, *shape)
    assert torch.equal(again(x), network(x))


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_the_registry_come_back(name):
    check_comes_back(build(name, channels=1, size=28), (1, 28, 28))


def test_a_network_of_the_user_comes_back():
    check_comes_back(SmallNetwork(), (1, 8, 8))


def test_every_module_of_a_graph_is_a_kind():
    assert {module.__name__ for module in MODULES} == set(KINDS)


def small() -> dict:
    return content_of(SmallNetwork(), (1, 8, 8))


def changed(path: list, value: object) -> dict:
    content = small()
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return content


REFUSED = [
    ("text", "an architecture is an object with format, shape, steps"),
    ({}, "an architecture is an object"),
    (changed(["format"], "onnx"), 'the format of an architecture is "prunescope network 1"'),
    (changed(["shape"], [1, 8]), "shape is"),
    (changed(["shape"], [1, 8, 10**9]), "shape is"),
    (changed(["steps"], []), "steps is a list of 1 to"),
    (changed(["steps"], [{}] * 3000), "steps is a list of 1 to"),
    (changed(["steps", 0, "name"], "a b"), "the name of step 1 must be letters"),
    (changed(["steps", 0, "name"], "__class__."), "the name of step 1 must be letters"),
    (changed(["steps", 1, "name"], "stem"), "step 2: the name 'stem' is taken"),
    (changed(["steps", 1, "name"], "stem.norm"), "step 2: the name 'stem.norm' is taken"),
    (changed(["steps", 0, "kind"], "LSTM"), "stem: unknown kind 'LSTM': choose from Conv2d"),
    (changed(["steps", 0, "kind"], ["Conv2d"]), "stem: unknown kind"),
    (changed(["steps", 0, "inputs"], ["last"]), "stem: there is no earlier step 'last'"),
    (changed(["steps", 0, "inputs"], ["x", "x"]), "stem: Conv2d has 1 input"),
    (changed(["steps", 0, "settings"], {}), "settings of stem is an object with in_channels"),
    (changed(["steps", 0, "settings", "out_channels"], 10**12), "stem: out_channels cannot be"),
    (changed(["steps", 0, "settings", "out_channels"], "16"), "stem: out_channels cannot be"),
    (changed(["steps", 0, "settings", "bias"], "yes"), "stem: bias cannot be"),
    (changed(["steps", 0, "settings", "groups"], 0), "stem: "),
    (changed(["steps", 0, "settings", "groups"], 3), "stem: in_channels must be divisible"),
    (changed(["steps", 0, "settings", "stride"], [0, 0]), "stem: "),
    (changed(["steps", 0, "settings", "in_channels"], 2), "stem: "),
    (changed(["steps", 0, "settings", "out_channels"], 99_999), "norm: "),
]


@pytest.mark.parametrize("content, message", REFUSED, ids=range(len(REFUSED)))
def test_what_is_refused(content, message):
    with pytest.raises(UnsupportedNetworkError, match=message.replace("(", r"\(")):
        architecture_from_dict(content)


def test_a_size_below_the_limit_is_possible():
    content = changed(["steps", -1, "settings", "out_features"], 99_999)
    assert architecture_from_dict(content).steps[-1].shape == (99_999,)


def test_a_network_of_too_much_work_is_refused():
    settings = {"in_channels": 1, "out_channels": 1, "kernel_size": 3_000, "stride": 1}
    settings |= {"padding": 0, "dilation": 1, "groups": 1, "bias": False}
    conv = {"name": "a", "kind": "Conv2d", "inputs": ["x"], "settings": settings}
    flat = {"name": "b", "kind": "Flatten", "inputs": ["a"], "settings": {}}
    content = {"format": "prunescope network 1", "shape": [1, 6_000, 6_000], "steps": [conv, flat]}
    with pytest.raises(UnsupportedNetworkError, match="multiply-accumulates"):
        architecture_from_dict(content)


def test_a_network_that_is_too_large_is_refused_before_it_is_allocated():
    wide = {"name": "a", "kind": "Linear", "inputs": ["x"]}
    wide["settings"] = {"in_features": 100_000, "out_features": 100_000, "bias": True}
    content = {"format": "prunescope network 1", "shape": [100_000, 1, 1], "steps": [wide]}
    with pytest.raises(UnsupportedNetworkError, match="parameters, more than"):
        architecture_from_dict(content)
    pooled = {"name": "a", "kind": "ReLU", "inputs": ["x"], "settings": {}}
    content = {"format": "prunescope network 1", "shape": [100, 10_000, 10_000], "steps": [pooled]}
    with pytest.raises(UnsupportedNetworkError, match="values for an image"):
        architecture_from_dict(content)


VALUES = st.one_of(
    *(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=9)),
    *(
        st.lists(st.integers(-9, 10**6), max_size=4),
        st.dictionaries(st.text(max_size=5), st.none()),
    ),
)


@settings(max_examples=500, deadline=None)
@given(seed=st.integers(0, 2**32), value=VALUES, count=st.integers(1, 3))
def test_broken_architectures_end_with_a_sentence(seed, value, count):
    content = copy.deepcopy(SMALL)
    generator = random.Random(seed)
    for _ in range(count):
        _change_one_place(content, value, generator)
    try:
        network = architecture_from_dict(content)
    except UnsupportedNetworkError as error:
        assert 0 < len(str(error)) < 1000 and "\n" not in str(error)
    else:
        assert network(torch.zeros(1, *network.shape)).ndim == 2


SMALL = small()


def _change_one_place(place: object, value: object, generator: random.Random) -> None:
    """Replace, remove or repeat a random part of nested objects and lists."""
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return
        key = generator.choice(keys)
        inner = place[key]
        if isinstance(inner, dict | list) and inner and generator.random() < 0.8:
            place = inner
            continue
        if generator.random() < 0.3:
            del place[key]
        else:
            place[key] = value
        return


def test_operations_beside_layers_are_counted():
    pools = [nn.AvgPool2d(29, 1, 14) for _ in range(4)]
    model = nn.Sequential(nn.Conv2d(1, 1, 1), *pools, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    content = architecture_to_dict(translate(model, (1, 28, 28)))
    planned_architecture(content, SHARED_LIMITS)
    content["steps"][0]["settings"]["out_channels"] = 500
    with pytest.raises(UnsupportedNetworkError, match="more than 1,000,000,000 multiply"):
        planned_architecture(content, SHARED_LIMITS)


@pytest.mark.parametrize("name", ["input_shapes", "_insert", "peak_values", "forward"])
def test_names_of_the_class_are_taken(name):
    model = nn.Sequential(OrderedDict([("a", nn.Flatten()), ("b", nn.Linear(4, 2))]))
    content = architecture_to_dict(translate(model, (1, 2, 2)))
    content["steps"][0]["name"] = name
    content["steps"][1]["inputs"] = [name]
    with pytest.raises(UnsupportedNetworkError, match="is taken"):
        planned_architecture(content)

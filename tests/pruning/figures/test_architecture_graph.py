"""The drawing of an architecture: a node for each step, an edge for each input."""

import re

import pytest
import torchvision

from pruning.figures.architecture_graph import MAX_DRAWN, architecture_graph
from pruning.models.architecture import architecture_to_dict, planned_architecture
from pruning.models.graph import translate
from tests.small_network import SmallNetwork

EDGE = re.compile(r'^"([^"]+)" -> "([^"]+)"$', re.MULTILINE)


@pytest.fixture
def network():
    content = architecture_to_dict(translate(SmallNetwork(), (1, 8, 8)))
    return planned_architecture(content)


def test_every_input_is_an_edge(network):
    expected = set()
    for step in network.steps:
        for source in step.inputs:
            expected.add((source, step.name))
    assert set(EDGE.findall(architecture_graph(network))) == expected


def test_a_node_says_what_its_step_is(network):
    text = architecture_graph(network)
    assert "stem\\nConv2d 3x3  16x8x8  144 parameters" in text
    assert "grouped\\nConv2d 3x3, 4 groups" in text
    assert "last\\nLinear  10  330 parameters" in text
    assert text.count("{") == text.count("}") == 1


def test_of_a_long_network_the_first_steps_are_drawn():
    network = translate(torchvision.models.densenet121(num_classes=10), (3, 32, 32))
    names = {name for _, name in EDGE.findall(architecture_graph(network))}
    assert len(names) == MAX_DRAWN < len(network.steps)

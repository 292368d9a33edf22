import gc
import weakref

import pytest
import torch

from pruning.inference.prefix_cache import forward
from pruning.inference.shared_prefix import Logits, PrefixTree, Stage, shared_prefix_tree
from pruning.inference.thread_pool import SuspensionPoint
from pruning.models import build


def adding(number: float, calls: list | None = None):
    """A stage that adds a number."""

    def run(x):
        if calls is not None:
            calls.append(number)
        return x + number

    return Stage(number, lambda: run)


def results(items) -> dict[int, float]:
    return {item.member: float(item.values) for item in items if isinstance(item, Logits)}


def test_members_share_the_stages_in_which_they_agree():
    calls: list[float] = []
    tree = PrefixTree()
    for member, numbers in enumerate([(1, 2, 3), (1, 2, 4), (1, 5, 3), (6, 2, 3), (1, 2, 3)]):
        tree.add(member, [adding(number, calls) for number in numbers])
    assert results(tree.run(torch.zeros(1), range(5))) == {0: 6, 1: 7, 2: 9, 3: 11, 4: 6}
    assert sorted(calls) == sorted([1, 2, 3, 4, 5, 3, 6, 2, 3])


def test_only_branches_of_the_given_members_are_computed_and_made():
    calls: list[float] = []
    tree = PrefixTree()
    tree.add(0, [adding(1, calls), adding(2, calls)])
    tree.add(1, [adding(1, calls), Stage("expensive", lambda: pytest.fail("made"))])
    assert results(tree.run(torch.zeros(1), [0])) == {0: 3}
    assert calls == [1, 2]
    assert list(tree.run(torch.zeros(1), [])) == []


def test_a_member_may_end_where_others_go_on():
    tree = PrefixTree()
    tree.add(0, [adding(1)])
    tree.add(1, [adding(1), adding(2)])
    assert results(tree.run(torch.zeros(1), [0, 1])) == {0: 1, 1: 3}


def test_there_is_a_suspension_point_after_every_stage_but_the_last():
    tree = PrefixTree()
    tree.add(0, [adding(1), adding(2), adding(3)])
    items = list(tree.run(torch.zeros(1), [0]))
    assert [type(item) for item in items] == [SuspensionPoint, SuspensionPoint, Logits]


def test_the_widest_branch_is_last_at_every_node():
    tree = PrefixTree()
    tree.add(0, [adding(1), adding(1)])
    tree.add(1, [adding(1), adding(2)])
    tree.add(2, [adding(1), adding(2)])
    tree.add(3, [adding(2), adding(1)])
    order = [item.member for item in tree.run(torch.zeros(1), range(4)) if isinstance(item, Logits)]
    assert order == [3, 0, 1, 2]


def test_an_intermediate_output_is_released_when_no_later_branch_needs_it():
    """At each stage, the outputs of earlier stages that are held besides its own input."""
    outputs: list[tuple[str, weakref.ref]] = []
    held: dict[str, list[str]] = {}

    def stage(name: str) -> Stage:
        def run(x):
            alive = [other for other, output in outputs if output() is not None]
            held[name] = alive
            y = x + 1
            outputs.append((name, weakref.ref(y)))
            return y

        return Stage(name, lambda: run)

    tree = PrefixTree()
    tree.add(0, [stage("a"), stage("a1"), stage("a11"), stage("a111")])
    tree.add(1, [stage("a"), stage("a2"), stage("a21"), stage("a211")])
    tree.add(2, [stage("a"), stage("a2"), stage("a21"), stage("a212")])
    gc.disable()  # references alone decide
    try:
        for item in tree.run(torch.zeros(4), range(3)):
            del item
    finally:
        gc.enable()
    assert held == {
        "a": [],
        "a1": ["a"],
        "a11": ["a", "a1"],  # "a" for "a2", and its own input
        "a111": ["a", "a11"],
        "a2": ["a"],
        "a21": ["a2"],  # the last branch of "a" has been computed
        "a211": ["a21"],
        "a212": ["a21"],
    }


@pytest.mark.parametrize("name", ["lenet300", "lenet5", "resnet20"])
def test_the_tree_of_a_network_computes_what_each_forward_pass_computes(name):
    model = build(name, channels=1, size=28).eval().requires_grad_(False)
    weights = [key for key, value in model.named_parameters() if value.ndim > 1]
    many = [
        {},
        {weights[-1]: model.get_parameter(weights[-1]) * 0.5},
        {weights[0]: model.get_parameter(weights[0]) * 0.5},
        {"input": (torch.rand(1, 28, 28) < 0.5).float()},
        {},
    ]
    batch = torch.randint(256, (6, 1, 28, 28), dtype=torch.uint8)
    tree = shared_prefix_tree(model, many, lambda x: x.float() / 255)
    logits = [item for item in tree.run(batch, range(5)) if isinstance(item, Logits)]
    assert sorted(item.member for item in logits) == list(range(5))
    for item in logits:
        expected = forward(model, many[item.member])(batch.float() / 255)
        assert torch.equal(item.values, expected)

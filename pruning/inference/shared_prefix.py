"""Several variants of a network for the same batch: what they have in common is computed once.

The forward passes of the variants form a prefix tree. Each node is a stage, and variants that
agree on all stages up to a node share it.
"""

import hashlib
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import nn

from pruning.inference.fusion import Operation, fuse
from pruning.inference.prefix_cache import compose, input_mask, tensor_bytes
from pruning.inference.thread_pool import SuspensionPoint


@dataclass(frozen=True)
class Logits:
    """The output of one member for one batch.

    Attributes
    ----------
    member : int
        Index of the member.
    values : torch.Tensor
        (N, classes).
    """

    member: int
    values: torch.Tensor


@dataclass(frozen=True)
class Stage:
    """A step of one member's forward pass.

    Parameters
    ----------
    content : hashable
        Equal for stages that compute the same, among those at the same depth.
    make : callable
        Makes the operation, when it is first needed.
    """

    content: Hashable
    make: Callable[[], Operation]


class _Node:
    """A stage: all ``members`` pass through it, and it is the last one of those in ``ending``."""

    def __init__(self, make: Callable[[], Operation]):
        self._make = make
        self.members: set[int] = set()
        self.ending: list[int] = []
        self.children: dict[Hashable, _Node] = {}

    @cached_property
    def operation(self) -> Operation:
        """Made when first needed: making all operations at once would block for seconds."""
        return self._make()

    def children_of(self, members: Collection[int]) -> list["_Node"]:
        """Branches that lead to any of these members, those with most members last."""
        branches = [node for node in self.children.values() if not node.members.isdisjoint(members)]
        return sorted(branches, key=lambda node: len(node.members))


@dataclass(frozen=True)
class _Pending:
    """A node that is still to be computed, and its input."""

    node: _Node
    values: torch.Tensor


class PrefixTree:
    """Forward passes of several members, merged where their first stages are equal."""

    def __init__(self) -> None:
        self._root = _Node(partial(compose, []))

    def add(self, member: int, stages: Sequence[Stage]) -> None:
        """Add the forward pass of a member.

        Parameters
        ----------
        member : int
            Its number, which no other member has.
        stages : sequence of Stage
            All stages, in order. The first member with a stage provides its operation.
        """
        node = self._root
        for stage in stages:
            node = node.children.setdefault(stage.content, _Node(stage.make))
            node.members.add(member)
        node.ending.append(member)

    def run(
        self, batch: torch.Tensor, members: Collection[int]
    ) -> Iterator[Logits | SuspensionPoint]:
        """Compute the outputs of some members for a batch.

        The traversal is depth-first with the widest branch last, and an intermediate output is
        released once the last branch that needs it has been computed, so that few are in memory
        at a time.

        Parameters
        ----------
        batch : torch.Tensor
            The input of the first stage.
        members : collection of int
            Only branches with one of these are computed.

        Yields
        ------
        Logits or SuspensionPoint
            The output of each of the members, once, in the order of the traversal, and a
            suspension point after every stage that is not the last.
        """
        members = frozenset(members)
        branches = self._root.children_of(members)
        stack = [_Pending(node, batch) for node in reversed(branches)]
        del batch
        while stack:
            pending = stack.pop()
            node = pending.node
            values = node.operation(pending.values)
            del pending  # releases its input, unless another branch on the stack needs it
            for member in node.ending:
                if member in members:
                    yield Logits(member, values)
            branches = node.children_of(members)
            if branches:
                yield SuspensionPoint()
            stack.extend(_Pending(branch, values) for branch in reversed(branches))
            del values


def shared_prefix_tree(
    model: nn.Module, replacements: Sequence[Mapping[str, torch.Tensor]], prepare: Operation
) -> PrefixTree:
    """Make the tree of the forward passes of a network with different replacements.

    Parameters
    ----------
    model : nn.Module
        A network of named stages. It is not modified.
    replacements : sequence of mappings from str to torch.Tensor
        For each member, replacements of parameters and buffers, by name, and the mask ``input``.
    prepare : callable
        Normalises a batch.

    Returns
    -------
    PrefixTree
        Its members are the indices of ``replacements``; replacements are compared by content.
    """
    tree = PrefixTree()
    for member, parameters in enumerate(replacements):
        mask = {"input": parameters["input"]} if "input" in parameters else {}
        stages = [
            Stage(b"", lambda: prepare),
            Stage(_content_digest(mask), partial(compose, input_mask(parameters))),
        ]
        for part in fuse(model, parameters):
            stages.append(Stage(_content_digest(part.replacements), part.operation))
        tree.add(member, stages)
    return tree


def _content_digest(replacements: Mapping[str, torch.Tensor]) -> bytes:
    """Digest of names and numbers; empty if there are no replacements."""
    if not replacements:
        return b""
    digest = hashlib.sha256()
    for name, value in replacements.items():
        digest.update(name.encode())
        digest.update(tensor_bytes(value))
    return digest.digest()

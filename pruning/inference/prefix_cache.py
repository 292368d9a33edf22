"""A network with some parameters replaced, as a fast function. The shared network stays as it is, at every moment."""

import hashlib
import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial, reduce

import torch
from cachetools import LRUCache
from torch import nn

from pruning.inference.fusion import Part, Step, parts
from pruning.runtime.errors import PrunescopeError

_lock = threading.Lock()


@cache
def memory() -> LRUCache:
    """Outputs that may be used again, at most ``PRUNESCOPE_REUSE_MB`` megabytes (200).

    Raises
    ------
    PrunescopeError : that is no whole number.
    """
    asked = os.environ.get("PRUNESCOPE_REUSE_MB", "200")
    if not asked.isascii() or not asked.isdigit():
        raise PrunescopeError(
            f"PRUNESCOPE_REUSE_MB must be a whole number of megabytes such as 200, not {asked!r}"
        )
    return LRUCache(1_000_000 * int(asked), getsizeof=lambda entry: entry[1].nbytes)


def forward(model: nn.Sequential, parameters: Mapping[str, torch.Tensor]) -> Step:
    """The network, in eval mode, with some ``parameters`` replaced by name: images (N, C, H, W) to logits, up to rounding.

    ``input``, if there, is no parameter but multiplies the images.
    """
    return _chain([*_masked(parameters), *(part.step() for part in parts(model, parameters))])


def cached_prefix_forward(
    model: nn.Sequential, parameters: Mapping[str, torch.Tensor], prepare: Step, images: int
) -> Step:
    """`prepare`, then `forward`, for batches of the same ``images`` that come again with other parameters.

    The output of the last step that the replacements leave untouched is remembered; where they touch the first one, and it
    is a convolution, its output: its few weights are large, so most slider moves leave them alone, and it takes half of a
    LeNet-5's time. Either is known by all that it depends on, by content. Batches must be views of one tensor that is never
    written to.
    """
    found = parts(model, parameters)
    prepare = _chain([prepare, *_masked(parameters)])
    touched = [bool(part.own) for part in found]
    untouched = touched.index(True) if True in touched else len(found) - 1
    convolution = isinstance(next(model.children()), nn.Conv2d)
    count = untouched if untouched and "input" not in parameters else 1 if convolution else 0
    begin, rest = (
        _chain([prepare, *(part.step() for part in found[:count])]),
        [part.step() for part in found[count:]],
    )
    if not count:
        return _chain([begin, *rest])
    known_by, known = _content(found[:count], parameters.get("input")), memory()

    def step(batch: torch.Tensor) -> torch.Tensor:
        key = (known_by, batch.data_ptr(), batch.shape)
        with _lock:
            entry = known.get(key)
        if entry is None:
            # The entry holds the batch: while its address is a key, its memory cannot become another tensor's.
            entry = (batch, begin(batch))
            if entry[1].nbytes / len(batch) * images <= 0.6 * known.maxsize:
                with _lock:
                    known[key] = entry
        return entry[1]

    return _chain([step, *rest])


def _content(begin: Sequence[Part], pixels: torch.Tensor | None) -> bytes:
    """What the output of the first steps depends on: their stages, and all their numbers."""
    found = hashlib.sha256()
    for part in begin:
        for name, stage in part.stages.items():
            found.update(str(stage).encode())
            for key, value in (
                *stage.named_parameters(prefix=name),
                *stage.named_buffers(prefix=name),
            ):
                found.update(
                    key.encode() + part.own.get(key, value).detach().contiguous().numpy().tobytes()
                )
    if pixels is not None:
        found.update(pixels.contiguous().numpy().tobytes())
    return found.digest()


@dataclass(frozen=True, eq=False)
class _Node:
    """A step that several ``members`` share, what follows it, and who of them ends here."""

    make: Callable[[], Step]
    following: tuple["_Node", ...]
    ends: tuple[int, ...]
    members: frozenset[int]

    @cached_property
    def step(self) -> Step:
        """Made when it is first needed: all of them at once would take seconds, in which nobody else has a turn."""
        return self.make()


Many = Callable[[torch.Tensor, Collection[int]], Iterator[tuple[int, torch.Tensor] | None]]


def shared_prefix_forward(
    model: nn.Sequential, many: Sequence[Mapping[str, torch.Tensor]], prepare: Step
) -> Many:
    """`prepare`, then `forward` with each of ``many`` replacements: of a batch, and of those of them that are asked for,
    (which one, logits) as they come, and None behind each step before.

    Replacements that agree up to some stage share the computation up to there. The tree that this makes is walked in
    depth, the widest branch last, so that few outputs are held at a time.
    """
    chains = []
    for parameters in many:
        pixels = {"input": parameters["input"]} if "input" in parameters else {}
        steps = [
            ({}, lambda: prepare),
            (pixels, partial(_chain, _masked(parameters))),
            *((part.own, part.step) for part in parts(model, parameters)),
        ]
        chains.append([(_digest(own), step) for own, step in steps])
    roots = _grown(chains, list(range(len(many))), 0)

    def walk(
        nodes: tuple[_Node, ...], box: list[torch.Tensor], asked: frozenset[int]
    ) -> Iterator[tuple[int, torch.Tensor] | None]:
        x = box.pop()  # handed over in a box, so that no frame below holds it as well
        nodes = [node for node in nodes if node.members & asked]
        for node in nodes:
            box = [node.step(x)]
            if node is nodes[-1]:
                x = None  # nobody needs it any more
            yield from ((end, box[0]) for end in node.ends if end in asked)
            if node.following:
                yield None
                yield from walk(node.following, box, asked)

    return lambda batch, asked: walk(roots, [batch], frozenset(asked))


def _grown(
    chains: list[list[tuple[bytes, Callable[[], Step]]]], who: list[int], depth: int
) -> tuple[_Node, ...]:
    """The tree of those that agree on all steps before ``depth``."""
    branches: dict[bytes, list[int]] = {}
    for i in who:
        branches.setdefault(chains[i][depth][0], []).append(i)
    nodes = []
    for members in sorted(branches.values(), key=len):
        ends = tuple(i for i in members if depth == len(chains[i]) - 1)
        nodes.append(
            _Node(
                chains[members[0]][depth][1],
                () if ends else _grown(chains, members, depth + 1),
                ends,
                frozenset(members),
            )
        )
    return tuple(nodes)


def _digest(own: Mapping[str, torch.Tensor]) -> bytes:
    """What tells replacements of a stage's parameters from others: their content."""
    found = hashlib.sha256()
    for name, value in own.items():
        found.update(name.encode() + value.detach().contiguous().numpy().tobytes())
    return found.digest() if own else b""


def _chain(steps: list[Step]) -> Step:
    return lambda x: reduce(lambda value, step: step(value), steps, x)


def _masked(parameters: Mapping[str, torch.Tensor]) -> list[Step]:
    return [lambda x: x * parameters["input"]] if "input" in parameters else []

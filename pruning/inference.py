"""A network with some parameters replaced, as a fast function. The shared network stays as it is, at every moment."""

import copy
import hashlib
import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from cachetools import LRUCache
from torch import nn
from torch.nn import functional as F

Step = Callable[[torch.Tensor], torch.Tensor]

REMEMBERED = 1_000_000 * int(os.environ.get("PRUNESCOPE_REUSE_MB", 340))  # bytes of outputs that may be used again
_memory: LRUCache = LRUCache(REMEMBERED, getsizeof=lambda entry: entry[1].nbytes)
_lock = threading.Lock()


def forward(model: nn.Sequential, parameters: Mapping[str, torch.Tensor]) -> Step:
    """The network, in eval mode, with some ``parameters`` replaced by name: images (N, C, H, W) to logits.

    ``input``, if there, is no parameter but multiplies the images.
    A stage whose parameters are replaced is a copy: `torch.func.functional_call` would put the replacements into the
    shared network for the length of the call, where another visitor's thread finds them. The sums are the network's
    own, stage by stage, but a convolution with 2x2 max-pooling behind it is one step: on two cores those two take nine
    tenths of a LeNet-5's time.
    """
    return _chain([*_masked(parameters), *_steps(model, parameters)])


def reusing(model: nn.Sequential, parameters: Mapping[str, torch.Tensor], prepare: Step, images: int) -> Step:
    """`prepare`, then `forward`, for batches of the same ``images`` that come again with other parameters.

    The output of the last step that the replacements leave untouched is remembered; where they touch the first one, and it
    is a convolution, its output: its few weights are large, so most slider moves leave them alone, and it takes half of a
    LeNet-5's time. Either is known by all that it depends on, by content. Batches must be views of one tensor that is never
    written to.
    """
    steps = _told_steps(model, parameters)
    prepare = _chain([prepare, *_masked(parameters)])
    touched = [bool(own) for own, _ in steps]
    first = next(model.children())
    untouched = touched.index(True) if True in touched else len(steps) - 1
    count = untouched if untouched and "input" not in parameters else 1 if isinstance(first, nn.Conv2d) else 0
    begin, rest = _chain([prepare, *(step for _, step in steps[:count])]), [step for _, step in steps[count:]]
    if not count:
        return _chain([begin, *rest])
    known_by = _content(model, parameters, count)

    def step(batch: torch.Tensor) -> torch.Tensor:
        key = (known_by, batch.data_ptr(), batch.shape)
        with _lock:
            entry = _memory.get(key)
        if entry is None:
            # The entry holds the batch: while its address is a key, its memory cannot become another tensor's.
            entry = (batch, begin(batch))
            if entry[1].nbytes / len(batch) * images <= _memory.maxsize / 2:
                with _lock:
                    _memory[key] = entry
        return entry[1]

    return _chain([step, *rest])


def _content(model: nn.Sequential, parameters: Mapping[str, torch.Tensor], count: int) -> bytes:
    """What the output of the first steps depends on: their stages, and all their numbers."""
    stages, steps = list(model.named_children()), 0
    found = hashlib.sha256()
    for (name, stage), (_, before) in zip(stages, [("", None), *stages]):
        steps += not _pools(before, stage)
        if steps > count:
            break
        found.update(str(stage).encode())
        for key, value in (*stage.named_parameters(), *stage.named_buffers()):
            own = parameters.get(f"{name}.{key}", value)
            found.update(key.encode() + own.detach().contiguous().numpy().tobytes())
    if "input" in parameters:
        found.update(parameters["input"].contiguous().numpy().tobytes())
    return found.digest()


@dataclass(frozen=True, eq=False)
class _Node:
    """A step that several ``members`` share, what follows it, and who of them ends here."""

    step: Step
    following: tuple["_Node", ...]
    ends: tuple[int, ...]
    members: frozenset[int]


Many = Callable[[torch.Tensor, Collection[int]], Iterator[tuple[int, torch.Tensor]]]


def together(model: nn.Sequential, many: Sequence[Mapping[str, torch.Tensor]], prepare: Step) -> Many:
    """`prepare`, then `forward` with each of ``many`` replacements: of a batch, and of those of them that are asked for,
    (which one, logits) as they come.

    Replacements that agree up to some stage share the computation up to there. The tree that this makes is walked in
    depth, the widest branch last, so that few outputs are held at a time.
    """
    chains = []
    for parameters in many:
        pixels = {"input": parameters["input"]} if "input" in parameters else {}
        steps = [({}, prepare), (pixels, _chain(_masked(parameters))), *_told_steps(model, parameters)]
        chains.append([(_digest(own), step) for own, step in steps])
    roots = _grown(chains, list(range(len(many))), 0)

    def walk(nodes: tuple[_Node, ...], box: list[torch.Tensor], asked: frozenset[int]) -> Iterator[tuple[int, torch.Tensor]]:
        x = box.pop()  # handed over in a box, so that no frame below holds it as well
        nodes = [node for node in nodes if node.members & asked]
        for node in nodes:
            box = [node.step(x)]
            if node is nodes[-1]:
                x = None  # nobody needs it any more
            yield from ((end, box[0]) for end in node.ends if end in asked)
            if node.following:
                yield from walk(node.following, box, asked)

    return lambda batch, asked: walk(roots, [batch], frozenset(asked))


def _grown(chains: list[list[tuple[bytes, Step]]], who: list[int], depth: int) -> tuple[_Node, ...]:
    """The tree of those that agree on all steps before ``depth``."""
    branches: dict[bytes, list[int]] = {}
    for i in who:
        branches.setdefault(chains[i][depth][0], []).append(i)
    nodes = []
    for members in sorted(branches.values(), key=len):
        ends = tuple(i for i in members if depth == len(chains[i]) - 1)
        nodes.append(_Node(chains[members[0]][depth][1], () if ends else _grown(chains, members, depth + 1), ends, frozenset(members)))
    return tuple(nodes)


def _digest(own: Mapping[str, torch.Tensor]) -> bytes:
    """What tells replacements of a stage's parameters from others: their content."""
    found = hashlib.sha256()
    for name, value in own.items():
        found.update(name.encode() + value.contiguous().numpy().tobytes())
    return found.digest() if own else b""


def _chain(steps: list[Step]) -> Step:
    return lambda x: reduce(lambda value, step: step(value), steps, x)


def _masked(parameters: Mapping[str, torch.Tensor]) -> list[Step]:
    return [lambda x: x * parameters["input"]] if "input" in parameters else []


def _steps(model: nn.Sequential, parameters: Mapping[str, torch.Tensor]) -> list[Step]:
    return [step for _, step in _told_steps(model, parameters)]


def _told_steps(model: nn.Sequential, parameters: Mapping[str, torch.Tensor]) -> list[tuple[Mapping[str, torch.Tensor], Step]]:
    """The network's steps, each with the replacements that are in it."""
    steps: list[tuple[Mapping[str, torch.Tensor], Step]] = []
    stages = list(model.children())
    for (name, stage), before, following in zip(model.named_children(), [None, *stages], [*stages[1:], None]):
        own = {key.removeprefix(f"{name}."): value for key, value in parameters.items() if key.startswith(f"{name}.")}
        if _pools(stage, following):
            steps.append((own, _pooled(stage, own)))
        elif not _pools(before, stage):  # else it is in the step before
            steps.append((own, _replaced(stage, own) if own else stage))
    return steps


def _replaced(stage: nn.Module, own: Mapping[str, torch.Tensor]) -> nn.Module:
    """A copy of the stage that shares all its tensors but the replaced ones."""
    tensors = (*stage.named_parameters(), *stage.named_buffers())
    return copy.deepcopy(stage, {id(tensor): own.get(name, tensor) for name, tensor in tensors})


def _pools(stage: nn.Module | None, following: nn.Module | None) -> bool:
    return (isinstance(stage, nn.Conv2d) and stage.stride == (1, 1) and stage.dilation == (1, 1) and stage.groups == 1
            and stage.padding_mode == "zeros" and isinstance(following, nn.MaxPool2d)
            and following.kernel_size == following.stride == 2 and following.padding == 0)


def _pooled(stage: nn.Conv2d, own: Mapping[str, torch.Tensor]) -> Step:
    """Convolution and 2x2 max-pooling: four convolutions of stride 2, one for each pixel of a pool, and their maximum.

    The kernel, moved by 0 or 1 in each direction, gives four kernels that are one larger; the rest of them is zero.
    """
    weight, bias = own.get("weight", stage.weight).detach(), own.get("bias", stage.bias)
    outputs, inputs, height, width = weight.shape
    moved = weight.new_zeros(2, 2, outputs, inputs, height + 1, width + 1)
    for down in (0, 1):
        for right in (0, 1):
            moved[down, right, :, :, down:down + height, right:right + width] = weight
    moved = moved.flatten(0, 2).contiguous(memory_format=torch.channels_last)  # (4 x outputs, inputs, ...)
    bias = None if bias is None else bias.detach().repeat(4)

    def step(x: torch.Tensor) -> torch.Tensor:
        y = F.conv2d(x, moved, bias, stride=2, padding=stage.padding)  # (N, 4 x outputs, H / 2, W / 2)
        y = torch.maximum(y[:, :2 * outputs], y[:, 2 * outputs:])
        return torch.maximum(y[:, :outputs], y[:, outputs:])

    return step

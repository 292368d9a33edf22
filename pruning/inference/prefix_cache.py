"""The forward pass with replaced parameters, and a cache of what its first stages compute.

A move of the slider replaces the weights of some layers. The stages before them compute the same
for the same images, so their outputs are kept, up to a limit of memory.
"""

import hashlib
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce

import torch
from cachetools import LRUCache
from torch import nn

from pruning.inference.fusion import Operation, Part, fuse
from pruning.runtime.errors import PrunescopeError

MAX_SHARE = 0.6  # of the cache that the outputs of one prefix for all images may take

_lock = threading.Lock()


@dataclass(frozen=True, eq=False)
class _CachedOutput:
    """Output for one batch. The batch is kept alive, because its address is part of the key."""

    batch: torch.Tensor
    values: torch.Tensor

    @property
    def bytes(self) -> int:
        return self.values.nbytes


@cache
def prefix_cache() -> LRUCache:
    """Return the cache of outputs, of at most ``PRUNESCOPE_REUSE_MB`` megabytes (default 200).

    Returns
    -------
    cachetools.LRUCache
        One cache for the whole process; its sizes are in bytes.

    Raises
    ------
    PrunescopeError
        If ``PRUNESCOPE_REUSE_MB`` is not a whole number.
    """
    megabytes = os.environ.get("PRUNESCOPE_REUSE_MB", "200")
    if not megabytes.isascii() or not megabytes.isdigit():
        raise PrunescopeError(
            "PRUNESCOPE_REUSE_MB must be a whole number of megabytes such as 200, "
            f"not {megabytes!r}"
        )
    return LRUCache(1_000_000 * int(megabytes), getsizeof=lambda entry: entry.bytes)


def forward(model: nn.Module, parameters: Mapping[str, torch.Tensor]) -> Operation:
    """Make the forward pass of a network, in eval mode, with some parameters replaced.

    Parameters
    ----------
    model : nn.Module
        A network of named stages. It is not modified.
    parameters : mapping from str to torch.Tensor
        Replacements of parameters and buffers, by name. ``input`` is a mask of the images:
        they are multiplied by it.

    Returns
    -------
    callable
        From normalised images (N, C, H, W) to logits (N, classes), equal to the network's up to
        rounding.
    """
    operations = [part.operation() for part in fuse(model, parameters)]
    return compose([*input_mask(parameters), *operations])


def cached_prefix_forward(
    model: nn.Module,
    parameters: Mapping[str, torch.Tensor],
    prepare: Operation,
    images: int,
) -> Operation:
    """Make a forward pass that keeps the output of its first stages in the cache.

    Parameters
    ----------
    model : nn.Module
        A network of named stages. It is not modified.
    parameters : mapping from str to torch.Tensor
        Replacements of parameters and buffers, by name, and the mask ``input``.
    prepare : callable
        Normalises a batch. The same function in all calls for the same images.
    images : int
        Number of images of all batches; decides whether their outputs fit into the cache.

    Returns
    -------
    callable
        From a batch of images to logits. Batches must be views of one tensor that is never
        modified.

    Raises
    ------
    PrunescopeError
        If ``PRUNESCOPE_REUSE_MB`` is not a whole number.
    """
    parts = fuse(model, parameters)
    count = prefix_length(parts, parameters)
    operations = [part.operation() for part in parts]
    prefix = compose([prepare, *input_mask(parameters), *operations[:count]])
    if count == 0:
        return compose([prefix, *operations])
    content = _content_digest(parts[:count], parameters.get("input"))
    cached_prefix = CachedPrefix(prefix, content, images)
    return compose([cached_prefix.get_or_compute, *operations[count:]])


def prefix_length(parts: Sequence[Part], parameters: Mapping[str, torch.Tensor]) -> int:
    """Count the first parts whose output is cached.

    Parameters
    ----------
    parts : sequence of Part
        All parts of the network.
    parameters : mapping from str to torch.Tensor
        The replacements, and the mask ``input``.

    Returns
    -------
    int
        Number of parts before the first replacement, at most all but the last. If there are none,
        or the images are masked, 1 if the network begins with a convolution, otherwise 0. The
        first convolution takes much of the time, and most masks keep all of its few weights.
    """
    if "input" not in parameters:
        unmodified = _unmodified_parts(parts)
        if unmodified > 0:
            return unmodified
    first_stage = next(iter(parts[0].stages.values()))
    if isinstance(first_stage, nn.Conv2d):
        return 1
    return 0


def _unmodified_parts(parts: Sequence[Part]) -> int:
    for count, part in enumerate(parts):
        if part.replacements:
            return count
    return len(parts) - 1


class CachedPrefix:
    """The outputs of one prefix, held in the cache of the process.

    Parameters
    ----------
    prefix : callable
        The first operations, from a batch of images to their output.
    content : bytes
        Digest of all numbers and modules that the output depends on, besides the batch.
    images : int
        Number of images of all batches.
    """

    def __init__(self, prefix: Operation, content: bytes, images: int):
        self._prefix = prefix
        self._content = content
        self._images = images
        self._cache = prefix_cache()

    def get_or_compute(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the output of the prefix for a batch.

        Parameters
        ----------
        batch : torch.Tensor
            Images (N, C, H, W): a view of a tensor that is never modified.

        Returns
        -------
        torch.Tensor
            The output, from the cache if it is there.
        """
        key = (self._content, batch.data_ptr(), batch.shape)
        with _lock:
            cached = self._cache.get(key)
        if cached is not None:
            return cached.values
        computed = _CachedOutput(batch, self._prefix(batch))
        bytes_of_all_batches = computed.bytes / len(batch) * self._images
        if bytes_of_all_batches <= MAX_SHARE * self._cache.maxsize:
            with _lock:
                self._cache[key] = computed
        return computed.values


def _content_digest(parts: Sequence[Part], mask: torch.Tensor | None) -> bytes:
    """Digest of the modules of a prefix, all their numbers, and the mask of the images."""
    digest = hashlib.sha256()
    for part in parts:
        for name, stage in part.stages.items():
            digest.update(str(stage).encode())
            tensors = [*stage.named_parameters(prefix=name), *stage.named_buffers(prefix=name)]
            for key, tensor in tensors:
                digest.update(key.encode())
                digest.update(tensor_bytes(part.replacements.get(key, tensor)))
    if mask is not None:
        digest.update(tensor_bytes(mask))
    return digest.digest()


def tensor_bytes(tensor: torch.Tensor) -> bytes:
    """Return the numbers of a tensor as bytes, for digests.

    Parameters
    ----------
    tensor : torch.Tensor
        A tensor in main memory, of any shape.

    Returns
    -------
    bytes
        Its numbers in row-major order.
    """
    return tensor.detach().contiguous().numpy().tobytes()


def compose(operations: Sequence[Operation]) -> Operation:
    """Chain operations into one.

    Parameters
    ----------
    operations : sequence of callables
        Each takes the output of the one before.

    Returns
    -------
    callable
        From the input of the first to the output of the last.
    """

    def run(x: torch.Tensor) -> torch.Tensor:
        return reduce(lambda value, operation: operation(value), operations, x)

    return run


def input_mask(parameters: Mapping[str, torch.Tensor]) -> list[Operation]:
    """Return the operation that masks the images, if there is a mask.

    Parameters
    ----------
    parameters : mapping from str to torch.Tensor
        The replacements, and the mask ``input``.

    Returns
    -------
    list of callable
        One operation, or none.
    """
    if "input" not in parameters:
        return []
    mask = parameters["input"]
    return [lambda x: x * mask]

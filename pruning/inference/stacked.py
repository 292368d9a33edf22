"""Many networks at a time on an accelerator.

The parameters of networks that differ in their masks are stacked, and one batched forward pass
(`torch.func.vmap`) computes the logits of all of them for the same images. A GPU then does in one
launch what would be a launch for each network: small networks leave most of it idle.
"""

import copy
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.func import functional_call, vmap

from pruning.cost.memory import peak_memory_bytes
from pruning.data.datasets import Dataset, Images, normalise
from pruning.inference.accuracy import tallies_of
from pruning.inference.classify import BatchTally, Replacements, default_batch_size
from pruning.inference.device import DeviceError

MEMORY_SHARE = 0.25
"""Share of the free memory of a GPU that the activations of a batch may take."""
MOST_BYTES = 8_000_000_000
"""Limit on the activations of a batch; of devices that do not tell their free memory, an eighth."""
INPUT = "input"
_computing = threading.Lock()


class StackedNetworks:
    """Networks that differ in some parameters, on one device.

    Parameters
    ----------
    model : nn.Module
        A network in eval mode. It is not modified.
    replacements : sequence of mappings from str to torch.Tensor
        For each member, replacements of parameters and buffers, by name, and the mask ``input``.
    device : torch.device
        Where they are computed.
    """

    def __init__(
        self, model: nn.Module, replacements: Sequence[Replacements], device: torch.device
    ) -> None:
        own: dict[str, torch.Tensor] = {}
        own |= dict(model.named_parameters(remove_duplicate=False))
        own |= dict(model.named_buffers(remove_duplicate=False))
        replaced = set().union(*replacements)
        self._stacked: dict[str, torch.Tensor] = {}
        self._shared: dict[str, torch.Tensor] = {}
        for name, value in own.items():
            if name in replaced:
                values = [each.get(name, value).detach() for each in replacements]
                self._stacked[name] = torch.stack(values).to(device)
            else:
                self._shared[name] = value.detach().to(device)
        self._masks = _stack_masks(replacements, device)
        # The modules alone: every parameter and buffer is given with each call.
        self._modules = _for_vmap(copy.deepcopy(model).to("meta"))
        self._count = len(replacements)

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the logits of all members.

        Parameters
        ----------
        x : torch.Tensor
            Normalised images (N, channels, height, width) on the device.

        Returns
        -------
        torch.Tensor
            (members, N, classes) on the device.
        """
        if not self._stacked and self._masks is None:  # vmap needs something to map over
            return self._forward({}, None, x).expand(self._count, -1, -1)
        axis_of_masks = None if self._masks is None else 0
        forward = vmap(self._forward, in_dims=(0, axis_of_masks, None))
        return forward(self._stacked, self._masks, x)

    def _forward(
        self, parameters: dict[str, torch.Tensor], mask: torch.Tensor | None, x: torch.Tensor
    ) -> torch.Tensor:
        """The forward pass of one member."""
        masked = x if mask is None else x * mask
        given = (parameters, self._shared)
        return functional_call(self._modules, given, (masked,), tie_weights=False)


class _MeanOfPixels(nn.Module):
    """Average pooling to one pixel, of which PyTorch's own has no batched form."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) to (N, C, 1, 1)."""
        return x.mean((2, 3), keepdim=True)


def _for_vmap(model: nn.Module) -> nn.Module:
    """Replace the modules that vmap would compute one member at a time."""
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size in (1, (1, 1)):
            model.set_submodule(name, _MeanOfPixels())
    return model


def _stack_masks(replacements: Sequence[Replacements], device: torch.device) -> torch.Tensor | None:
    """Masks of the images, (members, 1 or channels, height, width), or None without any."""
    masks = [each[INPUT] for each in replacements if INPUT in each]
    if not masks:
        return None
    everything = torch.ones_like(masks[0])
    return torch.stack([each.get(INPUT, everything) for each in replacements]).to(device)


def classify_stacked(
    model: nn.Module,
    replacements: Sequence[Replacements],
    images: Images,
    dataset: Dataset,
    *,
    device: torch.device,
    skip: Sequence[int],
    is_done: Callable[[int], bool],
    memory: int | None = None,
) -> Generator[BatchTally]:
    """Classify images as `pruning.inference.classify.classify` does, on an accelerator.

    In float32; without TF32, unless ``TORCH_ALLOW_TF32_CUBLAS_OVERRIDE`` is set. Logits equal those
    of the CPU up to rounding, so that an image whose two largest logits are equal up to rounding
    may count differently.

    Parameters
    ----------
    model : nn.Module
        A network in eval mode. It is not modified.
    replacements : sequence of mappings from str to torch.Tensor
        For each member, replacements of parameters and buffers, by name, and the mask ``input``.
    images : Images
        The images and their labels.
    dataset : Dataset
        Gives the mean and standard deviation of the pixels.
    device : torch.device
        Where to compute.
    skip : sequence of int
        For each member, the number of first images to leave out.
    is_done : callable
        Whether a member needs no more images. It must not become False again.
    memory : int, optional
        Bytes of activations of a batch; by default a share of what is free.

    Yields
    ------
    BatchTally
        For each member, the tallies of its batches in order, until it is done.

    Raises
    ------
    DeviceError
        The device has too little memory.
    """
    plan = _BatchPlan(model, images, device, memory)
    members_by_start: dict[int, list[int]] = {}
    for member, count in enumerate(skip):
        members_by_start.setdefault(count, []).append(member)
    try:
        for start, members in members_by_start.items():
            for first in range(0, len(members), plan.most_members):
                chunk = members[first : first + plan.most_members]
                stack = StackedNetworks(model, [replacements[i] for i in chunk], device)
                batch = plan.images_per_batch(len(chunk))
                for tally in _classify_chunk(stack, chunk, images, dataset, device, start, batch):
                    if not is_done(tally.member):
                        yield tally
                    if all(map(is_done, chunk)):
                        break
    except torch.OutOfMemoryError as error:
        raise DeviceError(
            f"the device {device.type} has too little free memory: use --device cpu, or "
            "PRUNESCOPE_DEVICE=cpu"
        ) from error


def _classify_chunk(
    stack: StackedNetworks,
    members: Sequence[int],
    images: Images,
    dataset: Dataset,
    device: torch.device,
    start: int,
    batch: int,
) -> Iterator[BatchTally]:
    """Classify the images from ``start`` on by all networks of a stack."""
    for first in range(start, len(images), batch):
        pixels = images.pixels[first : first + batch].to(device)
        labels = images.labels[first : first + batch].to(device)
        with _without_tf32(), torch.inference_mode():
            logits = stack.logits(normalise(pixels, dataset))
            tallies = tallies_of(logits, labels)
        for member, tally in zip(members, tallies, strict=True):
            yield BatchTally(member, tally)


@contextmanager
def _without_tf32() -> Iterator[None]:
    """Convolutions in float32. The setting is that of the process: one thread at a time."""
    with _computing, torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


class _BatchPlan:
    """How many networks and images fit into memory at a time."""

    def __init__(
        self, model: nn.Module, images: Images, device: torch.device, memory: int | None
    ) -> None:
        channels, size = images.pixels.shape[1], images.pixels.shape[2]
        # Twice: the output of a layer is made beside its input in another layout.
        self._bytes_per_image = 2 * peak_memory_bytes(model, channels, size)
        self._memory = _free_bytes(device) if memory is None else memory
        self._unit = default_batch_size(model)

    @property
    def most_members(self) -> int:
        """Networks that classify the smallest batch together, at least one."""
        return max(1, self._memory // (self._bytes_per_image * self._unit))

    def images_per_batch(self, members: int) -> int:
        """Images at a time: whole batches of the usual size, so that a tally can be continued."""
        batches = self._memory // (self._bytes_per_image * members * self._unit)
        return self._unit * max(1, batches)


def _free_bytes(device: torch.device) -> int:
    if device.type != "cuda":
        return MOST_BYTES // 8
    free, _ = torch.cuda.mem_get_info(device)
    free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return min(MOST_BYTES, int(MEMORY_SHARE * free))

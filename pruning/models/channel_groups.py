"""Which channels hang together: found by watching a network run, with one rule per kind of module and none per network."""

import copy
from dataclasses import dataclass, field
from functools import lru_cache
from weakref import WeakKeyDictionary

import torch
from torch import nn

from pruning.models import build
from pruning.models.resnet import Add


@dataclass(eq=False)
class ChannelGroup:
    """Channels that live or die together, whichever layers write, normalise and read them.

    ``producers`` are the convolutions and linear layers that write them; ``consumers`` read them, each channel as so
    many neighbouring inputs (more than one behind a flatten). ``has_addition``: an addition has joined several producers.
    """

    channels: int
    producers: list[str] = field(default_factory=list)
    norms: list[str] = field(default_factory=list)
    activations: list[str] = field(default_factory=list)
    consumers: list[tuple[str, int]] = field(default_factory=list)
    has_addition: bool = False

    def merge(self, other: "ChannelGroup") -> None:
        for mine, its in (
            (self.producers, other.producers),
            (self.norms, other.norms),
            (self.activations, other.activations),
            (self.consumers, other.consumers),
        ):
            mine.extend(its)


_PASSES = (nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.Identity)


_known: WeakKeyDictionary = WeakKeyDictionary()


def channel_groups(model: nn.Module, channels: int, size: int) -> list[ChannelGroup]:
    """Every space of the network, the image's first, in the order in which they are first written; found once.

    Raises
    ------
    TypeError : a module that no rule covers.
    """
    found = _known.get(model)
    if found is None or found[0] != (channels, size):
        found = _known[model] = ((channels, size), _found(model, channels, size))
    return found[1]


def _found(model: nn.Module, channels: int, size: int) -> list[ChannelGroup]:
    model = copy.deepcopy(model)  # with hooks of its own
    names = {module: name for name, module in model.named_modules()}
    image = torch.zeros(1, channels, size, size, dtype=next(model.parameters()).dtype)
    found = [ChannelGroup(channels)]
    at: dict[int, tuple[ChannelGroup, int]] = {
        id(image): (found[0], 1)
    }  # tensor -> its space, inputs per channel
    rectified: set[int] = set()  # tensors behind a ReLU: another one changes nothing
    alive = [image]  # a tensor that is gone could lend its id to another

    def watch(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        name, (space, spread) = names[module], at[id(inputs[0])]
        if isinstance(module, nn.Conv2d | nn.Linear):
            space.consumers.append((name, spread))
            space, spread = ChannelGroup(output.shape[1], [name]), 1
            found.append(space)
        elif isinstance(module, nn.BatchNorm2d):
            space.norms.append(name)
        elif isinstance(module, nn.ReLU):
            if id(inputs[0]) not in rectified:
                space.activations.append(name)
            rectified.add(id(output))
        elif isinstance(module, nn.Flatten):
            spread *= inputs[0][0, 0].numel()
        elif isinstance(module, Add):
            other, _ = at[id(inputs[1])]
            space, other = sorted((space, other), key=found.index)
            space.has_addition = True
            if other is not space:
                space.merge(other)
                found.remove(other)
                at.update({key: (space, s) for key, (old, s) in at.items() if old is other})
        elif not isinstance(module, _PASSES):
            raise TypeError(f"no rule says what {type(module).__name__} does to channels")
        if isinstance(module, (*_PASSES, nn.Flatten)) and id(inputs[0]) in rectified:
            rectified.add(id(output))
        at[id(output)] = (space, spread)
        alive.append(output)

    hooks = [
        module.register_forward_hook(watch)
        for module in model.modules()
        if not list(module.children())
    ]
    with torch.no_grad():
        model.eval()(image)
    for hook in hooks:
        hook.remove()
    return found


@lru_cache
def has_norms(network: str) -> bool:
    """Whether every convolution of a network has a batch norm behind it."""
    modules = list(build(network, channels=1, size=28).modules())
    return (
        sum(isinstance(m, nn.Conv2d) for m in modules)
        == sum(isinstance(m, nn.BatchNorm2d) for m in modules)
        > 0
    )

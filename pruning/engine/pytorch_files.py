"""A network as files that plain PyTorch loads, without this package."""

import json
from pathlib import Path

from safetensors.torch import save_file
from torch import nn

from pruning.models.architecture import architecture_to_dict
from pruning.models.channel_groups import network_graph
from pruning.models.graph_network import GraphNetwork
from pruning.runtime.atomic_write import atomic_write

LOADER = '''"""Load the network of this folder: needs PyTorch and safetensors only."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

FOLDER = Path(__file__).parent
PLAN = json.loads((FOLDER / "network.json").read_text())
STATE = load_file(FOLDER / "network.safetensors")
OTHER_KINDS = {
    "Add": lambda name, s: torch.add,
    "Multiply": lambda name, s: torch.mul,
    "Concatenate": lambda name, s: lambda *parts: torch.cat(parts, 1),
    "SliceChannels": lambda name, s: lambda x: x[:, s["start"] : s["stop"]],
    "SelectChannels": lambda name, s: lambda x: x[:, s["indices"]],
    "MaskPixels": lambda name, s: lambda x: x * STATE[f"{name}.mask"],
}


def module(name, kind, settings):
    if kind in OTHER_KINDS:
        return OTHER_KINDS[kind](name, settings)
    layer = getattr(torch.nn, kind)(**settings).eval()
    prefix = f"{name}."
    own = {key.removeprefix(prefix): STATE[key] for key in STATE if key.startswith(prefix)}
    layer.load_state_dict(own)
    return layer


STEPS = PLAN["steps"]
MODULES = {step["name"]: module(step["name"], step["kind"], step["settings"]) for step in STEPS}


def network(x):
    """Logits of normalised images (N, channels, height, width)."""
    results = {"x": x}
    for step in STEPS:
        inputs = [results[name] for name in step["inputs"]]
        results[step["name"]] = MODULES[step["name"]](*inputs)
    return results[STEPS[-1]["name"]]
'''
"""Source of the program beside the files."""


def save_for_pytorch(model: nn.Module, shape: tuple[int, int, int], folder: Path) -> None:
    """Write a network so that PyTorch can load it without this package.

    Parameters
    ----------
    model : nn.Module
        Any network that `graph.translate` accepts.
    shape : tuple of int
        Shape of the images, (channels, height, width).
    folder : Path
        Exists. ``network.json`` is the architecture, ``network.safetensors`` the weights, and
        ``load.py`` defines ``network``, a function from normalised images to logits.
    """
    channels, size, _ = shape
    graph = model
    if not isinstance(graph, GraphNetwork):
        graph = network_graph(model, channels, size).network
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    with atomic_write(folder / "network.safetensors") as temporary:
        save_file(state, temporary)
    with atomic_write(folder / "network.json") as temporary:
        temporary.write_text(json.dumps(architecture_to_dict(graph), indent=1) + "\n")
    with atomic_write(folder / "load.py") as temporary:
        temporary.write_text(LOADER)

"""A network as files that plain PyTorch loads, without this package."""

import json
from pathlib import Path

from safetensors.torch import save_file
from torch import nn

from pruning.models.architecture import architecture_to_dict
from pruning.models.channel_groups import network_graph
from pruning.models.graph_network import GraphNetwork
from pruning.runtime.atomic_write import atomic_write
from pruning.runtime.installation import ASSETS

LOADER = ASSETS / "export" / "load.py"
"""Program beside the files."""


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
        temporary.write_bytes(LOADER.read_bytes())

"""Which batch norm follows which layer."""

from torch import nn

from pruning.models.base import prunable
from pruning.models.channel_groups import network_graph
from pruning.models.graph import NORMS


def batch_norms_after(model: nn.Module, channels: int, size: int) -> dict[str, str]:
    """Find the batch norm that reads the output of each convolution.

    Parameters
    ----------
    model : nn.Module
        Any network, not modified.
    channels, size : int
        Channels and height (= width) of the images.

    Returns
    -------
    dict of str to str
        Name of the batch norm by name of the layer; layers without one are missing.
    """
    network = network_graph(model, channels, size).network
    layers = prunable(model)
    found = {}
    for step in network.steps:
        is_norm = isinstance(network.get_submodule(step.name), NORMS)
        if is_norm and step.inputs[0] in layers:
            found[step.inputs[0]] = step.name
    return found

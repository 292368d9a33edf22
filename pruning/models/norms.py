"""Which batch norm follows which layer, found by running the network."""

import copy

import torch
from torch import nn

from pruning.models.activations import record_activations
from pruning.models.base import prunable


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
    model = copy.deepcopy(model).eval()  # hooks must not be seen by other users of the model
    norms = [name for name, module in model.named_modules() if isinstance(module, nn.BatchNorm2d)]
    layers = list(prunable(model))
    image = torch.zeros(1, channels, size, size, dtype=next(model.parameters()).dtype)
    # The recorded tensors stay alive: an identifier could be reused otherwise.
    with record_activations(model, [*layers, *norms]) as recorded, torch.no_grad():
        model(image)
    layer_of_output = {id(recorded.outputs[name]): name for name in layers}
    found = {}
    for norm in norms:
        layer = layer_of_output.get(id(recorded.inputs[norm]))
        if layer is not None:
            found[layer] = norm
    return found

"""Pruned networks as files that other programs can read."""

import copy
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from pruning.cost.file_size import encode
from pruning.data.datasets import DATASETS, Dataset, normalise
from pruning.engine.pruned_network import PrunedNetwork
from pruning.runtime.atomic_write import atomic_write


def save_masks(pruned: PrunedNetwork, path: Path) -> None:
    """Write the masks as safetensors.

    Parameters
    ----------
    pruned : PrunedNetwork
        The network.
    path : Path
        One uint8 tensor per prunable parameter, 1 = kept; biases, batch norms and the image
        (``input``) are there if they are masked.
    """
    masks = {**pruned.masks.complete(pruned.model), **pruned.masks}
    tensors = {name: mask.to(torch.uint8).contiguous() for name, mask in masks.items()}
    with atomic_write(path) as temporary:
        save_file(tensors, temporary)


def save_weights(pruned: PrunedNetwork, path: Path, *, compact: bool = False) -> None:
    """Write the state dict as safetensors.

    Parameters
    ----------
    pruned : PrunedNetwork
        The network.
    path : Path
        The masked state dict after recovery, with ``input`` if pixels were removed.
    compact : bool
        Write the network after physical removal instead.
    """
    if compact:
        state = pruned.compact_model.state_dict()
    else:
        network = pruned.recovered
        state = network.model.state_dict() | network.masked_parameters()
    with atomic_write(path) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, temporary)


def save_sparse(pruned: PrunedNetwork, path: Path) -> None:
    """Write the masked state dict as safetensors with sparse matrices.

    Parameters
    ----------
    pruned : PrunedNetwork
        The network.
    path : Path
        A tensor of two or more dimensions is a matrix of its rows in compressed sparse rows:
        ``name.values``, ``name.columns`` and ``name.rows`` (pointers). Others are as they are.
    """
    network = pruned.recovered
    state = network.model.state_dict() | network.masked_parameters()
    with atomic_write(path) as temporary:
        temporary.write_bytes(encode(state, "csr"))


def save_program(pruned: PrunedNetwork, path: Path, *, compact: bool = False) -> None:
    """Write a self-contained program of `torch.export`.

    Parameters
    ----------
    pruned : PrunedNetwork
        The network.
    path : Path
        The program takes float32 pixels (N, C, H, W) in [0, 1] and gives logits, for any N.
    compact : bool
        Write the network after physical removal instead.
    """
    data = DATASETS[pruned.recipe.dataset]
    model = copy.deepcopy(pruned.compact_model) if compact else pruned.recovered.copy()
    model = model.to(memory_format=torch.contiguous_format)
    mask = None if compact else pruned.network.input_mask
    if mask is None:
        mask = torch.ones(1, 1, 1)
    example = torch.zeros(2, data.channels, data.size, data.size)
    program = torch.export.export(
        PixelNetwork(model, data, mask).eval(),
        (example,),
        dynamic_shapes={"pixels": {0: torch.export.Dim("images", min=1)}},
    )
    with atomic_write(path) as temporary:
        torch.export.save(program, temporary)


class PixelNetwork(nn.Module):
    """A network that takes pixels as they are in a file.

    Parameters
    ----------
    network : nn.Module
        From normalised images to logits.
    dataset : Dataset
        Gives the mean and standard deviation of the pixels.
    input_mask : torch.Tensor
        (channels or 1, height, width), by which the images are multiplied.
    """

    def __init__(self, network: nn.Module, dataset: Dataset, input_mask: torch.Tensor) -> None:
        super().__init__()
        self.network, self.dataset = network, dataset
        self.register_buffer("input_mask", input_mask)
        self.input_mask: torch.Tensor

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits (N, classes) of pixels (N, C, H, W) in [0, 1]."""
        return self.network(normalise(pixels, self.dataset) * self.input_mask)

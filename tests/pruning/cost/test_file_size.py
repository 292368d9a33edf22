"""Encoded files are real: these decoders read them again."""

import gzip
from collections.abc import Callable

import numpy as np
import pytest
import torch
from safetensors.torch import load

from pruning.cost.file_size import State, encode, encoded_sizes, safetensors_size
from pruning.models import checkpoints, prunable


def from_csr(tensors: State, name: str, shape: torch.Size) -> torch.Tensor:
    values = tensors[f"{name}.values"]
    row_pointers = tensors[f"{name}.rows"].to(torch.int64)
    rows = torch.repeat_interleave(torch.arange(shape[0]), row_pointers.diff())
    columns = tensors[f"{name}.columns"].to(torch.int64)
    matrix = torch.zeros(shape[0], shape.numel() // shape[0], dtype=values.dtype)
    matrix[rows, columns] = values
    return matrix.view(shape)


def from_bitmap(tensors: State, name: str, shape: torch.Size) -> torch.Tensor:
    values = tensors[f"{name}.values"]
    nonzero = np.unpackbits(tensors[f"{name}.bits"].numpy(), count=shape.numel()).astype(bool)
    flat = torch.zeros(shape.numel(), dtype=values.dtype)
    flat[torch.from_numpy(nonzero)] = values
    return flat.view(shape)


DECODERS: dict[str, Callable[[State, str, torch.Size], torch.Tensor]] = {
    "csr": from_csr,
    "bitmap": from_bitmap,
}


def decode(content: bytes, encoding: str, like: State) -> dict[str, torch.Tensor]:
    """The tensors of an encoded file, with the names and shapes of ``like``."""
    if encoding == "gzip":
        return load(gzip.decompress(content))
    tensors = load(content)
    state = {}
    for name, original in like.items():
        if original.ndim > 1:
            state[name] = DECODERS[encoding](tensors, name, original.shape)
        else:
            state[name] = tensors[name]
    return state


def pruned_state(network: str, sparsity: float) -> dict[str, torch.Tensor]:
    """The state of a trained network; the smallest weights of every layer are zero."""
    model = checkpoints.load(network, "digits")
    for layer in prunable(model).values():
        removed = torch.zeros(layer.weight.numel(), dtype=torch.bool)
        removed[layer.weight.abs().flatten().argsort()[: round(sparsity * len(removed))]] = True
        layer.weight.masked_fill_(removed.view(layer.weight.shape), 0)
    return model.state_dict()


@pytest.mark.parametrize("encoding", ["csr", "bitmap", "gzip"])
@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.99, 1.0])
def test_an_encoded_file_can_be_decoded(encoding, sparsity):
    state = pruned_state("lenet5", sparsity)
    content = encode(state, encoding)
    decoded = decode(content, encoding, state)
    assert set(decoded) == set(state)
    assert all(torch.equal(decoded[name], state[name]) for name in state)
    assert encoded_sizes(state)[encoding] == len(content)


def test_sparse_files_are_smaller_than_the_dense_file():
    state = pruned_state("lenet300", 0.98)
    sizes, dense = encoded_sizes(state), safetensors_size(state)
    nonzero = 0.02 * 266_200
    assert dense > 4 * 266_610
    assert sizes["bitmap"] < 4 * nonzero + 266_200 / 8 + 5_000 < dense / 10
    assert sizes["csr"] < 6 * nonzero + 5_000


@pytest.mark.parametrize("columns, bytes_per_index", [(256, 1), (257, 2), (65_536, 2), (65_537, 4)])
def test_column_indices_have_the_smallest_type(columns, bytes_per_index):
    matrix = torch.zeros(1, columns)
    matrix[0, -1] = 1
    tensors = load(encode({"weight": matrix}, "csr"))
    assert tensors["weight.columns"].element_size() == bytes_per_index
    assert torch.equal(from_csr(tensors, "weight", matrix.shape), matrix)

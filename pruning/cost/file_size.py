"""Bytes of real files: written, measured, deleted. A masked network is only smaller if its zeros are stored cleverly."""

import gzip
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save, save_file

State = Mapping[str, torch.Tensor]


def safetensors_size(state: State) -> int:
    """Of a safetensors file with every number."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)
        return path.stat().st_size


def encodings(state: State) -> dict[str, int]:
    """Bytes by encoding. Tensors of two dimensions or more are encoded, the others are stored as they are.

    ``csr``: values, column indices in the smallest type that fits, and row pointers; ``bitmap``: one bit for each number
    and the values that are not zero; ``gzip``: the dense file, compressed.
    """
    return {name: _written(encode(state)) for name, encode in _ENCODINGS.items()}


def decoded(content: bytes, encoding: str, like: State) -> dict[str, torch.Tensor]:
    """The tensors of an encoded file, with the shapes of ``like``: what is counted could really be read."""
    from safetensors.torch import load

    tensors = load(gzip.decompress(content) if encoding == "gzip" else content)
    if encoding == "gzip":
        return tensors
    return {
        name: _DECODERS[encoding](tensors, name, value.shape) if value.ndim > 1 else tensors[name]
        for name, value in like.items()
    }


def encoded(state: State, encoding: str) -> bytes:
    return _ENCODINGS[encoding](state)


def _written(content: bytes) -> int:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        return Path(file.name).stat().st_size


def _sparse(state: State, encode: Callable[[np.ndarray], dict[str, np.ndarray]]) -> bytes:
    tensors = {}
    for name, tensor in state.items():
        if tensor.ndim > 1:
            parts = encode(tensor.detach().contiguous().flatten(1).numpy())
            tensors |= {
                f"{name}.{part}": torch.from_numpy(np.ascontiguousarray(value))
                for part, value in parts.items()
            }
        else:
            tensors[name] = tensor.detach().contiguous()
    return save(tensors)


def _csr(matrix: np.ndarray) -> dict[str, np.ndarray]:
    rows, columns = matrix.nonzero()
    pointers = np.searchsorted(rows, np.arange(len(matrix) + 1)).astype(np.uint32)
    small = (
        np.uint8
        if matrix.shape[1] <= 2**8
        else np.uint16
        if matrix.shape[1] <= 2**16
        else np.uint32
    )
    return {"values": matrix[rows, columns], "columns": columns.astype(small), "rows": pointers}


def _from_csr(tensors: State, name: str, shape: torch.Size) -> torch.Tensor:
    pointers = tensors[f"{name}.rows"].to(torch.int64)
    matrix = torch.zeros(shape[0], shape.numel() // shape[0], dtype=tensors[f"{name}.values"].dtype)
    rows = torch.repeat_interleave(torch.arange(shape[0]), pointers.diff())
    matrix[rows, tensors[f"{name}.columns"].to(torch.int64)] = tensors[f"{name}.values"]
    return matrix.view(shape)


def _bitmap(matrix: np.ndarray) -> dict[str, np.ndarray]:
    kept = matrix != 0
    return {"values": matrix[kept], "bits": np.packbits(kept)}


def _from_bitmap(tensors: State, name: str, shape: torch.Size) -> torch.Tensor:
    kept = np.unpackbits(tensors[f"{name}.bits"].numpy(), count=shape.numel()).astype(bool)
    flat = torch.zeros(shape.numel(), dtype=tensors[f"{name}.values"].dtype)
    flat[torch.from_numpy(kept)] = tensors[f"{name}.values"]
    return flat.view(shape)


_ENCODINGS: dict[str, Callable[[State], bytes]] = {
    "csr": lambda state: _sparse(state, _csr),
    "bitmap": lambda state: _sparse(state, _bitmap),
    "gzip": lambda state: gzip.compress(
        save({name: tensor.contiguous() for name, tensor in state.items()}), 6, mtime=0
    ),
}
_DECODERS = {"csr": _from_csr, "bitmap": _from_bitmap}

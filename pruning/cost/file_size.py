"""File sizes of a network's state, dense and in encodings that use the zeros of pruned weights.

Every size is that of a real file, which is written, measured and deleted.
"""

import gzip
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save, save_file

State = Mapping[str, torch.Tensor]


def safetensors_size(state: State) -> int:
    """Measure the size of a dense safetensors file.

    Parameters
    ----------
    state
        Tensors by name, as ``nn.Module.state_dict`` returns them.

    Returns
    -------
    int
        Size of the file in bytes.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        save_file(_contiguous(state), path)
        return path.stat().st_size


def encoded_sizes(state: State) -> dict[str, int]:
    """Measure the sizes of files in every encoding.

    Parameters
    ----------
    state
        Tensors by name.

    Returns
    -------
    dict of str to int
        Sizes in bytes, by the encodings of `encode`.
    """
    return {encoding: _file_size(encode(state, encoding)) for encoding in ENCODERS}


def encode(state: State, encoding: str) -> bytes:
    """Encode a state so that its zeros take little or no space.

    ``"csr"`` stores the nonzero values, their column indices in the smallest unsigned type that
    fits, and row pointers. ``"bitmap"`` stores the nonzero values and one bit for each weight.
    Both apply to tensors of two or more dimensions, flattened to matrices; the other tensors are
    stored without change. ``"gzip"`` compresses the dense safetensors file.

    Parameters
    ----------
    state
        Tensors by name.
    encoding
        ``"csr"``, ``"bitmap"`` or ``"gzip"``.

    Returns
    -------
    bytes
        Content of the file.
    """
    return ENCODERS[encoding](state)


def _encode_csr(state: State) -> bytes:
    return _encode_matrices(state, _to_csr)


def _encode_bitmap(state: State) -> bytes:
    return _encode_matrices(state, _to_bitmap)


def _encode_gzip(state: State) -> bytes:
    return gzip.compress(save(_contiguous(state)), compresslevel=6, mtime=0)


ENCODERS: dict[str, Callable[[State], bytes]] = {
    "csr": _encode_csr,
    "bitmap": _encode_bitmap,
    "gzip": _encode_gzip,
}


def _contiguous(state: State) -> dict[str, torch.Tensor]:
    return {name: tensor.contiguous() for name, tensor in state.items()}


def _file_size(content: bytes) -> int:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        return Path(file.name).stat().st_size


def _encode_matrices(
    state: State, encode_matrix: Callable[[np.ndarray], dict[str, np.ndarray]]
) -> bytes:
    """Write a safetensors file in which every matrix ``name`` is stored as ``name.<part>``."""
    tensors = {}
    for name, tensor in state.items():
        tensor = tensor.detach().contiguous()
        if tensor.ndim < 2:
            tensors[name] = tensor
            continue
        parts = encode_matrix(tensor.flatten(1).numpy())
        for part, array in parts.items():
            tensors[f"{name}.{part}"] = torch.from_numpy(np.ascontiguousarray(array))
    return save(tensors)


def _to_csr(matrix: np.ndarray) -> dict[str, np.ndarray]:
    rows, columns = matrix.nonzero()
    row_pointers = np.searchsorted(rows, np.arange(len(matrix) + 1))
    return {
        "values": matrix[rows, columns],
        "columns": columns.astype(_index_type(matrix.shape[1])),
        "rows": row_pointers.astype(np.uint32),
    }


def _index_type(count: int) -> type[np.unsignedinteger]:
    """Return the smallest unsigned type for the indices 0 to ``count - 1``."""
    if count <= 2**8:
        return np.uint8
    if count <= 2**16:
        return np.uint16
    return np.uint32


def _to_bitmap(matrix: np.ndarray) -> dict[str, np.ndarray]:
    nonzero = matrix != 0
    return {"values": matrix[nonzero], "bits": np.packbits(nonzero)}

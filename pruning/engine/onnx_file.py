"""Networks as ONNX files, and a check of what onnxruntime computes from them."""

import copy
import io
import time
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn

from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.engine.export import PixelNetwork
from pruning.engine.pruned_network import PrunedNetwork
from pruning.engine.trained_network import trained_network
from pruning.runtime.atomic_write import atomic_write
from pruning.runtime.installation import check_onnx_installed
from pruning.runtime.progress import ShareReport, ignore_progress

FORMS = ("dense", "masked", "removed")
BATCH = 250
LATENCY_RUNS = 20


@dataclass(frozen=True)
class OnnxCheck:
    """What onnxruntime computes from a file, beside PyTorch.

    Parameters
    ----------
    largest_difference : float
        Largest absolute difference of two logits.
    agreeing, images : int
        Number of test images with the same prediction, and of all that were compared.
    onnx_seconds, torch_seconds : float
        Median time for one image, in turns, each with its default number of threads.
    """

    largest_difference: float
    agreeing: int
    images: int
    onnx_seconds: float
    torch_seconds: float

    @property
    def agreement(self) -> float:
        """Share of the images with the same prediction."""
        return self.agreeing / self.images


def save_onnx(pruned: PrunedNetwork, path: Path, form: str = "removed") -> None:
    """Write a network as one ONNX file.

    Parameters
    ----------
    pruned : PrunedNetwork
        The network.
    path : Path
        Its input ``pixels`` are float32 images (N, C, H, W) in [0, 1], for any N, its output
        ``logits``.
    form : str
        ``"dense"``, ``"masked"`` or ``"removed"``.

    Raises
    ------
    PrunescopeError
        If the packages of the extra ``onnx`` are not installed.
    ValueError
        If the form is unknown.
    """
    check_onnx_installed()
    data = DATASETS[pruned.recipe.dataset]
    example = torch.zeros(2, data.channels, data.size, data.size)
    images = torch.export.Dim("images", min=1)
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")  # of the exporter, about its own packages
        program = torch.onnx.export(
            pixel_network(pruned, form),
            (example,),
            dynamo=True,
            external_data=False,
            dynamic_shapes={"pixels": {0: images}},
            input_names=["pixels"],
            output_names=["logits"],
            verbose=False,
        )
    assert program is not None
    with atomic_write(path) as temporary:
        program.save(str(temporary), external_data=False)


def pixel_network(pruned: PrunedNetwork, form: str) -> PixelNetwork:
    """Return a network that takes pixels as they are in a file.

    Parameters
    ----------
    pruned : PrunedNetwork
        The network.
    form : str
        ``"dense"``, ``"masked"`` or ``"removed"``.

    Returns
    -------
    PixelNetwork
        A module of its own, in eval mode.

    Raises
    ------
    ValueError
        If the form is unknown.
    """
    if form not in FORMS:
        raise ValueError(f"unknown form {form!r}: choose from {', '.join(FORMS)}")
    mask = None
    network: nn.Module
    if form == "dense":
        network = trained_network(pruned.recipe).copy()
    elif form == "masked":
        network, mask = pruned.recovered.copy(), pruned.network.input_mask
    else:
        network = copy.deepcopy(pruned.compact_model)
    network = network.to(memory_format=torch.contiguous_format)
    data = DATASETS[pruned.recipe.dataset]
    return PixelNetwork(network, data, torch.ones(1, 1, 1) if mask is None else mask).eval()


def check_onnx(
    pruned: PrunedNetwork, path: Path, form: str = "removed", report: ShareReport = ignore_progress
) -> OnnxCheck:
    """Compare what onnxruntime and PyTorch compute for all test images.

    Parameters
    ----------
    pruned : PrunedNetwork
        The network.
    path : Path
        As `save_onnx` wrote it.
    form : str
        As of `save_onnx`.
    report : callable
        Called with the share of the images that are compared.

    Returns
    -------
    OnnxCheck
        Differences, agreement and latency.

    Raises
    ------
    PrunescopeError
        If the packages of the extra ``onnx`` are not installed.
    """
    check_onnx_installed()
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    network = pixel_network(pruned, form)
    images = datasets.load(pruned.recipe.dataset, "test").pixels
    largest, agreeing = 0.0, 0
    for start in range(0, len(images), BATCH):
        pixels = _as_numbers(images[start : start + BATCH])
        ours = _torch_logits(network, pixels)
        theirs = _onnx_logits(session, pixels)
        largest = max(largest, float(np.abs(ours - theirs).max()))
        agreeing += int((ours.argmax(1) == theirs.argmax(1)).sum())
        report(min(1.0, (start + BATCH) / len(images)))
    one = _as_numbers(images[:1])
    times: dict[str, list[float]] = {"onnx": [], "torch": []}
    for _ in range(LATENCY_RUNS):
        times["onnx"].append(_seconds(lambda: _onnx_logits(session, one)))
        times["torch"].append(_seconds(lambda: _torch_logits(network, one)))
    return OnnxCheck(largest, agreeing, len(images), median(times["onnx"]), median(times["torch"]))


def _as_numbers(pixels: torch.Tensor) -> torch.Tensor:
    """Pixels as the file takes them: bytes as numbers from 0 to 1."""
    return pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels


def _torch_logits(network: nn.Module, pixels: torch.Tensor) -> np.ndarray:
    with torch.inference_mode():
        return network(pixels).numpy()


def _onnx_logits(session: Any, pixels: torch.Tensor) -> np.ndarray:
    [logits] = session.run(None, {"pixels": pixels.numpy()})
    return logits


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start

"""A pruned network, as programs and notebooks use it."""

import copy
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from pruning.api.html import network_html
from pruning.cost.macs import Cost, CostByLayer
from pruning.engine.evaluate import evaluate
from pruning.engine.evaluation import Evaluation
from pruning.engine.network_folder import save_folder
from pruning.engine.onnx_file import OnnxCheck, check_onnx, save_onnx
from pruning.engine.pruned_network import PrunedNetwork as EngineResult
from pruning.experiments.removal_report import report_removal
from pruning.figures.report import report_page
from pruning.models.blocks import MaskPixels
from pruning.recipe.recipe import Recipe
from pruning.runtime.atomic_write import atomic_write


class PrunedNetwork:
    """A network without some of its weights or units.

    Parameters
    ----------
    result : pruning.engine.pruned_network.PrunedNetwork
        Masks, scores and costs.
    module : nn.Module, optional
        The module that was given; `masked` returns one of the same kind.
    """

    def __init__(self, result: EngineResult, module: nn.Module | None = None):
        self.result = result
        self._module = module

    @property
    def recipe(self) -> Recipe:
        """What was pruned, and how."""
        return self.result.recipe

    @property
    def sparsity(self) -> float:
        """Removed / all prunable weights, as achieved."""
        return self.result.sparsity

    @property
    def masks(self) -> dict[str, torch.Tensor]:
        """Masks by the name of the parameter, bool, True = kept."""
        return {name: mask.clone() for name, mask in self.result.masks.items()}

    @property
    def layers(self) -> pd.DataFrame:
        """A row for each layer: its weights, those that are kept, threshold and MACs."""
        return self.result.layer_table.copy()

    def masked(self) -> nn.Module:
        """Return the network with zeros, after the recoveries of the recipe.

        Returns
        -------
        nn.Module
            A module of its own, of the kind that was given. Removed pixels are set to zero by a
            first module.
        """
        network = self.result.recovered
        if self._module is None:
            module: nn.Module = network.copy()
        else:
            module = copy.deepcopy(self._module)
            # The translated network may have more, such as the order of shuffled channels.
            module.load_state_dict(network.copy().state_dict(), strict=False)
        if network.input_mask is None:
            return module
        return nn.Sequential(MaskPixels(network.input_mask), module)

    def removed(self) -> nn.Module:
        """Return the smaller network, which gives the logits of the masked one.

        Returns
        -------
        nn.Module
            A module of its own.
        """
        return copy.deepcopy(self.result.compact_model)

    def evaluate(self, split: str = "test") -> Evaluation:
        """Measure the accuracy.

        Parameters
        ----------
        split : str
            ``"test"``, or ``"validation"`` where something is chosen by the result.

        Returns
        -------
        Evaluation
            With accuracy, loss and costs.
        """
        [evaluation] = evaluate([self.recipe], split)
        return evaluation

    def cost(self) -> pd.DataFrame:
        """Return the cost before and after pruning.

        Returns
        -------
        pd.DataFrame
            Rows ``dense``, ``masked`` (what the masks keep) and ``effective`` (what is connected to
            the image and the logits); columns ``parameters`` and ``macs`` of one image.
        """
        costs: dict[str, Cost | CostByLayer] = {
            "dense": self.result.dense,
            "masked": self.result.masked,
            "effective": self.result.effective,
        }
        table = {name: (cost.parameters, cost.macs) for name, cost in costs.items()}
        return pd.DataFrame.from_dict(table, orient="index", columns=["parameters", "macs"])

    def save(self, folder: Path | str) -> Path:
        """Write the recipe, the masks, and the masked and the smaller network.

        Parameters
        ----------
        folder : Path or str
            Created if it does not exist; files of the same names are replaced.

        Returns
        -------
        Path
            The folder, with ``recipe.json``, ``data.json``, ``masks.safetensors``,
            ``masked.safetensors``, the same as compressed sparse rows in ``sparse.safetensors``,
            and the smaller network: ``network.json``, ``network.safetensors`` and ``load.py``,
            which loads it in plain PyTorch.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save_folder(self.result, folder)
        return folder

    def to_onnx(self, path: Path | str, form: str = "removed") -> OnnxCheck:
        """Write one ONNX file, and compare what onnxruntime computes from it with PyTorch.

        Parameters
        ----------
        path : Path or str
            Its input ``pixels`` are images (N, C, H, W), bytes as numbers from 0 to 1.
        form : str
            ``"dense"``, ``"masked"`` or ``"removed"``.

        Returns
        -------
        OnnxCheck
            Largest difference of two logits, agreement of the predictions on the test images, and
            the latency of both.

        Raises
        ------
        PrunescopeError
            If the packages of the extra ``onnx`` are not installed.
        """
        save_onnx(self.result, Path(path), form)
        return check_onnx(self.result, Path(path), form)

    def report(self, path: Path | str) -> Path:
        """Write a report as one HTML file that needs no other: accuracy, costs, layers, recipe.

        Parameters
        ----------
        path : Path or str
            The file.

        Returns
        -------
        Path
            The file.
        """
        evaluation, dense = evaluate([self.recipe, self.recipe.unpruned])
        page = report_page(self.result, evaluation, dense, report_removal(self.recipe))
        with atomic_write(Path(path)) as temporary:
            temporary.write_text(page, encoding="utf-8")
        return Path(path)

    def __repr__(self) -> str:
        masked = self.result.masked
        return (
            f"PrunedNetwork(sparsity={self.sparsity:.4f}, parameters={masked.parameters}, "
            f"macs={masked.macs})"
        )

    def _repr_html_(self) -> str:
        """Draw the costs, the table of layers and a heatmap, in a notebook."""
        return network_html(self.result)

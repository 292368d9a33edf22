"""Results as files that other programs can read."""

import copy
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from pruning.cost.report import small
from pruning.data.datasets import DATASETS, Dataset, normalise
from pruning.engine import prune as experiment
from pruning.recipe.recipe import Recipe
from pruning.runtime.atomic_write import atomic_write


def save_masks(recipe: Recipe, path: Path) -> None:
    """One uint8 tensor per prunable parameter name of the state dict, 1 = kept; biases, batch norms and the image
    (``input``) are there where they are masked."""
    state = experiment.pruned(recipe)
    tensors = {**state.masks.complete(state.model), **state.masks}
    with atomic_write(path) as temporary:
        save_file(
            {name: mask.to(torch.uint8).contiguous() for name, mask in tensors.items()}, temporary
        )


def save_weights(recipe: Recipe, path: Path, removed: bool = False) -> None:
    """The masked state dict, with ``input`` where pixels were removed; or that of the small network."""
    pruned = experiment.pruned(recipe)
    state = (
        small(recipe).state_dict()
        if removed
        else dict(pruned.model.state_dict()) | pruned.masks.apply(pruned.model)
    )
    with atomic_write(path) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, temporary)


class _Program(nn.Module):
    def __init__(self, network: nn.Module, dataset: Dataset, kept: torch.Tensor):
        super().__init__()
        self.network, self.dataset = network, dataset
        self.register_buffer("kept", kept)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.network(normalise(pixels, self.dataset) * self.kept)


def save_program(recipe: Recipe, path: Path, removed: bool = False) -> None:
    """The masked or the small network by itself (torch.export): float32 pixels (N, C, H, W) in [0, 1] to logits, N free."""
    data, state = DATASETS[recipe.dataset], experiment.pruned(recipe)
    example = torch.zeros(2, data.channels, data.size, data.size)
    model = (copy.deepcopy(small(recipe)) if removed else state.copy()).to(
        memory_format=torch.contiguous_format
    )
    kept = (
        torch.ones(1, 1, 1)
        if removed
        else state.masks.get("input", torch.ones(1, 1, 1, dtype=torch.bool)).float()
    )
    program = torch.export.export(
        _Program(model, data, kept).eval(),
        (example,),
        dynamic_shapes={"pixels": {0: torch.export.Dim("images", min=1)}},
    )
    with atomic_write(path) as temporary:
        torch.export.save(program, temporary)

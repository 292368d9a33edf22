"""Results as files that other programs can read."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from pruning import experiment
from pruning.datasets import DATASETS, Dataset, normalise
from pruning.files import whole
from pruning.recipe import Recipe


def save_masks(recipe: Recipe, path: Path) -> None:
    """One uint8 tensor per prunable parameter name of the state dict, 1 = kept."""
    tensors = experiment.masks(recipe).whole(experiment.model(recipe))
    with whole(path) as temporary:
        save_file({name: mask.to(torch.uint8).contiguous() for name, mask in tensors.items()}, temporary)


def save_weights(recipe: Recipe, path: Path) -> None:
    """The masked state dict."""
    model = experiment.model(recipe)
    state = dict(model.state_dict()) | experiment.masks(recipe).apply(model)
    with whole(path) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, temporary)


class _Program(nn.Module):
    def __init__(self, network: nn.Module, dataset: Dataset):
        super().__init__()
        self.network, self.dataset = network, dataset

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.network(normalise(pixels, self.dataset))


def save_program(recipe: Recipe, path: Path) -> None:
    """The masked network by itself (torch.export): float32 pixels (N, C, H, W) in [0, 1] to logits, N free."""
    from pruning import checkpoints

    data = DATASETS[recipe.dataset]
    model = checkpoints.load(recipe.network, recipe.dataset)  # a copy of its own, so it may be changed
    model.load_state_dict(experiment.masks(recipe).apply(experiment.model(recipe)), strict=False)
    example = torch.zeros(2, data.channels, data.size, data.size)
    model = model.to(memory_format=torch.contiguous_format)
    program = torch.export.export(_Program(model, data).eval(), (example,),
                                  dynamic_shapes={"pixels": {0: torch.export.Dim("images", min=1)}})
    with whole(path) as temporary:
        torch.export.save(program, temporary)

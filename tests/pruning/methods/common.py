"""Rankings and masks of networks for the tests of rules and selections."""

import torch
from hypothesis import strategies as st
from torch import nn

from pruning.methods.masks import Masks
from pruning.methods.ranking import Ranking
from pruning.methods.units import METHODS, groups
from pruning.models import build, prunable

LENET = build("lenet5", channels=1, size=28).requires_grad_(False)


def ranked(model: nn.Module) -> Ranking:
    weights = {name: layer.weight for name, layer in prunable(model).items()}
    return Ranking.of(
        {name: w.abs() for name, w in weights.items()},
        groups(model, "weight", "", 1, 28),
        weights=weights,
    )


def masked(model: nn.Module, ranking: Ranking, choice) -> Masks:
    found = groups(model, "weight", "", 1, 28)
    kept = {}
    for name, cut in choice.items():
        kept |= METHODS["weight"].masks_for(model, found[name], cut.removed(ranking[name]))
    return Masks(kept)


RANKING = ranked(LENET)


def small(layers: list[list[float]]) -> tuple[nn.Module, Ranking]:
    """A network with one linear layer for each list of weights."""
    model = nn.Sequential()
    for i, values in enumerate(layers):
        layer = nn.Linear(len(values), 1)
        layer.weight.data = torch.tensor([values], dtype=torch.float32)
        model.add_module(f"fc{i}", layer)
    return model, ranked(model)


# Few different values, so that ties are common; whole layers may be constant or zero.
layers = st.lists(
    st.lists(st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0]), min_size=1, max_size=12),
    min_size=1,
    max_size=4,
)


shares = st.floats(0, 1)

"""What each kind of pruning really buys: dense, masked and removed side by side, everything counted or measured."""

import copy
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd
import torch
from cachetools import LRUCache, cached
from torch import nn

from pruning.cost import file_size as storage
from pruning.cost.latency import Latency, latencies, peak_activations
from pruning.cost.macs import cost, measure_cost
from pruning.data import datasets
from pruning.data.datasets import DATASETS, normalise
from pruning.engine import prune as experiment
from pruning.engine.prune import Pruned
from pruning.methods.removal import largest_difference, remove
from pruning.recipe.recipe import Recipe

BATCHES = (1, 64)
CHECKED = 1_000  # test images on which masked and removed are compared


@dataclass(frozen=True)
class Entry:
    """One form of a network. ``bytes`` is the smallest real file, in the ``encoding`` named; ``activations`` the peak
    memory in bytes for one image; ``latency`` by batch size, None where this form runs as the dense one does."""

    prunable_weights: int
    parameters: int
    macs: int
    bytes: int
    encoding: str
    activations: int
    latency: tuple[Latency, ...] | None


@dataclass(frozen=True)
class Ledger:
    """``difference``: the largest of masked and removed logits on ``checked`` test images."""

    dense: Entry
    masked: Entry
    removed: Entry
    difference: float
    checked: int

    @property
    def agrees(self) -> bool:
        return self.difference < 1e-4

    def table(self) -> pd.DataFrame:
        """A row per quantity, a column per form."""
        forms = {"dense": self.dense, "masked": self.masked, "removed": self.removed}
        rows = {
            "prunable weights": [f"{e.prunable_weights:,}" for e in forms.values()],
            "all parameters": [f"{e.parameters:,}" for e in forms.values()],
            "MACs per image": [f"{e.macs:,}" for e in forms.values()],
            "theoretical speed-up": [
                f"{self.dense.macs / max(1, e.macs):.2f}x" for e in forms.values()
            ],
            "bytes of the file": [f"{e.bytes:,} ({e.encoding})" for e in forms.values()],
            "peak activations, bytes per image": [f"{e.activations:,}" for e in forms.values()],
        }
        for i, batch in enumerate(BATCHES):
            rows[f"latency, batch {batch}"] = [
                "as dense"
                if e.latency is None
                else f"{1000 * e.latency[i].median:.2f} ms ({1000 * e.latency[i].low:.2f} to "
                f"{1000 * e.latency[i].high:.2f})"
                for e in forms.values()
            ]
        return pd.DataFrame(rows, list(forms)).T.rename_axis("quantity").reset_index()

    @property
    def remarks(self) -> tuple[str, ...]:
        """In words, where a theoretical gain is not a real one."""
        told = []
        real = self.dense.latency[-1].median / self.removed.latency[-1].median
        theory = self.dense.macs / max(1, self.masked.macs)
        if self.removed.macs > 1.05 * self.masked.macs:
            told.append(
                f"Masked weights save {theory:.2f}x of the multiply-accumulates on paper only: ordinary kernels multiply "
                f"zeros as well, so the masked network takes as long as the dense one. What can be taken out for "
                f"good leaves {self.dense.macs / max(1, self.removed.macs):.2f}x."
            )
        told.append(
            f"Measured with {BATCHES[-1]} images at a time, the removed network is {real:.2f}x as fast as the dense one; "
            f"its multiply-accumulates promise {self.dense.macs / max(1, self.removed.macs):.2f}x."
        )
        return tuple(told)


@cached(
    LRUCache(
        maxsize=200_000_000,
        getsizeof=lambda model: 4 * sum(p.numel() for p in model.parameters()) + 1,
    ),
    key=lambda recipe: replace(recipe.key, images=None),
    lock=threading.Lock(),
)
def small(recipe: Recipe) -> nn.Sequential:
    """The network of a recipe with everything taken out that makes no difference; shared, never modified."""
    data, state = DATASETS[recipe.dataset], experiment.pruned(recipe)
    return remove(state.model, state.masks.apply(state.model), data.channels, data.size)


def difference(recipe: Recipe) -> tuple[float, int]:
    """The largest difference of the masked and the removed network's logits, and on how many test images."""
    data, state = DATASETS[recipe.dataset], experiment.pruned(recipe)
    x = normalise(datasets.load(recipe.dataset, "test").pixels[:CHECKED], data)
    return largest_difference(_Masked(state), small(recipe), x), len(x)


class _Masked(nn.Module):
    def __init__(self, state: Pruned):
        super().__init__()
        self.network = state.copy()
        self.register_buffer("kept", state.masks.get("input", torch.ones(1, 1, 1)).float())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x * self.kept)


def ledger(
    recipe: Recipe, report: Callable[[], None] = lambda: None, seconds: float = 1.0
) -> Ledger:
    """Count and measure. ``report`` is called now and then; what it raises ends the work."""
    data, state = DATASETS[recipe.dataset], experiment.pruned(recipe)
    whole, less = copy.deepcopy(experiment.model(recipe)), copy.deepcopy(small(recipe))
    table = experiment.layer_table(recipe, state)
    timed = [
        latencies(
            {"dense": whole, "removed": less},
            data.channels,
            data.size,
            batch,
            seconds=seconds,
            report=report,
        )
        for batch in BATCHES
    ]
    counted, left = cost(recipe.network, recipe.dataset), measure_cost(less, recipe.dataset)
    activations = [peak_activations(model, data.channels, data.size) for model in (whole, less)]
    smallest, encoding = _smallest(
        whole
    )  # nothing is pruned here: what it saves, the others save without pruning, too
    told = "dense" if encoding == "dense" else f"dense; {smallest:,} as {encoding}"
    dense = Entry(
        counted.prunable_weights,
        counted.parameters,
        counted.macs,
        storage.safetensors_size(whole.state_dict()),
        told,
        activations[0],
        tuple(t["dense"] for t in timed),
    )
    masked = Entry(
        int(table["kept"].sum()),
        state.parameters,
        int(table["macs_left"].sum()),
        *_smallest(state.copy()),
        activations[0],
        None,
    )
    removed = Entry(
        left.prunable_weights,
        left.parameters,
        left.macs,
        *_smallest(less),
        activations[1],
        tuple(t["removed"] for t in timed),
    )
    report()
    return Ledger(dense, masked, removed, *difference(recipe))


def _smallest(model: nn.Module) -> tuple[int, str]:
    """Bytes of the smallest file of a network's state, and how it is encoded."""
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    sizes = {"dense": storage.safetensors_size(state), **storage.encodings(state)}
    best = min(sizes, key=sizes.get)
    return sizes[best], best

"""Recipe to outcome: the path that every page, command and sweep walks."""

import copy
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from cachetools import LRUCache, cached
from torch import nn

from pruning.cost.macs import Cost, cost, measure_cost
from pruning.data import datasets
from pruning.data.datasets import DATASETS, Images, normalise
from pruning.inference.classify import Accuracy, Tally, tallies
from pruning.methods.criteria import CRITERIA, Context
from pruning.methods.masks import Masks
from pruning.methods.ranking import Ranking
from pruning.methods.refit import without
from pruning.methods.rules import RULES, Selection, count_removed
from pruning.methods.units import METHODS, UnitGroup, groups, is_block, surviving_units
from pruning.models import checkpoints, prunable
from pruning.recipe.recipe import Recipe

Report = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Pruned:
    """What is left after some steps: a network, shared and never modified, and its masks.

    ``model`` is the trained network itself unless plain layers were taken out of it (``gone``); ``blocks`` are residual
    blocks that were taken out by their masks.
    """

    model: nn.Sequential
    masks: Masks = field(default_factory=lambda: Masks({}))
    gone: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()

    @cached_property
    def parameters(self) -> int:
        """That live, biases and batch norm included."""
        return self.masks.left(self.model)

    def copy(self) -> nn.Sequential:
        """The masked network as a module of its own."""
        model = copy.deepcopy(self.model)
        model.load_state_dict(
            {k: v for k, v in self.masks.apply(self.model).items() if k != "input"}, strict=False
        )
        return model


@dataclass(frozen=True)
class Units:
    """What a step did: ``removed`` of the ``total`` units that took part. ``note`` tells what may surprise."""

    method: str
    total: int
    removed: int
    note: str = ""


@dataclass(frozen=True, eq=False)
class Outcome:
    """Everything that is shown of a recipe.

    ``layers`` has a row per prunable layer: name, kind, shape, weights (dense), kept, sparsity, threshold (of the last
    step's score; NaN where the layer does not take part), macs, macs_left. ``units`` has an entry per step.
    ``dense_accuracy`` is the card's, of the full test set. ``accuracy`` may be of the first images only; it then knows its
    interval.
    """

    recipe: Recipe
    accuracy: Accuracy
    dense_accuracy: float
    dense: Cost
    layers: pd.DataFrame
    parameters: int  # left, biases and batch norm included
    units: tuple[Units, ...]
    warnings: tuple[str, ...]
    seconds: float
    class_correct: tuple[int, ...] = ()  # of the images that were classified
    loss: float = float("nan")  # their mean cross-entropy in nats

    @property
    def removed(self) -> int:
        return int((self.layers["weights"] - self.layers["kept"]).sum())

    @property
    def sparsity(self) -> float:
        """Removed / all prunable weights, as achieved."""
        return self.removed / self.dense.prunable_weights

    @property
    def share(self) -> float:
        """Removed / all that took part in the last step: pixels have no weights that could count as sparsity."""
        return self.units[-1].removed / max(1, self.units[-1].total)

    @property
    def compression(self) -> float:
        """All parameters / parameters left."""
        return self.dense.parameters / self.parameters

    @property
    def macs(self) -> int:
        return int(self.layers["macs_left"].sum())


def model(recipe: Recipe) -> nn.Sequential:
    """The trained network, shared by everybody and never modified."""
    return checkpoints.shared(recipe.network, recipe.dataset)


def groups_of(recipe: Recipe) -> dict[str, UnitGroup]:
    """The groups of the last step, in the network that the steps before have left."""
    data = DATASETS[recipe.dataset]
    return groups(before(recipe).model, recipe.method, recipe.grouping, data.channels, data.size)


def before(recipe: Recipe) -> Pruned:
    """What the steps before the last have left."""
    return pruned(recipe.before) if recipe.before else Pruned(model(recipe))


def ranking(recipe: Recipe, report: Report = lambda share: None) -> Ranking:
    """The sorted scores of the last step's groups that take part; scored and sorted once, whatever the rule."""
    return _ranking(recipe.scoring, report).restrict(recipe.chosen_layers)


def scored(recipe: Recipe) -> bool:
    """Whether `ranking` has its answer at hand."""
    return recipe.scoring in _rankings and (recipe.before is None or scored(recipe.before))


_rankings: LRUCache = LRUCache(
    maxsize=96_000_000, getsizeof=lambda ranked: 24 * ranked.units + 1
)  # bytes, about


# The cache never waits for another thread's result: that thread may itself be waiting for its turn.
@cached(_rankings, key=lambda recipe, report: recipe, lock=threading.Lock())
def _ranking(recipe: Recipe, report: Report) -> Ranking:
    state, found = before(recipe), groups_of(recipe)
    mask = state.masks.get("input")
    left = {
        name: surviving_units(recipe.method, state.model, group, state.masks)
        for name, group in found.items()
    }
    context = Context(
        state.copy(),
        found,
        recipe.method,
        recipe.dataset,
        recipe.calibration,
        recipe.seed,
        recipe.measure,
        None if mask is None else mask.float(),
        left,
        len(recipe.earlier),
        report,
    )
    scores = CRITERIA[recipe.criterion].function(context)
    weights = {name: context.weight(name) for name in found} if recipe.method == "weight" else {}
    return Ranking.of(scores, found, left, weights)


def select(recipe: Recipe) -> Selection:
    """How many units each group loses: a search in the ranking."""
    return RULES[recipe.rule].select(
        ranking(recipe), recipe.value, recipe.scope, dict(recipe.values)
    )


def pruned(recipe: Recipe) -> Pruned:
    """The network and its masks after all steps; the same on every machine."""
    return _pruned(replace(recipe.key, images=None))


# The last 32 MB are remembered.
@cached(
    LRUCache(
        maxsize=32_000_000,
        getsizeof=lambda state: state.masks.bytes + 4 * state.parameters * bool(state.gone),
    ),
    lock=threading.Lock(),
)
def _pruned(recipe: Recipe) -> Pruned:
    state, ranked, choice = before(recipe), ranking(recipe), select(recipe)
    lost = {name: cut.removed(ranked[name]) for name, cut in choice.items()}
    found = groups_of(recipe)
    kept: dict[str, torch.Tensor] = {}
    for name, gone in lost.items():
        kept |= METHODS[recipe.method].masks_for(state.model, found[name], gone)
    masks = state.masks & kept
    if recipe.method != "layer":
        return replace(state, masks=masks)
    units = [
        unit
        for name, gone in lost.items()
        for unit, is_gone in zip(found[name].names, gone.tolist())
        if is_gone
    ]
    plain = [unit for unit in units if not is_block(state.model, unit)]
    blocks = (*state.blocks, *(unit for unit in units if unit not in plain))
    if not plain:
        return replace(state, masks=masks, blocks=blocks)
    return _refitted(recipe, replace(state, masks=masks, blocks=blocks), plain)


def _refitted(recipe: Recipe, state: Pruned, names: list[str]) -> Pruned:
    images, data = (
        datasets.calibration(recipe.dataset, recipe.calibration),
        DATASETS[recipe.dataset],
    )
    left, _ = without(
        state.model,
        state.masks.apply(state.model),
        names,
        lambda: (normalise(part, data) for part in images.pixels.split(256)),
    )
    shapes = {name: p.shape for name, p in left.named_parameters()}
    same = {
        name: p
        for name, p in state.model.named_parameters()
        if name in shapes and left.get_parameter(name) is p
    }
    masks = {}
    for name, mask in state.masks.items():
        if name in same or name == "input":
            masks[name] = mask
        elif (
            name in shapes
        ):  # refitted: its units that were gone stay gone, single weights come back
            rows = state.masks[f"{name.rpartition('.')[0]}.weight"].flatten(1).any(1)
            masks[name] = rows.view(-1, *[1] * (len(shapes[name]) - 1)).expand(shapes[name])
    return replace(state, model=left, masks=Masks(masks), gone=(*state.gone, *names))


def masks(recipe: Recipe) -> Masks:
    """Which parameters of the network of `pruned` live."""
    return pruned(recipe).masks


def test_images(recipe: Recipe) -> Images:
    images = datasets.load(recipe.dataset, "test")
    return (
        Images(images.pixels[: recipe.images], images.labels[: recipe.images])
        if recipe.images
        else images
    )


def run(recipe: Recipe, report: Callable[[Outcome], None] = lambda outcome: None) -> Outcome:
    """Prune and measure.

    Parameters
    ----------
    report : called after each batch with the outcome so far; what it raises ends the work

    Raises
    ------
    CheckpointError, DatasetError : the network or its data cannot be had.
    """
    began = time.perf_counter()
    state, images, data = pruned(recipe), test_images(recipe), DATASETS[recipe.dataset]
    parameters = state.masks.apply(state.model)
    layers = layer_table(recipe, state)
    outcome = Outcome(
        recipe,
        Accuracy(0, 0, data.test_images),
        checkpoints.shared_card(recipe.network, recipe.dataset).test_accuracy,
        cost(recipe.network, recipe.dataset),
        layers,
        state.parameters,
        units(recipe),
        warnings(layers, state),
        0.0,
    )
    tally = Tally()
    for part in tallies(state.model, parameters, images, data):
        tally += part
        outcome = replace(
            outcome,
            accuracy=tally.accuracy(data.test_images),
            class_correct=tally.class_correct,
            loss=tally.mean_loss,
            seconds=time.perf_counter() - began,
        )
        report(outcome)
    return outcome


def units(recipe: Recipe) -> tuple[Units, ...]:
    """What each step did."""
    ranked, choice = ranking(recipe), select(recipe)
    return (
        *(units(recipe.before) if recipe.before else ()),
        Units(recipe.method, ranked.units, count_removed(choice), note(recipe, ranked, choice)),
    )


def note(recipe: Recipe, ranked: Ranking, choice: Selection) -> str:
    """What may surprise in the number of units that a step removes."""
    unit, lost = METHODS[recipe.method].unit, count_removed(choice)
    if recipe.rule == "max_over_n" and recipe.scope == "custom":
        return f"Removed {lost:,}: every {unit} that scores below the largest score of its layer, divided by the layer's n."
    if recipe.rule == "max_over_n" and lost != recipe.value:
        return (
            f"Asked to prune {recipe.value:g}, removed {lost:,}: this rule removes every {unit} that scores below "
            f"1/{recipe.value:g} of the largest score, however many those are."
        )
    full = any(
        group.min_kept and choice[name].count == group.removable for name, group in ranked.items()
    )
    if (
        full
        and recipe.rule == "sparsity"
        and recipe.scope != "custom"
        and lost < round(recipe.value * ranked.units)
    ):
        return f"Asked to remove {recipe.value:.1%}, removed {lost:,} of {ranked.units:,}: one {unit} of each layer stays."
    if recipe.method == "layer" and (gone := set(pruned(recipe).gone) - set(before(recipe).gone)):
        left = pruned(recipe).model
        refitted = [
            f"{name} ({' x '.join(map(str, layer.weight.shape))})"
            for name, layer in prunable(left).items()
            if layer is not prunable(before(recipe).model)[name]
        ]
        return (
            f"Without {', '.join(sorted(gone))}, {' and '.join(refitted)} {'was' if len(refitted) == 1 else 'were'} "
            "refitted to what is read now; weights that earlier steps had removed there come back."
        )
    return ""


def layer_table(recipe: Recipe, state: Pruned) -> pd.DataFrame:
    """A row per prunable layer of the dense network; `Outcome` lists the columns."""
    choice, found = select(recipe), groups_of(recipe)
    thresholds = {
        layer: cut.threshold for name, cut in choice.items() for layer in found[name].layers
    }
    now = {
        layer.name: layer
        for layer in (
            measure_cost(state.model, recipe.dataset)
            if state.gone
            else cost(recipe.network, recipe.dataset)
        ).layers
    }
    rows = []
    for layer in cost(recipe.network, recipe.dataset).layers:
        left = now.get(layer.name)  # None: the layer was taken out
        mask = state.masks.get(f"{layer.name}.weight")
        kept = 0 if left is None else left.weights if mask is None else int(mask.sum())
        rows.append(
            {
                "name": layer.name,
                "kind": layer.kind,
                "shape": " x ".join(map(str, layer.shape)),
                "weights": layer.weights,
                "kept": kept,
                "sparsity": 1 - kept / layer.weights,
                "threshold": thresholds.get(layer.name, float("nan")),
                "macs": layer.macs,
                "macs_left": left.macs * kept // left.weights if left else 0,
            }
        )
    return pd.DataFrame(rows)


def sparsity(recipe: Recipe) -> float:
    """Removed / all prunable weights of the dense network, as achieved; what `Outcome.sparsity` says, without its table."""
    state = pruned(recipe)
    kept = sum(
        int(state.masks[f"{name}.weight"].sum())
        if f"{name}.weight" in state.masks
        else layer.weight.numel()
        for name, layer in prunable(state.model).items()
    )
    return 1 - kept / cost(recipe.network, recipe.dataset).prunable_weights


def warnings(layers: pd.DataFrame, state: Pruned) -> tuple[str, ...]:
    """What a reader of the accuracy must know: which layers have lost everything, and whether any path is left.

    Layers that were taken out as layers are no surprise."""
    names = list(layers["name"])
    lost = [
        name
        for name in layers.loc[layers["kept"] == 0, "name"]
        if name not in state.gone and name.partition(".")[0] not in state.blocks
    ]
    if not lost:
        return ()
    subject = (
        ", ".join(lost)
        if len(lost) <= 4
        else f"{lost[0]}, {lost[1]} and {len(lost) - 2} other layers"
    )
    has = f"{subject} {'has lost all its' if len(lost) == 1 else 'have lost all their'} weights: "
    if any("." not in name for name in lost) or any(
        _closed(block, names, lost) for block in _blocks(lost)
    ):
        return (has + "the network now answers the same for every image.",)
    return (
        has
        + f"only the other path of {'its block' if len(lost) == 1 else 'their blocks'} still carries the image.",
    )


def _blocks(names: list[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def _closed(block: str, names: list[str], lost: list[str]) -> bool:
    """Whether neither path of a residual block lets the image through; an identity shortcut always does."""
    shortcut = {name for name in names if name.startswith(f"{block}.shortcut.")}
    main = {name for name in names if name.startswith(f"{block}.")} - shortcut
    return bool(shortcut & set(lost)) and bool(main & set(lost))


def shares(recipe: Recipe) -> dict[str, np.ndarray]:
    """For each prunable layer the share of removed weights of each output unit; of a layer that was taken out, all."""
    state = pruned(recipe)
    left = state.masks.shares(state.model)
    return {
        name: left.get(name, np.ones(len(layer.weight), np.float32))
        for name, layer in prunable(model(recipe)).items()
    }


def scores(recipe: Recipe, group: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The last step's scores of a group, or of all that take part, and which units are kept: (n,) float32, (n,) bool."""
    ranked, choice = ranking(recipe), select(recipe)
    names = [name for name in ranked if group in (None, name)]
    kept = [~choice[name].removed(ranked[name]).numpy()[ranked[name].order] for name in names]
    return (
        np.concatenate([ranked[name].values for name in names] or [np.empty(0, np.float32)]),
        np.concatenate(kept or [np.empty(0, bool)]),
    )


def weights(recipe: Recipe, layer: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The weights of a layer before masking, or of all prunable ones, and which of them are kept: (n,) float32, (n,) bool."""
    network = pruned(recipe).model
    kept = masks(recipe).complete(network)
    tensors = {
        name: module.weight for name, module in prunable(network).items() if layer in (None, name)
    }
    return (
        np.concatenate([tensor.detach().numpy().ravel() for tensor in tensors.values()]),
        np.concatenate([kept[f"{name}.weight"].numpy().ravel() for name in tensors]),
    )

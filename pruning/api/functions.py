"""Functions of ``import pruning`` that take any network and its data."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from torch import nn

from pruning.api.pruned import PrunedNetwork
from pruning.api.subject import subject_of
from pruning.engine.evaluate import evaluate as evaluate_recipes
from pruning.engine.prune import prune as prune_recipe
from pruning.experiments.curve_request import DEFAULT_POINTS, DEFAULT_SEEDS, CurveRequest
from pruning.experiments.curve_table import curves_table
from pruning.experiments.curves import measure_curves
from pruning.experiments.sensitivity import LEVELS, SensitivityScan, scan_layers
from pruning.recipe.recipe import Recipe
from pruning.training.retrain import recipe_of_run
from pruning.training.retrain import retrain as train
from pruning.training.spec import default_spec


def prune(module: nn.Module | str | Recipe, data: Any = None, **settings: Any) -> PrunedNetwork:
    """Prune a network.

    Parameters
    ----------
    module : nn.Module, str or Recipe
        Any network of convolutions and linear layers, a name in ``NETWORKS``, or a recipe, which
        has all that follows.
    data : object
        Images and labels: two tensors, a Dataset, a DataLoader, a mapping of them for ``"train"``
        and ``"test"``, the result of `register_dataset`, or a name in ``DATASETS``.
    **settings
        Such as ``method="filter"``, ``criterion="taylor"``, ``sparsity=0.5``, ``scope="layer"``,
        ``recovery=("reconstruct",)``: fields of `Step` and `Recipe`.

    Returns
    -------
    PrunedNetwork
        The network with masks; the module that was given is not modified.

    Raises
    ------
    UnsupportedNetworkError, DatasetError
        If the network or the data cannot be used; the message says why.
    ValueError
        A setting that is unknown or out of range, or settings that do not go together.

    Examples
    --------
    >>> pruned = pruning.prune(model, (images, labels), method="filter", sparsity=0.5)
    >>> smaller = pruned.removed()
    """
    if isinstance(module, Recipe):
        if data is not None or settings:
            raise ValueError("a recipe has its data and settings: give only the recipe")
        return PrunedNetwork(prune_recipe(module))
    recipe = subject_of(module, _required(data)).recipe(**settings)
    given = module if isinstance(module, nn.Module) else None
    return PrunedNetwork(prune_recipe(recipe), given)


def compare(
    module: nn.Module | str,
    data: Any,
    columns: Mapping[str, Mapping[str, Any]],
    split: str = "test",
) -> pd.DataFrame:
    """Measure several prunings of one network.

    Parameters
    ----------
    module, data
        As of `prune`.
    columns : mapping of str to mapping
        Settings of `prune` for each name, such as ``{"filters": {"method": "filter"}}``.
    split : str
        ``"test"``, or ``"validation"`` where something is chosen by the result.

    Returns
    -------
    pd.DataFrame
        A row for each name: accuracy, the 95% interval (low, high) of the accuracy on all images
        like these, number of images, sparsity, masked and effective parameters and MACs. The first
        row is the dense network.

    Raises
    ------
    UnsupportedNetworkError, DatasetError, ValueError
        As of `prune`.
    """
    if not columns:
        raise ValueError("there is nothing to compare: give the settings of at least one pruning")
    subject = subject_of(module, data)
    recipes = {name: subject.recipe(**settings) for name, settings in columns.items()}
    dense = next(iter(recipes.values())).unpruned
    names = ["dense", *recipes]
    rows = []
    for evaluation in evaluate_recipes([dense, *recipes.values()], split):
        low, high = evaluation.accuracy.sample_interval
        rows.append(
            {
                "accuracy": evaluation.accuracy.value,
                "low": low,
                "high": high,
                "images": evaluation.accuracy.images,
                "sparsity": evaluation.sparsity,
                "masked_parameters": evaluation.masked.parameters,
                "effective_parameters": evaluation.effective.parameters,
                "masked_macs": evaluation.masked.macs,
                "effective_macs": evaluation.effective.macs,
            }
        )
    return pd.DataFrame(rows, index=pd.Index(names, name="pruning"))


def curve(
    module: nn.Module | str,
    data: Any,
    curves: Sequence[Mapping[str, Any]] = ({},),
    *,
    points: int = DEFAULT_POINTS,
    seeds: int = DEFAULT_SEEDS,
) -> pd.DataFrame:
    """Measure the accuracy at several sparsities.

    Parameters
    ----------
    module, data
        As of `prune`.
    curves : sequence of mapping
        Settings of `prune` for each curve.
    points : int
        Number of even sparsities from 0; 0 for the effective compression ratios 1 to 32.
    seeds : int
        Number of seeds of curves with a random criterion.

    Returns
    -------
    pd.DataFrame
        A row for each point.

    Raises
    ------
    UnsupportedNetworkError, DatasetError, ValueError
        As of `prune`.
    """
    subject = subject_of(module, data)
    recipes = tuple(subject.recipe(**settings) for settings in curves)
    return curves_table(measure_curves(CurveRequest(recipes, points, seeds)))


def sensitivity(
    module: nn.Module | str, data: Any, *, levels: Sequence[float] = LEVELS, **settings: Any
) -> SensitivityScan:
    """Prune each layer alone, at several sparsities, and measure the validation accuracy.

    Parameters
    ----------
    module, data
        As of `prune`.
    levels : sequence of float
        Sparsities of one layer alone.
    **settings
        As of `prune`: method and criterion.

    Returns
    -------
    SensitivityScan
        ``accuracies`` is a table of layers and levels.

    Raises
    ------
    UnsupportedNetworkError, DatasetError, ValueError
        As of `prune`.
    """
    return scan_layers(subject_of(module, data).recipe(**settings), levels=levels)


def retrain(
    module: nn.Module | str,
    data: Any,
    *,
    schedule: str = "finetune",
    training: Mapping[str, Any] | None = None,
    **settings: Any,
) -> PrunedNetwork:
    """Prune and train; an interrupted run is continued by the same call.

    Parameters
    ----------
    module, data
        As of `prune`.
    schedule : str
        Name in ``SCHEDULES``: how pruning and training follow each other.
    training : mapping of str to object, optional
        Fields of `RunSpec`, such as ``{"epochs": 5, "learning_rate": 0.01}``.
    **settings
        As of `prune`.

    Returns
    -------
    PrunedNetwork
        The retrained network with its masks.

    Raises
    ------
    UnsupportedNetworkError, DatasetError, ValueError
        As of `prune`.
    RunError
        If the run cannot be written or continued.
    """
    recipe = subject_of(module, data).recipe(**settings)
    spec = default_spec(recipe, schedule, **(training or {}))
    train(spec)
    given = module if isinstance(module, nn.Module) else None
    return PrunedNetwork(prune_recipe(recipe_of_run(spec)), given)


def _required(data: Any) -> Any:
    if data is None:
        raise ValueError("a network is pruned for its data: give images and labels")
    return data

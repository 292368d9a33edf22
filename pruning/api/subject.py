"""What is pruned: a network and its data, of this package or of the user."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from pruning.data.base import DATASETS, Dataset
from pruning.data.own_dataset import register_dataset
from pruning.models import NETWORKS
from pruning.models.own_network import register_network
from pruning.recipe.recipe import Recipe
from pruning.recipe.step import Step

RECIPE_FIELDS = ("calibration", "max_test_images", "seed", "recovery", "checkpoint")
"""Settings that belong to the recipe; all others belong to its step."""


@dataclass(frozen=True)
class Subject:
    """A network and a dataset that are registered.

    Parameters
    ----------
    network, dataset : str
        Names in ``NETWORKS`` and ``DATASETS``.
    """

    network: str
    dataset: str

    def recipe(self, **settings: Any) -> Recipe:
        """Make a recipe of one step.

        Parameters
        ----------
        **settings
            Fields of `Step`, and ``calibration``, ``max_test_images``, ``seed``, ``recovery`` and
            ``checkpoint`` of `Recipe`. ``sparsity=0.5`` is short for ``value=0.5``.

        Returns
        -------
        Recipe
            The recipe.

        Raises
        ------
        ValueError
            A setting that is unknown or out of range, or settings that do not go together.
        """
        return Recipe.one_step(self.network, self.dataset, **step_settings(settings))


def step_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Check the names of settings, and write ``sparsity`` as a value of the rule.

    Parameters
    ----------
    settings : dict of str to object
        As of `Subject.recipe`.

    Returns
    -------
    dict of str to object
        Arguments of `Recipe.one_step`.

    Raises
    ------
    ValueError
        A name that is unknown, or ``sparsity`` beside another rule or a value.
    """
    settings = dict(settings)
    if "sparsity" in settings:
        if "value" in settings or settings.get("rule", "sparsity") != "sparsity":
            raise ValueError("sparsity is the value of the rule 'sparsity': give only one of them")
        settings["value"] = settings.pop("sparsity")
    valid = [*Step.__dataclass_fields__, *RECIPE_FIELDS]
    for name in settings:
        if name not in valid:
            raise ValueError(
                f"unknown setting {name!r}: choose from {', '.join(['sparsity', *valid])}"
            )
    return settings


def subject_of(module: nn.Module | str, data: Any) -> Subject:
    """Register a network and its data, if they are not registered.

    Parameters
    ----------
    module : nn.Module or str
        Any network of convolutions and linear layers, or a name in ``NETWORKS``.
    data : object
        A name in ``DATASETS``, a `Dataset`, or what `register_dataset` accepts.

    Returns
    -------
    Subject
        Their names.

    Raises
    ------
    UnsupportedNetworkError, DatasetError
        If the network or the data cannot be used; the message says why.
    ValueError
        If a name is unknown.
    """
    dataset = _dataset(data)
    if isinstance(module, str):
        return Subject(NETWORKS.require(module).name, dataset.name)
    if not isinstance(module, nn.Module):
        raise TypeError(f"a network is an nn.Module or a name, not {type(module).__name__}")
    shape = (dataset.channels, dataset.size, dataset.size)
    return Subject(register_network(module, shape, type(module).__name__).name, dataset.name)


def _dataset(data: Any) -> Dataset:
    if isinstance(data, str):
        return DATASETS.require(data)
    return data if isinstance(data, Dataset) else register_dataset(data)

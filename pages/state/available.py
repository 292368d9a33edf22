"""What is on this machine: networks with a checkpoint, and their data."""

from collections.abc import Mapping

from pages.state.own_networks import DATASET, NETWORK, is_visible, own_pairs
from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.models import DEFAULT_NETWORK, NETWORKS, checkpoints, own_network
from pruning.runtime.registry import Registry

REGISTRIES: dict[str, Registry] = {NETWORK: NETWORKS, DATASET: DATASETS}
"""Registries by the fields of a recipe that name an entry."""
MAX_NAME = 60
"""Characters of an unknown name that a message quotes."""


def available_checkpoints() -> dict[str, list[str]]:
    """Return the networks that can be shown.

    Returns
    -------
    dict of str to list of str
        The datasets on which each network was trained and that are on this machine; the uploads
        of the current visitor come last.
    """
    found: dict[str, list[str]] = {}
    for network, dataset in (*checkpoints.shipped(), *own_pairs()):
        if datasets.available(dataset):
            found.setdefault(network, []).append(dataset)
    return found


def default_pair() -> tuple[str, str]:
    """Return the network and the dataset of a new session.

    Returns
    -------
    tuple of str
        Names in ``NETWORKS`` and ``DATASETS``; a network of the owner comes first.
    """
    found = available_checkpoints()
    own = [name for name in NETWORKS if NETWORKS[name].own is not None]
    network = DEFAULT_NETWORK if DEFAULT_NETWORK in found else next(iter(found))
    if own:  # the owner has started the application on it
        network = own[-1]
    return network, found[network][-1]


def check_available(network: str, dataset: str) -> None:
    """Check that a trained network and its data are on this machine.

    Parameters
    ----------
    network, dataset : str
        Names in ``NETWORKS`` and ``DATASETS``.

    Raises
    ------
    ValueError
        One of them is not; the message says which pairs are.
    """
    found = available_checkpoints()
    if dataset in found.get(network, []):
        return
    label = DATASETS[dataset].label
    if not datasets.available(dataset):
        problem = f"{label} is not on this machine"
    else:
        problem = f"{label} has no checkpoint for {NETWORKS[network].label}"
    pairs = []
    for name, names_of_datasets in found.items():
        pairs += [f"{name} on {dataset_name}" for dataset_name in names_of_datasets]
    raise ValueError(f"{problem}: choose from {', '.join(pairs)}")


def check_names(content: object) -> None:
    """Check the names of a network and a dataset, before a recipe is made of them.

    The message of the registry would list names without a checkpoint or data on this machine.

    Parameters
    ----------
    content : object
        Fields of a recipe or of a link. Nothing is checked of anything else, nor if a name is
        missing.

    Raises
    ------
    ValueError
        A name is not registered; the message lists the names that are on this machine.
    """
    if not isinstance(content, Mapping):
        return
    for key in REGISTRIES:
        if key not in content or is_visible(key, content[key]):
            continue
        if str(content[key]).startswith(own_network.PREFIX):
            raise ValueError(
                f"the {key} {repr(content[key])[:MAX_NAME]} is not kept for this browser: it was "
                "deleted, or belongs to another visitor; upload it on the page Your network"
            )
        valid = ", ".join(_names_on_this_machine(key))
        raise ValueError(f"unknown {key} {repr(content[key])[:MAX_NAME]}: choose from {valid}")


def _names_on_this_machine(key: str) -> list[str]:
    found = available_checkpoints()
    if key == "network":
        return list(found)
    names_of_datasets: list[str] = []
    for names in found.values():
        names_of_datasets += names
    return list(dict.fromkeys(names_of_datasets))

"""Retraining runs as a table, and what was made from what."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from pruning.recipe.labels import recipe_label
from pruning.training.run_files import RunInfo
from pruning.training.schedules import SCHEDULES


@dataclass(frozen=True)
class RunNode:
    """A node of the map of runs.

    Parameters
    ----------
    name : str
        Name of the run; of a dense checkpoint, network and dataset.
    label : str
        Text of the node.
    parent : str
        Name of the node that it was made from; empty for a dense checkpoint.
    depth : int
        Number of nodes between it and the dense checkpoint, itself included.
    accuracy : float or None
        On the test images; None if the run is not finished.
    is_run : bool
        Whether it is a run.
    schedule : str
        Label of its schedule; empty for a dense checkpoint.
    """

    name: str
    label: str
    parent: str
    depth: int
    accuracy: float | None
    is_run: bool
    schedule: str = ""


def runs_table(runs: Sequence[RunInfo]) -> pd.DataFrame:
    """Return a row for each run.

    Parameters
    ----------
    runs : sequence of RunInfo
        Runs, damaged ones included.

    Returns
    -------
    pd.DataFrame
        Name, state, recipe, schedule, epochs, accuracies and problem.
    """
    rows = []
    for run in runs:
        row = {
            "run": run.name,
            "state": run.state,
            "network": "",
            "dataset": "",
            "recipe": "",
            "schedule": "",
            "epochs": run.epochs,
            "test_accuracy": None if run.card is None else run.card.test_accuracy,
            "sparsity": run.sparsity,
            "problem": run.problem,
        }
        if run.spec is not None:
            recipe = run.spec.recipe
            row["network"], row["dataset"] = recipe.network, recipe.dataset
            row["recipe"] = recipe_label(recipe, with_value=True)
            row["schedule"] = SCHEDULES[run.spec.schedule].label
        rows.append(row)
    columns = list(rows[0]) if rows else ["run", "state"]
    return pd.DataFrame(rows, columns=columns)


def run_map(runs: Sequence[RunInfo], dense_accuracy: dict[str, float]) -> list[RunNode]:
    """Return the runs with what they were made from.

    Parameters
    ----------
    runs : sequence of RunInfo
        Runs; those that cannot be read are left out.
    dense_accuracy : dict of str to float
        Test accuracy of each dense checkpoint, by network and dataset with a space between.

    Returns
    -------
    list of RunNode
        Dense checkpoints first; a parent always stands before its children. A run whose parent is
        not there any more begins at the dense checkpoint.
    """
    readable = [run for run in runs if run.spec is not None]
    nodes: dict[str, RunNode] = {}
    for run in readable:
        assert run.spec is not None
        name = f"{run.spec.recipe.network} {run.spec.recipe.dataset}"
        if name not in nodes:
            nodes[name] = RunNode(name, name, "", 0, dense_accuracy.get(name), False)
    waiting = sorted(readable, key=lambda run: run.created)
    names = {run.name for run in waiting}
    while waiting:
        later = []
        for run in waiting:
            assert run.spec is not None
            recipe = run.spec.recipe
            parent = recipe.checkpoint
            if parent in names and parent not in nodes and parent != run.name:
                later.append(run)
                continue
            if parent not in nodes:
                parent = f"{recipe.network} {recipe.dataset}"
            nodes[run.name] = _node(run, nodes[parent])
        if len(later) == len(waiting):  # a circle, which only damaged files can have
            break
        waiting = later
    return list(nodes.values())


def _node(run: RunInfo, parent: RunNode) -> RunNode:
    """Make the node of a run; only its sparsity is named if its parent has the same schedule."""
    assert run.spec is not None
    accuracy = None if run.card is None else run.card.test_accuracy
    schedule, sparsity = SCHEDULES[run.spec.schedule].label, f"{run.sparsity:.1%}"
    is_repeated = parent.is_run and parent.schedule == schedule
    label = sparsity if is_repeated else f"{schedule}, {sparsity}"
    return RunNode(run.name, label, parent.name, parent.depth + 1, accuracy, True, schedule)

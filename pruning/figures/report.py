"""A pruning as one HTML page: what was done, what it costs, and what the numbers came from."""

import html
import json
import platform
from importlib.metadata import version

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pruning.cost.report import CostReport
from pruning.data.datasets import DATASETS
from pruning.engine.evaluation import Evaluation
from pruning.engine.pruned_network import PrunedNetwork
from pruning.engine.trained_network import trained_sha256
from pruning.figures.class_matrix import class_accuracy_figure
from pruning.figures.heatmap import removal_heatmap
from pruning.figures.html_page import html_page
from pruning.models import NETWORKS
from pruning.recipe.labels import recipe_label
from pruning.recipe.serialization import recipe_to_dict

NAMES = ("dense", "pruned")
PACKAGES = ("torch", "numpy", "plotly")


def report_page(
    pruned: PrunedNetwork, evaluation: Evaluation, dense: Evaluation, costs: CostReport
) -> str:
    """Write the report of a pruning.

    Parameters
    ----------
    pruned : PrunedNetwork
        The network.
    evaluation, dense : Evaluation
        Of the network and of the one before pruning, on test images.
    costs : CostReport
        Costs of the dense, masked and removed network.

    Returns
    -------
    str
        HTML that needs no other file.
    """
    recipe = pruned.recipe
    network, data = NETWORKS[recipe.network], DATASETS[recipe.dataset]
    title = f"{network.label} on {data.label}: {recipe_label(recipe, with_value=True)}"
    figures: dict[str, go.Figure] = {
        "Share removed of each unit": removal_heatmap(pruned.removed_share_by_unit)
    }
    if len(data.classes) > 1:
        before, after = dense.class_accuracy(), evaluation.class_accuracy()
        figures["Accuracy of each class"] = class_accuracy_figure(
            before, after, data.classes, NAMES
        )
    agreement = "agree" if costs.agrees else "do not agree"
    sections = {
        "Accuracy": _table(_accuracies(dense, evaluation)),
        "Costs": _table(costs.table()),
        "Masked and removed": _paragraph(
            f"The logits {agreement}: largest difference {costs.difference:.1e} on "
            f"{costs.compared_images:,} test images. {' '.join(costs.remarks)}"
        ),
        "Layers": _table(_layers(pruned)),
        "Recipe": f"<pre>{html.escape(json.dumps(recipe_to_dict(recipe), indent=1))}</pre>",
        "Made with": _table(_origins(pruned)),
    }
    return html_page(title, figures, sections)


def _accuracies(dense: Evaluation, evaluation: Evaluation) -> pd.DataFrame:
    rows = []
    for name, each in zip(NAMES, (dense, evaluation), strict=True):
        low, high = each.accuracy.sample_interval
        rows.append(
            {
                "network": name,
                "test accuracy": f"{each.accuracy.value:.2%}",
                "correct": f"{each.accuracy.correct:,} of {each.accuracy.images:,}",
                "95% interval, taken as a sample": f"{low:.2%} to {high:.2%}",
                "sparsity": f"{each.sparsity:.2%}",
            }
        )
    return pd.DataFrame(rows)


def _layers(pruned: PrunedNetwork) -> pd.DataFrame:
    table = pruned.layer_table
    table = table.assign(sparsity=table["sparsity"].map("{:.2%}".format))
    return table.replace({"threshold": {np.nan: ""}})


def _origins(pruned: PrunedNetwork) -> pd.DataFrame:
    versions = {name: version(name) for name in PACKAGES}
    rows = {
        "weights, sha256": trained_sha256(pruned.recipe),
        "Python": platform.python_version(),
        **versions,
    }
    return pd.DataFrame({"what": list(rows), "version": list(rows.values())})


def _table(table: pd.DataFrame) -> str:
    return table.to_html(index=False, border=0, justify="left")


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"

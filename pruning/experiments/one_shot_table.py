"""Tables of the one-shot benchmark: accuracies, and points lost beside the published ones."""

import pandas as pd

from pruning.data.datasets import DATASETS
from pruning.experiments.one_shot import Measured, OneShotResult, usual_sparsities
from pruning.experiments.published_one_shot import SOURCE, published_one_shot
from pruning.experiments.results_document import to_markdown
from pruning.models import NETWORKS

PROTOCOL = (
    "Masks: the weights with the lowest scores are removed, all layers together, in one pass; "
    "`obs + reconstruct` removes them by the criterion `obs`, scored on the same draw; with `obs "
    "greedy`, weights are removed one after the other, each with the update of the others. After "
    "the training of the dense network, no gradient and no label is used. Nothing was chosen by "
    "the test images."
)
OTHER_NETWORK = (
    "The dense network is another one than the published: losses compare better than accuracies."
)
OTHER_INFORMATION = (
    "WoodFisher, CBS and CHITA choose and update weights by gradients of the loss on labelled "
    "training images, CHITA++ in several stages."
)
NO_RECALIBRATION = "The published accuracies are without recalibration of the batch norms."
UNKNOWN_SPREAD = "The spread of the published accuracies is not known here."


def accuracy_table(result: OneShotResult) -> pd.DataFrame:
    """Tabulate the test accuracies.

    Parameters
    ----------
    result : OneShotResult
        What was measured.

    Returns
    -------
    pd.DataFrame
        Texts: a row for each sparsity, a column for each variant; percent, mean and standard
        deviation over the draws.
    """
    columns: dict[str, list[str]] = {"sparsity": _sparsities(result)}
    for name, measured in result.measured.items():
        columns[name] = [_with_deviation(item.mean, item) for item in measured]
    return pd.DataFrame(columns)


def loss_table(result: OneShotResult) -> pd.DataFrame:
    """Tabulate the accuracy lost, each relative to its own dense network.

    Parameters
    ----------
    result : OneShotResult
        What was measured.

    Returns
    -------
    pd.DataFrame
        Texts: a row for each sparsity, a column for each variant and each published method;
        percentage points, mean and standard deviation over the draws.
    """
    columns: dict[str, list[str]] = {"sparsity": _sparsities(result)}
    for name, measured in result.measured.items():
        columns[name] = [_with_deviation(result.dense - item.mean, item) for item in measured]
    columns |= _published_losses(result)
    return pd.DataFrame(columns)


def section_title(result: OneShotResult, file_name: str = "") -> str:
    """Return the title of the section of a network.

    Parameters
    ----------
    result : OneShotResult
        What was measured.
    file_name : str
        Name of the file of its weights; empty for the shipped ones.

    Returns
    -------
    str
        One line.
    """
    network, dataset = NETWORKS[result.plan.network], DATASETS[result.plan.dataset]
    title = f"One-shot pruning: {network.label} on {dataset.label}"
    return f"{title}, {file_name}" if file_name else title


def section_body(result: OneShotResult, checkpoint_options: str = "") -> str:
    """Describe the measurement and its tables in Markdown.

    Parameters
    ----------
    result : OneShotResult
        What was measured.
    checkpoint_options : str
        Options of the command that name other weights than the shipped ones.

    Returns
    -------
    str
        The section without its title.
    """
    published = published_one_shot(result.plan.network, result.plan.dataset)
    paragraphs = [
        f"Measured by `{_command(result, checkpoint_options)}`.",
        _description(result),
        PROTOCOL,
        "Test accuracy in percent:",
        to_markdown(accuracy_table(result)),
    ]
    if published is None:
        return "\n\n".join(paragraphs)
    paragraphs += [
        "Percentage points lost, each relative to its own dense network (published: "
        f"{100 * published.dense:.2f}%):",
        to_markdown(loss_table(result)),
        f"Published: {SOURCE}.",
        f"Differences of protocol: {_differences(result, checkpoint_options)}",
    ]
    return "\n\n".join(paragraphs)


def _differences(result: OneShotResult, checkpoint_options: str) -> str:
    sentences = []
    if not checkpoint_options:
        sentences.append(OTHER_NETWORK)
    sentences.append(OTHER_INFORMATION)
    if "batch_norm" in result.measured:
        sentences.append(NO_RECALIBRATION)
    sentences.append(UNKNOWN_SPREAD)
    return " ".join(sentences)


def _command(result: OneShotResult, checkpoint_options: str) -> str:
    plan = result.plan
    words = [
        "python -m pruning benchmark one-shot",
        f"--network {plan.network} --dataset {plan.dataset}",
        f"--draws {plan.draws} --calibration {plan.calibration}",
    ]
    if plan.sparsities != usual_sparsities(plan.network, plan.dataset):
        words.append(f"--sparsities {','.join(_sparsities(result))}")
    if plan.max_test_images is not None:
        words.append(f"--images {plan.max_test_images}")
    if checkpoint_options:
        words.append(checkpoint_options)
    return " ".join(words)


def _description(result: OneShotResult) -> str:
    plan = result.plan
    images = plan.max_test_images or DATASETS[plan.dataset].test_images
    text = (
        f"Dense test accuracy {100 * result.dense:.2f}% ({images:,} images). Mean ± standard "
        f"deviation over {plan.draws} disjoint draws of {plan.calibration:,} training images."
    )
    published = published_one_shot(plan.network, plan.dataset)
    if published is None or not published.kept_layers:
        return text
    names = " and ".join(published.kept_layers)
    return f"{text} As in the published benchmark, {names} are not pruned."


def _published_losses(result: OneShotResult) -> dict[str, list[str]]:
    plan = result.plan
    published = published_one_shot(plan.network, plan.dataset)
    if published is None:
        return {}
    columns = {}
    for method, accuracies in published.accuracies.items():
        losses = {}
        for sparsity, accuracy in zip(published.sparsities, accuracies, strict=True):
            losses[sparsity] = f"{100 * (published.dense - accuracy):.2f}"
        columns[method] = [losses.get(sparsity, "") for sparsity in plan.sparsities]
    return columns


def _sparsities(result: OneShotResult) -> list[str]:
    return [f"{sparsity:g}" for sparsity in result.plan.sparsities]


def _with_deviation(share: float, measured: Measured) -> str:
    """Percent with two decimals, with the deviation if there is one."""
    text = f"{100 * share:.2f}"
    if measured.deviation is None:
        return text
    return f"{text} ± {100 * measured.deviation:.2f}"

"""The commands ``benchmark``: measurements beside published ones."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pruning.cli.options import (
    FILE,
    TorchCommand,
    data_dir_option,
    fetch_dataset,
    images_option,
    json_option,
    print_json,
    progress_bar,
)
from pruning.runtime.defaults import DEFAULT_CALIBRATION

if TYPE_CHECKING:
    from torch import nn

    from pruning.experiments.one_shot import OneShotPlan, OneShotResult


class Numbers(click.ParamType):
    """Numbers separated by commas."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Convert the text of the option."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(number) for number in value.split(","))
        except ValueError:
            self.fail(f"must be numbers separated by commas, not {value!r}", param, ctx)


@click.group()
def benchmark() -> None:
    """Measure what is published, in the same setting."""


@benchmark.command(name="one-shot", cls=TorchCommand)
@click.option("--network", help="Network [default: the published ones].")
@click.option("--dataset", help="Dataset [default: that of the published benchmark].")
@click.option(
    "--draws",
    type=int,
    default=5,
    show_default=True,
    metavar="INTEGER",
    help="Number of disjoint draws of calibration images; the tables show mean and standard "
    "deviation.",
)
@click.option(
    "--calibration",
    type=int,
    default=DEFAULT_CALIBRATION,
    show_default=True,
    metavar="INTEGER",
    help="Training images of each draw.",
)
@click.option(
    "--sparsities",
    type=Numbers(),
    default=(),
    help="Such as 0.5,0.9 [default: the published ones, or 0.5 to 0.9].",
)
@click.option(
    "--checkpoint",
    type=FILE,
    metavar="FILE",
    help="Trained weights of another project instead of the shipped ones, with --network: a "
    "safetensors file, or a PyTorch file of tensors, which is read without running code from it. "
    "Tensors are taken in their order, from the top level or from state_dict or model_state_dict; "
    "names and shapes must fit. The network must expect images with the mean of the dataset and "
    "its standard deviation, or that of --std.",
)
@click.option(
    "--std",
    type=Numbers(),
    help="With --checkpoint: standard deviations of the pixels, in [0, 1], that its network "
    "expects; 0.2023,0.1994,0.2010 for the ResNet-20 of WoodFisher and CHITA. The ratio is "
    "multiplied into the first layer [default: that of the dataset].",
)
@images_option
@click.option(
    "--write",
    type=FILE,
    metavar="FILE",
    help="Write the tables as a section of a Markdown document, such as docs/results.md.",
)
@data_dir_option
@json_option
def one_shot(
    network: str | None,
    dataset: str | None,
    checkpoint: Path | None,
    std: tuple[float, ...] | None,
    write: Path | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Prune once and recover without training.

    Weights are removed by global magnitude, and by OBS; the remaining ones are kept (masked),
    or recovered by batch_norm or reconstruct. Test accuracies stand beside the published ones of
    WoodFisher, CBS and CHITA.
    """
    from pruning.experiments.one_shot import measure_one_shot

    if std is not None and checkpoint is None:
        raise ValueError("--std is for the network of --checkpoint: give both or neither")
    if checkpoint is not None and network is None:
        raise ValueError("--checkpoint needs --network: the name of the network in the file")
    plans = _plans(network, dataset, settings)
    skipped = [] if network else [plan for plan in plans if not _is_available(plan)]
    results = []
    for plan in plans:
        if plan in skipped:
            continue
        fetch_dataset(plan.dataset)
        model = _model(plan, checkpoint, std)
        with progress_bar(f"{plan.network} on {plan.dataset}") as report:
            result = measure_one_shot(plan, model, report)
        results.append(result)
        if write is not None:
            _write_section(result, checkpoint, std, write)
    _print(results, [f"{plan.network} on {plan.dataset}" for plan in skipped], as_json)


def _plans(
    network: str | None, dataset: str | None, settings: dict[str, Any]
) -> list["OneShotPlan"]:
    """Plans of the network that was named, or of all published benchmarks."""
    from pruning.experiments.one_shot import OneShotPlan
    from pruning.experiments.published_one_shot import PUBLISHED_ONE_SHOT
    from pruning.models import NETWORKS

    if network is None and dataset is not None:
        raise ValueError("--dataset needs --network")
    if network is not None:
        NETWORKS.require(network)
    pairs = []
    for published in PUBLISHED_ONE_SHOT:
        if network in (None, published.network):
            pairs.append((published.network, published.dataset))
    if network is not None and dataset is not None:
        pairs = [(network, dataset)]
    if not pairs:
        raise ValueError(f"there is no published benchmark of {network}: give --dataset")
    plans = []
    for pair in pairs:
        plan = OneShotPlan(
            *pair,
            draws=settings["draws"],
            calibration=settings["calibration"],
            max_test_images=settings["images"],
            sparsities=settings["sparsities"],
        )
        plans.append(plan)
    return plans


def _is_available(plan: "OneShotPlan") -> bool:
    """Whether the data are there, and the network is shipped with trained weights."""
    from pruning.data import datasets
    from pruning.models import checkpoints

    pair = (plan.network, plan.dataset)
    return pair in checkpoints.shipped() and datasets.available(plan.dataset)


def _model(
    plan: "OneShotPlan", checkpoint: Path | None, std: tuple[float, ...] | None
) -> "nn.Module":
    from pruning.models import checkpoints
    from pruning.models.published_checkpoints import read_published

    if checkpoint is None:
        return checkpoints.shared_model(plan.network, plan.dataset)
    return read_published(checkpoint, plan.network, plan.dataset, std)


def _write_section(
    result: "OneShotResult", checkpoint: Path | None, std: tuple[float, ...] | None, path: Path
) -> None:
    from pruning.experiments.one_shot_table import section_body, section_title
    from pruning.experiments.results_document import replace_section

    file_name, options = "", []
    if checkpoint is not None:
        file_name = checkpoint.name
        options.append(f"--checkpoint {file_name}")
    if std is not None:
        options.append(f"--std {','.join(f'{value:g}' for value in std)}")
    replace_section(path, section_title(result, file_name), section_body(result, " ".join(options)))


def _print(results: list["OneShotResult"], skipped: list[str], as_json: bool) -> None:
    if as_json:
        print_json({"benchmarks": [_to_dict(result) for result in results], "skipped": skipped})
        return
    for result in results:
        click.echo(_to_text(result))
    for name in skipped:
        click.echo(f"skipped, as its data or its checkpoint is missing: {name}")


def _to_dict(result: "OneShotResult") -> dict[str, Any]:
    from pruning.experiments.published_one_shot import published_one_shot

    plan = result.plan
    measured: dict[str, list[dict[str, Any]]] = {}
    for name, items in result.measured.items():
        measured[name] = [
            {"mean": item.mean, "deviation": item.deviation, "accuracies": item.accuracies}
            for item in items
        ]
    published = published_one_shot(plan.network, plan.dataset)
    return {
        **asdict(plan),
        "dense": result.dense,
        "measured": measured,
        "published": asdict(published) if published else None,
    }


def _to_text(result: "OneShotResult") -> str:
    from pruning.experiments.one_shot_table import accuracy_table, loss_table, section_title

    lines = [
        section_title(result),
        f"dense {100 * result.dense:.2f}",
        "",
        "test accuracy, %",
        accuracy_table(result).to_string(index=False),
        "",
        "points lost, each relative to its own dense network",
        loss_table(result).to_string(index=False),
        "",
    ]
    return "\n".join(lines)

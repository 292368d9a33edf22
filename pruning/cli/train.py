"""The command ``train``: a network from scratch."""

from dataclasses import asdict, replace
from pathlib import Path

import click

from pruning.cli.options import (
    FOLDER,
    TorchCommand,
    data_dir_option,
    fetch_dataset,
    json_option,
    print_json,
)
from pruning.runtime.defaults import MAX_SEED

MAX_EPOCHS = 10_000


@click.command(cls=TorchCommand)
@click.argument("network")
@click.argument("dataset")
@click.option(
    "--seed",
    type=click.IntRange(0, MAX_SEED),
    default=0,
    show_default=True,
    metavar="INTEGER",
    help="Seed of the initial weights, the order of the images and the augmentation.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1, MAX_EPOCHS),
    metavar="INTEGER",
    help="Number of epochs [default: as for the shipped checkpoints].",
)
@click.option(
    "--out",
    type=FOLDER,
    help="Folder of the weights and the card [default: the folder of the shipped checkpoints].",
)
@data_dir_option
@json_option
def train(
    network: str, dataset: str, seed: int, epochs: int | None, out: Path | None, as_json: bool
) -> None:
    """Train a network from scratch.

    The state is saved after each epoch: an interrupted training continues from there.
    """
    from tqdm import tqdm

    from pruning.models import checkpoints
    from pruning.training import from_scratch

    plan = replace(from_scratch.default_plan(network, dataset), seed=seed)
    if epochs is not None:
        plan = replace(plan, epochs=epochs)
    fetch_dataset(dataset)
    with tqdm(unit=" steps", desc=f"{network} on {dataset}", disable=None) as bar:

        def report(epoch: int, epochs: int, step: int, steps: int, loss: float) -> None:
            done = (epoch - 1) * steps + step
            if not bar.n and done > 1:  # resumed: earlier steps do not count for the speed
                bar.initial = bar.n = done - 1
            bar.total = epochs * steps
            bar.set_postfix(epoch=f"{epoch}/{epochs}", loss=f"{loss:.4f}", refresh=False)
            bar.update(done - bar.n)

        card = from_scratch.train(network, dataset, plan, out or checkpoints.FOLDER, report)
    if as_json:
        print_json(asdict(card))
        return
    click.echo(
        f"{network} on {dataset}: test accuracy {card.test_accuracy:.2%} "
        f"({card.test_correct:,} of {card.test_images:,}), "
        f"validation {card.validation_accuracy:.2%}, {card.seconds:.0f} s"
    )

"""The command ``download``: fetch a dataset."""

import click

from pruning.cli.options import TorchCommand, data_dir_option, fetch_dataset


@click.command(cls=TorchCommand)
@click.argument("name")
@data_dir_option
def download(name: str) -> None:
    """Download a dataset: mnist or cifar10."""
    from pruning.data.datasets import DATASETS, path_of

    fetch_dataset(name)
    is_built_in = DATASETS[name].download_bytes == 0
    location = "built in" if is_built_in else path_of(name)
    click.echo(f"{name} is {location}")

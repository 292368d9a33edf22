"""The command ``list``: what is registered."""

import click

from pruning.cli.options import json_option, print_json
from pruning.cli.registries import Description, read_registries


@click.command(name="list")
@click.argument("kind", required=False)
@json_option
def list_registries(kind: str | None, as_json: bool) -> None:
    """List networks, datasets, methods and more.

    KIND is networks, datasets, methods, criteria, rules, scopes, recoveries or schedules; all by
    default.
    """
    described = read_registries()
    if kind is not None:
        if kind not in described:
            raise ValueError(f"unknown kind {kind!r}: choose from {', '.join(described)}")
        described = {kind: described[kind]}
    if as_json:
        print_json(described)
        return
    for name, descriptions in described.items():
        click.secho(name, bold=True)
        for key, description in descriptions.items():
            click.echo(_to_line(key, description))


def _to_line(name: str, description: Description) -> str:
    text = description.get("help") or description.get("source", "")
    if "label" not in description:
        return f"  {name:18} {text}"
    label = description["label"]
    if "applies_to" in description:
        label += f" [{', '.join(description['applies_to'])}]"
    return f"  {name:18} {label}: {text}"

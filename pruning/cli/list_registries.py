"""The command ``list``: what is registered."""

import math
from collections.abc import Mapping
from typing import Any

import click

from pruning.cli.options import TorchCommand, json_option, print_json

# JSON keys of an entry, and the attributes that they show.
NETWORK_KEYS = {"label": "label", "source": "source", "slow": "slow"}
DATASET_KEYS = {
    "label": "label",
    "source": "source",
    "channels": "channels",
    "size": "size",
    "classes": "classes",
    "mean": "mean",
    "std": "std",
    "train_images": "train_images",
    "validation_images": "validation_images",
    "test_images": "test_images",
    "download_bytes": "download_bytes",
}
METHOD_KEYS = {"label": "label", "unit": "unit", "help": "help", "groupings": "groupings"}
CRITERION_KEYS = {
    "label": "label",
    "formula": "formula",
    "source": "source",
    "help": "help",
    "applies_to": "applies_to",
    "measures": "variants",
    "measured": "variant_methods",
    "images": "needs_data",
    "seeded": "is_random",
    "signed": "can_be_negative",
    "norms": "needs_batch_norm",
}
RECOVERY_KEYS = {
    "label": "label",
    "formula": "formula",
    "source": "source",
    "help": "help",
    "norms": "needs_batch_norm",
}
SCHEDULE_KEYS = {"label": "label", "source": "source", "help": "help"}
RULE_KEYS = {
    "label": "label",
    "formula": "formula",
    "source": "source",
    "help": "help",
    "scopes": "scopes",
    "criteria": "criteria",
    "methods": "methods",
    "reason": "why_not",
    "positive": "needs_nonnegative",
    "geometric": "log_scale",
    "least": "min_value",
    "largest": "max_value",
    "options": "patterns",
}

Description = dict[str, Any]


@click.command(name="list", cls=TorchCommand)
@click.argument("kind", required=False)
@json_option
def list_registries(kind: str | None, as_json: bool) -> None:
    """List networks, datasets, methods and more.

    KIND is networks, datasets, methods, criteria, rules, scopes, recoveries or schedules; all by
    default.
    """
    described = _describe_all()
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


def _describe_all() -> dict[str, dict[str, Description]]:
    from pruning.data.datasets import DATASETS
    from pruning.methods.criteria import CRITERIA
    from pruning.methods.recovery import RECOVERIES
    from pruning.methods.rules import RULES, SCOPES
    from pruning.methods.units import METHODS
    from pruning.models import NETWORKS

    return {
        "networks": _describe(NETWORKS, NETWORK_KEYS),
        "datasets": _describe(DATASETS, DATASET_KEYS),
        "methods": _describe(METHODS, METHOD_KEYS),
        "criteria": _describe(CRITERIA, CRITERION_KEYS),
        "rules": _describe(RULES, RULE_KEYS),
        "scopes": {name: {"help": text} for name, text in SCOPES.items()},
        "recoveries": _describe(RECOVERIES, RECOVERY_KEYS),
        "schedules": _describe_schedules(),
    }


def _describe_schedules() -> dict[str, Description]:
    from pruning.training.schedules import SCHEDULES

    descriptions = _describe(SCHEDULES, SCHEDULE_KEYS)
    for name, schedule in SCHEDULES.items():
        options = {option.name: option.help for option in schedule.options}
        if options:
            descriptions[name]["options"] = options
    return descriptions


def _describe(registry: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Description]:
    descriptions = {}
    for name, entry in registry.items():
        description = {key: getattr(entry, attribute) for key, attribute in keys.items()}
        descriptions[name] = {
            key: value for key, value in description.items() if not _is_default(value)
        }
    return descriptions


def _is_default(value: Any) -> bool:
    """Whether a value is left out: empty, False, zero, or a bound at infinity."""
    return not value or value in (math.inf, -math.inf)


def _to_line(name: str, description: Description) -> str:
    text = description.get("help") or description.get("source", "")
    if "label" not in description:
        return f"  {name:18} {text}"
    label = description["label"]
    if "applies_to" in description:
        label += f" [{', '.join(description['applies_to'])}]"
    return f"  {name:18} {label}: {text}"

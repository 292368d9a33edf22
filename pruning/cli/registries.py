"""What is registered, as a file, which the command ``list`` shows without importing PyTorch.

``python -m pruning.cli.registries`` writes it. It holds a hash of the modules that register
something: where they were changed, the registries are imported instead.
"""

import hashlib
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pruning.runtime.atomic_write import atomic_write
from pruning.runtime.installation import ASSETS, check_torch
from pruning.runtime.json_reader import read_json

FILE = ASSETS / "registries.json"
PACKAGE = Path(__file__).parents[1]
FOLDERS = ("data", "methods", "models", "training/schedules")
"""Folders of the package whose modules register something."""

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


def read_registries() -> dict[str, dict[str, Description]]:
    """Read the file, or describe the registries if they are imported, or were changed.

    Returns
    -------
    dict
        As of `describe_registries`.
    """
    if "torch" not in sys.modules:
        known = _read_file()
        if known is not None:
            return known
        check_torch()
    return describe_registries()


def _read_file() -> dict[str, dict[str, Description]] | None:
    """Return what the file says; None if it is not valid or not up to date."""
    try:
        content = read_json(FILE)
        is_current = content["sources"] == hash_of_sources()
        return content["registries"] if is_current else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def hash_of_sources() -> str:
    """Hash the modules that register something.

    Returns
    -------
    str
        sha256, hexadecimal.
    """
    digest = hashlib.sha256()
    for folder in FOLDERS:
        for path in sorted((PACKAGE / folder).rglob("*.py")):
            digest.update(f"{path.relative_to(PACKAGE).as_posix()}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def describe_registries() -> dict[str, dict[str, Description]]:
    """Describe every entry of every registry.

    Returns
    -------
    dict
        JSON values: fields by name, by kind.
    """
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


def write_registries() -> None:
    """Write the file."""
    with atomic_write(FILE) as temporary:
        content = {"sources": hash_of_sources(), "registries": describe_registries()}
        text = json.dumps(content, indent=1, ensure_ascii=False)
        temporary.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    write_registries()

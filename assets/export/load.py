"""Load the network of this folder: needs PyTorch and safetensors only."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

FOLDER = Path(__file__).parent
PLAN = json.loads((FOLDER / "network.json").read_text())
STATE = load_file(FOLDER / "network.safetensors")
OTHER_KINDS = {
    "Add": lambda name, s: torch.add,
    "Multiply": lambda name, s: torch.mul,
    "Concatenate": lambda name, s: lambda *parts: torch.cat(parts, 1),
    "SliceChannels": lambda name, s: lambda x: x[:, s["start"] : s["stop"]],
    "SelectChannels": lambda name, s: lambda x: x[:, s["indices"]],
    "MaskPixels": lambda name, s: lambda x: x * STATE[f"{name}.mask"],
}


def module(name, kind, settings):
    if kind in OTHER_KINDS:
        return OTHER_KINDS[kind](name, settings)
    layer = getattr(torch.nn, kind)(**settings).eval()
    prefix = f"{name}."
    own = {key.removeprefix(prefix): STATE[key] for key in STATE if key.startswith(prefix)}
    layer.load_state_dict(own)
    return layer


STEPS = PLAN["steps"]
MODULES = {step["name"]: module(step["name"], step["kind"], step["settings"]) for step in STEPS}


def network(x):
    """Logits of normalised images (N, channels, height, width)."""
    results = {"x": x}
    for step in STEPS:
        inputs = [results[name] for name in step["inputs"]]
        results[step["name"]] = MODULES[step["name"]](*inputs)
    return results[STEPS[-1]["name"]]

"""The control that every comparison needs."""

import zlib

import numpy as np
import torch

from pruning.methods.criteria.base import Context, Scores, criterion


@criterion(
    "random",
    label="Random",
    formula=r"u \sim \mathcal{U}(0, 1)",
    source="the control of every comparison",
    is_random=True,
    applies_to=("weight", "neuron", "filter", "layer", "feature"),
    help="A uniform random number from the seed: what a criterion must beat to be worth anything.",
)
def random(context: Context) -> Scores:
    scores = {}
    for (
        name,
        group,
    ) in context.groups.items():  # each group has its own stream, whatever other groups there are
        place = zlib.crc32(f"{context.method} {name}".encode())
        generator = np.random.default_rng([context.seed, context.step, place])
        scores[name] = torch.from_numpy(generator.random(group.units, np.float32))
    return scores

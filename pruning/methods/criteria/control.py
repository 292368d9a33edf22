"""The random control of every comparison."""

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
    help="A uniform random number from the seed: the baseline that a useful criterion exceeds.",
)
def random(context: Context) -> Scores:
    """Draw a uniform random number for each unit.

    Each group has a random stream of its own, which does not depend on the other groups.
    """
    scores = {}
    for name, group in context.groups.items():
        stream = zlib.crc32(f"{context.method} {name}".encode())
        generator = np.random.default_rng([context.seed, context.step_index, stream])
        scores[name] = torch.from_numpy(generator.random(group.units, np.float32))
    return scores

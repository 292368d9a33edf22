"""A pruned network, ready for a recovery."""

import copy

from pruning.engine.prune import prune
from pruning.methods.recovery import RecoveryContext
from pruning.recipe.recipe import Recipe


def context_of(recipe: Recipe, images: int = 300, **options) -> RecoveryContext:
    """The context that the engine makes, with copies that the test may look at."""
    pruned = prune(recipe)
    return RecoveryContext(
        model=pruned.network.copy(),
        dense=copy.deepcopy(pruned.trained_model),
        masks=pruned.masks,
        dataset=recipe.dataset,
        calibration=images,
        **options,
    )

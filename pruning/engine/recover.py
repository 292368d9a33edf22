"""Masked network to recovered network: the recoveries of a recipe, applied in order."""

import copy
import time
from dataclasses import dataclass, replace

from torch import nn

from pruning.engine.caches import cached
from pruning.engine.masked_network import MaskedNetwork
from pruning.engine.trained_network import cache_key, trained_network
from pruning.methods.recovery import RECOVERIES, RecoveryContext
from pruning.recipe.recipe import Recipe
from pruning.runtime.progress import ShareReport, ignore_progress


@dataclass(frozen=True, eq=False)
class RecoveredNetwork:
    """A network after recovery, and what the recovery took.

    Parameters
    ----------
    network : MaskedNetwork
        With the masks of the pruned network; the pruned network itself without a recovery.
    seconds : float or None
        Duration of the recovery; None without a recovery.
    """

    network: MaskedNetwork
    seconds: float | None = None


def recover(
    recipe: Recipe, network: MaskedNetwork, report: ShareReport = ignore_progress
) -> RecoveredNetwork:
    """Apply the recoveries of a recipe; cached.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.
    network : MaskedNetwork
        What its last step left.
    report : callable
        Called with the share of the recovery that is done, if it is not cached.

    Returns
    -------
    RecoveredNetwork
        Its masks are those of ``network``.

    Raises
    ------
    DatasetError
        The calibration images are missing or broken.
    """
    if not recipe.recovery:
        return RecoveredNetwork(network)
    return _recover(recipe.on_all_images, network, report)


def has_cached_recovery(recipe: Recipe) -> bool:
    """Return whether `recover` can answer without computing.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.

    Returns
    -------
    bool
        True if the recipe has no recovery, or if its result is cached.
    """
    return not recipe.recovery or _recover.is_cached(cache_key(recipe.on_all_images))


def _recovered_bytes(recovered: RecoveredNetwork) -> int:
    return recovered.network.bytes


@cached(
    "recovered networks, bytes",
    max_size=64_000_000,
    key=lambda recipe, network, report: cache_key(recipe),  # the network follows from it
    size_of=_recovered_bytes,
)
def _recover(recipe: Recipe, network: MaskedNetwork, report: ShareReport) -> RecoveredNetwork:
    dense = trained_network(recipe).model
    return recover_network(recipe, network, dense, report=report)


def recover_network(
    recipe: Recipe,
    network: MaskedNetwork,
    dense: nn.Module,
    *,
    report: ShareReport = ignore_progress,
) -> RecoveredNetwork:
    """Apply the recoveries of a recipe to any network, without a cache.

    Parameters
    ----------
    recipe : Recipe
        Gives the recoveries, the dataset and the calibration images.
    network : MaskedNetwork
        The network after pruning.
    dense : nn.Module
        The network before pruning; it is not modified.
    report : callable
        Called with the share of the recovery that is done.

    Returns
    -------
    RecoveredNetwork
        Its masks are those of ``network``.

    Raises
    ------
    DatasetError
        The calibration images are missing or broken.
    """
    start = time.perf_counter()
    model = network.copy()
    dense = copy.deepcopy(dense)  # a recovery may add hooks
    for number, name in enumerate(recipe.recovery):

        def report_share(share: float, number: int = number) -> None:
            report((number + share) / len(recipe.recovery))

        context = RecoveryContext(
            model=model,
            dense=dense,
            masks=network.masks,
            dataset=recipe.dataset,
            calibration=recipe.calibration,
            report=report_share,
            draw=recipe.draw,
        )
        RECOVERIES[name].function(context)
    recovered = replace(network, model=model, is_recovered=True)
    return RecoveredNetwork(recovered, time.perf_counter() - start)

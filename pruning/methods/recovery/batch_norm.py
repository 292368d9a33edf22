"""Recalibration of batch norms."""

import torch
from torch import nn

from pruning.methods.recovery.base import RecoveryContext, recovery

BATCH_SIZE = 128


@recovery(
    "batch_norm",
    label="Batch norm",
    formula=r"\mu, \sigma^2 \leftarrow \text{mean and variance of the calibration images}",
    source="adaptive batch norm, Li et al. 2020 (EagleEye)",
    help="The running means and variances of all batch norms are computed again by the pruned "
    "network on the calibration images. No weight changes.",
    needs_batch_norm=True,
)
def recalibrate_batch_norms(context: RecoveryContext) -> None:
    """Compute the running statistics of all batch norms again.

    Each batch is normalised by its own statistics, as in training, and the running statistics are
    their means over the batches.
    """
    norms = [module for module in context.model.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    batches = context.batches(BATCH_SIZE)
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    with torch.no_grad():
        for number, images in enumerate(batches, start=1):
            context.model(context.mask_images(images))
            context.report(number / len(batches))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()

"""Benchmarks of retraining. Importing a module registers its own."""

from pruning.experiments.retraining import (  # noqa: F401  registers
    lenet_records,
    lottery,
    resnet20_finetune,
    sparsify,
    structured_lenet5_caffe,
)
from pruning.experiments.retraining.base import RETRAINING_BENCHMARKS

__all__ = ["RETRAINING_BENCHMARKS"]

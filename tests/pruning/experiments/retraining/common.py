"""Finished runs that were never trained: cards and records with given numbers."""

from collections.abc import Sequence
from typing import Any

from pruning.experiments.retraining.base import FinishedRun
from pruning.models.cards import Card
from pruning.training.record import EpochRecord
from pruning.training.spec import RunSpec


def card(spec: RunSpec, test_accuracy: float, validation_accuracy: float = 0.5) -> Card:
    """The card of a run."""
    return Card(
        network=spec.recipe.network,
        dataset=spec.recipe.dataset,
        test_accuracy=test_accuracy,
        test_correct=round(10_000 * test_accuracy),
        test_images=10_000,
        validation_accuracy=validation_accuracy,
        epochs=spec.total_epochs,
        batch=spec.batch_size,
        optimizer="SGD",
        schedule=spec.schedule,
        augmentation="none",
        precision="float32",
        seed=spec.seed,
        versions={},
        seconds=1.0,
        weights_sha256="",
        train_data_sha256="",
    )


def record(epoch: int, **changes: Any) -> EpochRecord:
    """The record of an epoch."""
    values: dict[str, Any] = {
        "epoch": epoch,
        "round": 1,
        "series": "",
        "loss": 0.1,
        "train_accuracy": 0.9,
        "validation_accuracy": 0.5,
        "sparsity": 0.0,
        "near_zero": 0.0,
        "learning_rate": 0.1,
        "steps": 100,
        "seconds": 1.0,
        "layer_sparsity": {},
        "histogram": (),
    }
    return EpochRecord(**(values | changes))


def finished(
    spec: RunSpec,
    test_accuracy: float = 0.9,
    validation_accuracy: float = 0.5,
    records: Sequence[EpochRecord] = (),
) -> FinishedRun:
    """A finished run."""
    shown = tuple(records) or (record(1),)
    return FinishedRun(spec, card(spec, test_accuracy, validation_accuracy), shown)

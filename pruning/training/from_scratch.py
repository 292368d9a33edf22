"""Training from scratch, which can be interrupted and resumed."""

import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from pruning.data import datasets
from pruning.data.datasets import DATASETS, Images
from pruning.inference.classify import accuracy_of
from pruning.models import build, checkpoints
from pruning.runtime.atomic_write import atomic_write
from pruning.runtime.errors import CheckpointError
from pruning.runtime.json_reader import parse_json
from pruning.training.batches import Augmentation, Batches
from pruning.training.learning_rates import one_cycle
from pruning.training.loop import make_optimizer, train_epoch
from pruning.training.losses import cross_entropy
from pruning.training.plans import TrainingPlan, default_plan
from pruning.training.precision import describe_precision

Progress = Callable[[int, int, int, int, float], None]


def train(
    network: str,
    dataset: str,
    plan: TrainingPlan | None = None,
    folder: Path = checkpoints.FOLDER,
    progress: Progress | None = None,
) -> checkpoints.Card:
    """Train a network and write its checkpoint and card.

    After each epoch the state of the training is written to ``<network>-<dataset>.partial``. If
    this file exists and has the same plan, the training resumes from it. The random numbers of an
    epoch depend on the seed and on the index of the epoch only, so that a resumed training has
    the same batches as an uninterrupted one. Test images are read once, after the last epoch.

    Parameters
    ----------
    network, dataset
        Keys of ``NETWORKS`` and ``DATASETS``.
    plan
        Settings of the training; `default_plan` if not given.
    folder
        Folder of the checkpoint.
    progress
        Called after each step with the epoch, the number of epochs, the step, the number of
        steps of an epoch and the mean loss of the epoch; epochs and steps count from 1. An
        exception that it raises ends the training.

    Returns
    -------
    Card
        The card that was written.

    Raises
    ------
    ValueError
        If a name is unknown.
    DatasetError
        If the dataset is missing or not valid.
    CheckpointError
        If the partial file cannot be read.
    """
    plan = plan or default_plan(network, dataset)
    training = _Training(network, dataset, plan)
    partial = Path(folder) / f"{checkpoints.stem(network, dataset)}.partial"
    if partial.is_file():
        training.resume(partial)
    while training.finished_epochs < plan.epochs:
        training.run_epoch(progress)
        training.save(partial)
    card = _write_checkpoint(training, folder)
    partial.unlink(missing_ok=True)
    return card


class _Training:
    """A network in training, with its optimizer and its images."""

    def __init__(self, network: str, dataset: str, plan: TrainingPlan):
        self.network = network
        self.data = DATASETS[dataset]
        self.plan = plan
        self.images: Images = datasets.load(dataset, "train")
        self.model = build(
            network,
            channels=self.data.channels,
            size=self.data.size,
            classes=len(self.data.classes),
            seed=plan.seed,
        ).to(memory_format=torch.channels_last)
        self.optimizer = make_optimizer(
            self.model, learning_rate=plan.learning_rate, weight_decay=plan.weight_decay
        )
        self.device = torch.device("cpu")
        self.augmentation = Augmentation(plan.max_shift, plan.flip)
        self.batches = Batches(
            self.images, self.data, plan.batch_size, self.augmentation, plan.seed, self.device
        )
        self.learning_rates = one_cycle(plan, len(self.batches))
        self.finished_epochs = 0
        self.seconds = 0.0

    def run_epoch(self, progress: Progress | None) -> None:
        start = time.perf_counter()
        epoch, plan, steps = self.finished_epochs, self.plan, len(self.batches)

        def report(step: int, mean_loss: float) -> None:
            if progress is not None:
                progress(epoch + 1, plan.epochs, step, steps, mean_loss)

        train_epoch(
            self.model,
            self.optimizer,
            self.batches.epoch(epoch),
            self.learning_rates[epoch * steps : (epoch + 1) * steps],
            cross_entropy,
            report=report,
        )
        self.finished_epochs += 1
        self.seconds += time.perf_counter() - start

    def save(self, partial: Path) -> None:
        """Write the state after an epoch, atomically."""
        tensors = {}
        for name, tensor in self.model.state_dict().items():
            tensors[f"model.{name}"] = tensor.contiguous()
        for name, parameter in self.model.named_parameters():
            momentum = self.optimizer.state[parameter]["momentum_buffer"]
            tensors[f"momentum.{name}"] = momentum.contiguous()
        metadata = {
            "plan": json.dumps(asdict(self.plan)),
            "done": str(self.finished_epochs),
            "seconds": str(self.seconds),
        }
        with atomic_write(partial) as temporary:
            save_file(tensors, temporary, metadata)

    def resume(self, partial: Path) -> None:
        """Restore the state of an interrupted training; no effect if its plan is another one."""
        try:
            with safe_open(partial, "pt") as file:
                metadata = file.metadata()
                if parse_json(metadata["plan"], "the plan") != asdict(self.plan):
                    return
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            finished_epochs, seconds = int(metadata["done"]), float(metadata["seconds"])
            self._restore(tensors)
        except (SafetensorError, OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"{partial} cannot be read as an interrupted training: delete it to start over"
            ) from error
        self.finished_epochs, self.seconds = finished_epochs, seconds

    def _restore(self, tensors: dict[str, torch.Tensor]) -> None:
        state = {}
        for name in self.model.state_dict():
            state[name] = tensors[f"model.{name}"]
        self.model.load_state_dict(state)
        for name, parameter in self.model.named_parameters():
            momentum = torch.empty_like(parameter)  # keeps the memory format
            momentum.copy_(tensors[f"momentum.{name}"])
            self.optimizer.state[parameter]["momentum_buffer"] = momentum


def _write_checkpoint(training: _Training, folder: Path) -> checkpoints.Card:
    """Measure a trained network and write its weights and its card.

    By `accuracy_of` and not by `evaluate`: a network that has no checkpoint yet has no recipe, and
    nothing to be stored.
    """
    model, data, plan = training.model, training.data, training.plan
    test = datasets.load(data.name, "test")
    validation = datasets.load(data.name, "validation")
    test_accuracy = accuracy_of(model, test, data)
    return checkpoints.save(
        model,
        folder,
        network=training.network,
        dataset=data.name,
        test_accuracy=test_accuracy,
        test_correct=round(test_accuracy * len(test)),
        test_images=len(test),
        validation_accuracy=accuracy_of(model, validation, data),
        epochs=plan.epochs,
        batch=plan.batch_size,
        optimizer=f"SGD, Nesterov momentum 0.9, weight decay {plan.weight_decay:g}",
        schedule=f"one-cycle learning rate, peak {plan.learning_rate:g}",
        augmentation=str(training.augmentation),
        precision=describe_precision(training.device),
        seed=plan.seed,
        versions={"python": platform.python_version(), "torch": torch.__version__},
        seconds=round(training.seconds, 1),
        train_data_sha256=datasets.fingerprint(training.images),
    )

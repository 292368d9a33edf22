"""A run: a network while a schedule prunes and trains it, resumable after every epoch.

A schedule is an ordinary function that calls the methods of `Run`. It can be interrupted at any
moment: when it is called again, calls whose epochs are finished do nothing and give the recorded
results, until the schedule arrives at the state after the last finished epoch. For this to work, a
schedule may decide by the records and the specification only.
"""

import copy
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from pruning.cost.macs import dense_cost
from pruning.data import datasets
from pruning.data.datasets import DATASETS, Images, normalise
from pruning.engine.masked_network import MaskedNetwork
from pruning.engine.prune import input_network
from pruning.engine.recover import recover_network
from pruning.engine.run_checkpoint import network_from_tensors, network_to_tensors, read_names
from pruning.engine.trained_network import trained_card, trained_network
from pruning.inference.accuracy import Tally
from pruning.inference.classify import BatchTally, classify
from pruning.models import build
from pruning.training.amount import Amount, Law, everything
from pruning.training.batches import Augmentation, Batches
from pruning.training.learning_rates import cosine, rewound
from pruning.training.loop import (
    EpochResult,
    LossFunction,
    TrainingDiverged,
    make_optimizer,
    train_epoch,
)
from pruning.training.losses import Distillation, Penalty, cross_entropy
from pruning.training.plans import default_plan
from pruning.training.record import (
    EpochRecord,
    count_weights,
    layer_sparsities,
    overall_sparsity,
    share_near_zero,
    weight_deviation,
)
from pruning.training.run_files import RunError, RunFiles, State
from pruning.training.spec import RunSpec

STATE_FORMAT = "1"
"""Runs of another format cannot be continued."""
EVALUATION_BATCH = 1000
"""Images of a batch on an accelerator."""


@dataclass(frozen=True)
class RunProgress:
    """How far a run is.

    Parameters
    ----------
    share : float
        Share of the steps of all epochs that are done.
    epoch, epochs : int
        Number of the current epoch, from 1, and of all epochs.
    loss : float
        Mean loss of the current epoch.
    records : tuple of EpochRecord
        One for each finished epoch.
    """

    share: float
    epoch: int
    epochs: int
    loss: float
    records: tuple[EpochRecord, ...]


RunReport = Callable[[RunProgress], None]
"""Called after each step; `Cancelled` that it raises pauses the run after its last epoch."""


class Run:
    """A network while a schedule prunes and trains it.

    Parameters
    ----------
    spec : RunSpec
        What to do.
    files : RunFiles
        Where the state is kept. The caller holds the lock.
    device : torch.device
        Where to train.
    report : callable
        See `RunReport`.

    Raises
    ------
    RunError
        If the run was interrupted and cannot be continued.
    """

    def __init__(
        self, spec: RunSpec, files: RunFiles, device: torch.device, report: RunReport
    ) -> None:
        self.spec = spec
        self.records: list[EpochRecord] = []
        recipe = spec.recipe
        self._files = files
        self._device = device
        self._report_progress = report
        self._waited = 0.0  # seconds of the current epoch in reports, which pass the turn on
        self._data = DATASETS[recipe.dataset]
        self._images = datasets.load(recipe.dataset, "train")
        self._validation = datasets.load(recipe.dataset, "validation")
        self._dense = dense_cost(recipe.network, recipe.dataset)
        self._amount = Amount.of(recipe)
        plan = default_plan(recipe.network, recipe.dataset)
        self._plan = plan
        self.augmentation = Augmentation(plan.max_shift, plan.flip)
        self._batches = Batches(
            self._images, self._data, spec.batch_size, self.augmentation, spec.seed, device
        )
        self._kept: dict[str, MaskedNetwork] = {}
        self._position = 0  # epochs that the schedule has gone through in this call
        self._optimizer: torch.optim.SGD | None = None
        self._network: MaskedNetwork
        self._deviation = weight_deviation(trained_network(recipe))
        self._set_network(input_network(recipe))
        state = files.state()
        if state is not None:
            self._restore(state)

    # ------------------------------------------------------------------- what schedules call

    @property
    def steps_per_epoch(self) -> int:
        """Steps of the optimizer in an epoch."""
        return len(self._batches)

    @property
    def dense_validation_accuracy(self) -> float:
        """Validation accuracy of the network that the run started from."""
        return trained_card(self.spec.recipe).validation_accuracy

    def prune(self, law: Law = everything, *, recover: bool = True) -> None:
        """Remove units until a share of them is removed.

        Parameters
        ----------
        law : callable
            From the final share of removed units to the present one; default: all at once.
        recover : bool
            Whether the recoveries of the recipe are applied afterwards.
        """
        if self._is_replaying:
            return
        before = self.cpu_network()
        network = self._amount.prune(before, law, self._report_scoring)
        if recover and self.spec.recipe.recovery:
            recovered = recover_network(
                self.spec.recipe, network, before.model, report=self._report_scoring
            )
            network = recovered.network
        self._set_network(network)

    def prune_while_training(self, law: Law) -> None:
        """Remove units between two steps; momentum and learning rates go on.

        Parameters
        ----------
        law : callable
            See `prune`. The units are masked: a specification without `Schedule.removes_layers`
            has no plain layers to remove.
        """
        before = self.cpu_network()
        network = self._amount.prune(before, law, self._report_scoring)
        self._network = replace(network, model=self._model)
        self._place_masks()
        self._hold_masks()

    def train(
        self,
        epochs: int,
        *,
        round: int = 1,
        series: str = "",
        skip_epochs: int = 0,
        penalty: Penalty | None = None,
        penalty_strength: float = 0.0,
        before_step: Callable[[int], None] | None = None,
        after_epoch: Callable[[EpochRecord], bool] | None = None,
    ) -> list[EpochRecord]:
        """Train for some epochs, with learning rates from their peak to nearly nothing.

        Parameters
        ----------
        epochs : int
            Number of epochs.
        round : int
            Recorded with each epoch.
        series : str
            Recorded with each epoch.
        skip_epochs : int
            Number of first epochs to leave out, with their learning rates.
        penalty : callable, optional
            ``penalty(model)`` times ``penalty_strength`` is added to the loss.
        penalty_strength : float
            Factor of the penalty.
        before_step : callable, optional
            Called with the number of finished steps of these epochs before each step.
        after_epoch : callable, optional
            Called with each record; True ends the training early.

        Returns
        -------
        list of EpochRecord
            Those of these epochs.
        """
        if not self._is_replaying:
            self._optimizer = None
        steps = len(self._batches)
        rates = self._learning_rates(epochs * steps)
        loss_function = self._loss_function(penalty, penalty_strength)
        records = []
        for epoch in range(skip_epochs, epochs):

            def before(step: int, first: int = epoch * steps) -> None:
                if before_step is not None:
                    before_step(first + step)

            epoch_rates = rates[epoch * steps : (epoch + 1) * steps]
            record = self._epoch(epoch_rates, loss_function, before, round, series)
            records.append(record)
            if after_epoch is not None and after_epoch(record):
                break
        return records

    def keep(self, name: str) -> None:
        """Keep a copy of the network, to be restored later.

        Parameters
        ----------
        name : str
            Letters only.
        """
        if not self._is_replaying:
            network = self.cpu_network()
            self._kept[name] = replace(network, model=network.copy())

    def restore(self, name: str) -> None:
        """Go back to a kept copy of the network.

        Parameters
        ----------
        name : str
            As of `keep`.
        """
        if not self._is_replaying:
            self._set_network(self._kept[name])

    def reset_parameters(self, seed: int) -> None:
        """Give all remaining parameters new initial values; masks stay.

        Parameters
        ----------
        seed : int
            Seed of the initial values.
        """
        if self._is_replaying:
            return
        recipe, data = self.spec.recipe, self._data
        model = build(
            recipe.network,
            channels=data.channels,
            size=data.size,
            classes=len(data.classes),
            seed=seed,
        )
        self._set_network(replace(self.cpu_network(), model=_frozen(model)))

    def rewind_to(self, name: str) -> None:
        """Give all remaining parameters the values of a kept copy; masks stay.

        Parameters
        ----------
        name : str
            As of `keep`.
        """
        if not self._is_replaying:
            kept = self._kept[name]
            self._set_network(replace(self.cpu_network(), model=kept.copy()))

    def shuffle_masks(self, seed: int) -> None:
        """Permute the mask of each weight at random: as many weights of each layer remain.

        Parameters
        ----------
        seed : int
            Seed of the permutations.
        """
        if self._is_replaying:
            return
        generator = torch.Generator().manual_seed(seed)
        network = self.cpu_network()
        shuffled = {}
        for name, mask in network.masks.items():
            order = torch.randperm(mask.numel(), generator=generator)
            shuffled[name] = mask.flatten()[order].view(mask.shape)
        self._set_network(replace(network, masks=type(network.masks)(shuffled)))

    # ----------------------------------------------------------------------------- one epoch

    @property
    def _is_replaying(self) -> bool:
        return self._position < len(self.records)

    def _epoch(
        self,
        rates: list[float],
        loss_function: LossFunction,
        before_step: Callable[[int], None],
        round: int,
        series: str,
    ) -> EpochRecord:
        if self._is_replaying:
            self._position += 1
            return self.records[self._position - 1]
        start, self._waited = time.perf_counter(), 0.0
        result = self._train_epoch(rates, loss_function, before_step)
        record = self._record(result, rates, round, series, start)
        self.records.append(record)
        self._position += 1
        self._save()
        return record

    def _train_epoch(
        self,
        rates: list[float],
        loss_function: LossFunction,
        before_step: Callable[[int], None],
    ) -> EpochResult:
        epoch = len(self.records)
        optimizer = self._optimizer or self._new_optimizer()
        self._optimizer = optimizer
        self._model.requires_grad_(True)

        def report(step: int, mean_loss: float) -> None:
            self._report(self._progress(step / max(1, len(rates)), mean_loss))

        try:
            return train_epoch(
                self._model,
                optimizer,
                self._masked_batches(epoch),
                rates,
                loss_function,
                before_step=before_step,
                after_step=self._hold_masks,
                report=report,
            )
        except TrainingDiverged as error:
            raise TrainingDiverged(self._diverged(f"{error} of epoch {epoch + 1}")) from None

    @property
    def _epoch_number(self) -> int:
        """Number of the current epoch, from 1."""
        return len(self.records) + 1

    def _diverged(self, problem: str) -> str:
        epoch = len(self.records)
        kept = f"the state after epoch {epoch} is kept" if epoch else "no epoch was finished"
        return f"{problem}: {kept}; choose a smaller learning rate"

    def _masked_batches(self, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        mask = self._network.input_mask
        if mask is None:
            yield from self._batches.epoch(epoch)
            return
        mask = mask.to(self._device)
        for x, labels in self._batches.epoch(epoch):
            yield x * mask, labels

    def _record(
        self, result: EpochResult, rates: list[float], round: int, series: str, start: float
    ) -> EpochRecord:
        network = self.cpu_network()
        self._check_parameters(network)
        layer_sparsity = layer_sparsities(network, self._dense)
        accuracy = self._accuracy(network, self._validation)
        return EpochRecord(
            epoch=len(self.records) + 1,
            round=round,
            series=series,
            loss=result.loss,
            train_accuracy=result.accuracy,
            validation_accuracy=accuracy,
            sparsity=overall_sparsity(network, self._dense),
            near_zero=share_near_zero(network),
            learning_rate=rates[0],
            steps=len(rates),
            seconds=time.perf_counter() - start - self._waited,
            layer_sparsity=layer_sparsity,
            histogram=count_weights(network, self._deviation),
        )

    def _check_parameters(self, network: MaskedNetwork) -> None:
        """Check that all values are finite, and masked ones zero, before they are saved."""
        for name, tensor in network.model.state_dict().items():
            if not tensor.isfinite().all():
                raise TrainingDiverged(self._diverged(f"{name} has NaN or infinite values"))
        for name, mask in network.masks.items():
            if name != "input" and network.model.get_parameter(name)[~mask].any():
                raise RunError(
                    f"a masked value of {name} is not zero after epoch {self._epoch_number}"
                )

    def _learning_rates(self, steps: int) -> list[float]:
        if self.spec.rewind_rate:
            return rewound(self._plan, len(self._batches), steps)
        return cosine(self.spec.learning_rate, steps)

    def _loss_function(self, penalty: Penalty | None, strength: float) -> LossFunction:
        loss_function: LossFunction = cross_entropy
        if self.spec.distillation:
            loss_function = Distillation(
                self._teacher(), self.spec.distillation, self.spec.temperature
            )
        if penalty is None or not strength:
            return loss_function

        def with_penalty(
            logits: torch.Tensor, labels: torch.Tensor, x: torch.Tensor
        ) -> torch.Tensor:
            return loss_function(logits, labels, x) + strength * penalty(self._model)

        return with_penalty

    def _teacher(self) -> nn.Module:
        """The dense network that the recipe, or the run that it starts from, has begun with."""
        recipe = replace(self.spec.recipe, checkpoint="")
        return trained_network(recipe).copy().to(self._device)

    def _progress(self, share_of_epoch: float = 0.0, loss: float = float("nan")) -> RunProgress:
        done, epochs = len(self.records), self.spec.total_epochs
        share = min(1.0, (done + share_of_epoch) / epochs)
        epoch = min(done + 1, epochs)
        return RunProgress(share, epoch, epochs, loss, tuple(self.records))

    def _report(self, progress: RunProgress) -> None:
        start = time.perf_counter()
        self._report_progress(progress)
        self._waited += time.perf_counter() - start

    def _report_scoring(self, share: float) -> None:
        self._report(self._progress())

    # ------------------------------------------------------------------ the network in training

    def _set_network(self, network: MaskedNetwork) -> None:
        """Train a copy of this network from now on."""
        self._model = network.copy().to(self._device).to(memory_format=torch.channels_last)
        self._network = replace(network, model=self._model)
        self._optimizer = None
        self._place_masks()

    def _place_masks(self) -> None:
        """Copy the masks to the device, as numbers to multiply with."""
        self._device_masks: list[tuple[nn.Parameter, torch.Tensor]] = []
        for name, mask in self._network.masks.items():
            if name != "input":
                parameter = self._model.get_parameter(name)
                factor = torch.empty_like(parameter)  # in the memory format of the parameter
                factor.copy_(mask)
                self._device_masks.append((parameter, factor))

    @torch.no_grad()
    def _hold_masks(self) -> None:
        """Set masked parameters and their momentum to zero."""
        for parameter, mask in self._device_masks:
            parameter.mul_(mask)
            if self._optimizer is not None:
                momentum = self._optimizer.state[parameter].get("momentum_buffer")
                if momentum is not None:
                    momentum.mul_(mask)

    def _new_optimizer(self) -> torch.optim.SGD:
        return make_optimizer(
            self._model,
            learning_rate=self.spec.learning_rate,
            weight_decay=self.spec.weight_decay,
        )

    def cpu_network(self) -> MaskedNetwork:
        """Return a copy of the network.

        Returns
        -------
        MaskedNetwork
            On the CPU, in eval mode, without gradients.
        """
        model = copy.deepcopy(self._model).to("cpu").to(memory_format=torch.channels_last)
        return replace(self._network, model=_frozen(model))

    def _accuracy(self, network: MaskedNetwork, images: Images) -> float:
        """Accuracy on all images, with a report after each batch."""
        if self._device.type == "cpu":
            return self._cpu_accuracy(network, images)
        return self._device_accuracy(images)

    def _cpu_accuracy(self, network: MaskedNetwork, images: Images) -> float:
        total = Tally()
        for item in classify(network.model, [network.masked_parameters()], images, self._data):
            if isinstance(item, BatchTally):
                total += item.tally
            self._report(self._progress(1.0))
        return total.correct / len(images)

    @torch.no_grad()
    def _device_accuracy(self, images: Images) -> float:
        mask = self._network.input_mask
        correct = 0
        self._model.eval()
        for start in range(0, len(images), EVALUATION_BATCH):
            stop = start + EVALUATION_BATCH
            x = normalise(images.pixels[start:stop].to(self._device), self._data)
            if mask is not None:
                x = x * mask.to(self._device)
            predicted = self._model(x).argmax(1).cpu()
            correct += int((predicted == images.labels[start:stop]).sum())
        return correct / len(images)

    # --------------------------------------------------------------------------------- files

    def _save(self) -> None:
        network = self.cpu_network()
        tensors = network_to_tensors(network)
        for name, parameter in self._model.named_parameters():
            momentum = self._optimizer.state[parameter] if self._optimizer else {}
            if "momentum_buffer" in momentum:
                buffer = momentum["momentum_buffer"].cpu()
                tensors[f"momentum.{name}"] = buffer.contiguous()
        removed = {"": _removed_names(network)}
        for kept_name, kept in self._kept.items():
            for name, tensor in network_to_tensors(kept).items():
                tensors[f"kept.{kept_name}.{name}"] = tensor.clone()
            removed[kept_name] = _removed_names(kept)
        metadata = {
            "format": STATE_FORMAT,
            "start": trained_card(self.spec.recipe).weights_sha256,
            "data": self._data_fingerprint(),
            "removed": json.dumps(removed),
        }
        self._files.save_state(tensors, metadata, self.records)

    def _data_fingerprint(self) -> str:
        """A short description of the training images that changes when they do."""
        pixels = self._images.pixels
        return f"{tuple(pixels.shape)} {int(pixels.sum(dtype=torch.int64))}"

    def _restore(self, state: State) -> None:
        """Continue after the last finished epoch."""
        self._check_state(state.metadata)
        try:
            removed = json.loads(state.metadata["removed"])
            self._set_network(self._read_network(state.tensors, "", removed))
            for name in removed:
                if name:
                    self._kept[name] = self._read_network(state.tensors, f"kept.{name}.", removed)
            self._restore_momentum(state.tensors)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise RunError(
                f"the state of the run {self._files.name} cannot be read: "
                "delete the run to start over"
            ) from error
        self.records = list(state.records)

    def _check_state(self, metadata: dict[str, str]) -> None:
        expected = {
            "format": (STATE_FORMAT, "by another version of this program"),
            "start": (
                trained_card(self.spec.recipe).weights_sha256,
                "from other trained weights",
            ),
            "data": (self._data_fingerprint(), "with other training images"),
        }
        for key, (value, reason) in expected.items():
            if metadata.get(key) != value:
                raise RunError(
                    f"the run {self._files.name} was started {reason} and cannot be continued: "
                    "delete it, or choose another folder"
                )

    def _read_network(
        self, tensors: dict[str, torch.Tensor], prefix: str, removed: dict[str, Any]
    ) -> MaskedNetwork:
        own = {}
        for name, tensor in tensors.items():
            if name.startswith(prefix):
                own[name.removeprefix(prefix)] = tensor
        kept_name = prefix.removeprefix("kept.").removesuffix(".")
        names = removed[kept_name]
        recipe = self.spec.recipe
        return network_from_tensors(
            recipe.network,
            recipe.dataset,
            own,
            read_names(names, "removed_layers"),
            read_names(names, "removed_blocks"),
        )

    def _restore_momentum(self, tensors: dict[str, torch.Tensor]) -> None:
        optimizer = self._new_optimizer()
        for name, parameter in self._model.named_parameters():
            if f"momentum.{name}" in tensors:
                momentum = torch.empty_like(parameter)  # in the memory format of the parameter
                momentum.copy_(tensors[f"momentum.{name}"])
                optimizer.state[parameter]["momentum_buffer"] = momentum.detach()
        self._optimizer = optimizer


def _removed_names(network: MaskedNetwork) -> dict[str, str]:
    return {
        "removed_layers": json.dumps(network.removed_layers),
        "removed_blocks": json.dumps(network.removed_blocks),
    }


def _frozen(model: nn.Module) -> nn.Module:
    model.requires_grad_(False)
    return model.eval()

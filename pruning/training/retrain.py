"""From a specification to the network of a finished run."""

import platform
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError

from pruning.cost.macs import dense_cost
from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.engine.run_checkpoint import save_checkpoint
from pruning.inference.accuracy import Tally
from pruning.inference.classify import BatchTally, classify
from pruning.inference.device import choose_device
from pruning.models.cards import Card
from pruning.recipe.recipe import Recipe
from pruning.runtime.errors import Cancelled, DatasetError, PrunescopeError
from pruning.runtime.progress import ignore_progress
from pruning.training.precision import describe_precision
from pruning.training.record import overall_sparsity
from pruning.training.run import Run, RunReport
from pruning.training.run_files import RunError, RunFiles
from pruning.training.schedules import SCHEDULES
from pruning.training.spec import RunSpec


def retrain(
    spec: RunSpec,
    *,
    folder: Path | None = None,
    device: str | None = None,
    owner: str = "",
    report: RunReport = ignore_progress,
) -> Card:
    """Prune and train; continue where an earlier call was interrupted.

    After each epoch the state is written to the folder of the run. Validation images choose, and
    test images are read once, at the end.

    Parameters
    ----------
    spec : RunSpec
        What to do.
    folder : Path, optional
        Folder of all runs; default: `runs_folder`.
    device : str, optional
        As of `choose_device`.
    owner : str
        Who starts it, see `RunFiles.save_spec`.
    report : callable
        See `RunReport`.

    Returns
    -------
    Card
        Of the network, which is in the folder of the run; at once if the run is finished, which
        needs no images.

    Raises
    ------
    RunError
        If another process trains this run, its state cannot be read or written, or it was trained
        on other images.
    TrainingDiverged
        If the loss is not a finite number.
    DeviceError
        If the device is not there.
    """
    chosen = choose_device(device)
    files = RunFiles(spec.name, folder)
    with files.locked():
        if files.is_finished:
            files.discard_state()  # left if the process was killed after the card was written
            return _card_of_these_images(spec, files)
        files.save_spec(spec, owner)
        files.save_problem(None)
        try:
            return _retrain(spec, files, chosen, report)
        except Cancelled:
            raise
        except (PrunescopeError, ValueError) as error:
            files.save_problem(str(error))
            raise
        except Exception:
            files.save_problem("an unexpected error, which the program has logged")
            raise


def _card_of_these_images(spec: RunSpec, files: RunFiles) -> Card:
    card = files.card()
    try:
        images = datasets.load(spec.recipe.dataset, "train")
    except DatasetError:  # a finished run does not need them
        return card
    if card.train_data_sha256 != datasets.fingerprint(images):
        raise RunError(
            f"the run {spec.name} is finished, but was trained on other images of "
            f"{spec.recipe.dataset}: delete it, or choose another folder"
        )
    return card


def _retrain(spec: RunSpec, files: RunFiles, device: torch.device, report: RunReport) -> Card:
    run = Run(spec, files, device, report)
    SCHEDULES[spec.schedule].function(run)
    try:
        card = _save_result(run, files, device)
    except (OSError, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise RunError(
            f"the network cannot be saved in {files.folder} ({(reason or str(error)).lower()}): "
            "free some space and continue; all epochs are kept"
        ) from error
    files.discard_state()
    return card


def _save_result(run: Run, files: RunFiles, device: torch.device) -> Card:
    """Measure the network and write it with its records and its card."""
    spec, network = run.spec, run.cpu_network()
    dense = dense_cost(spec.recipe.network, spec.recipe.dataset)
    files.save_records(run.records, device.type, overall_sparsity(network, dense))
    recipe, data = spec.recipe, DATASETS[spec.recipe.dataset]
    accuracies, tallies = {}, {}
    for split in ("validation", "test"):
        images = datasets.load(recipe.dataset, split)
        total = Tally()
        for item in classify(network.model, [network.masked_parameters()], images, data):
            if isinstance(item, BatchTally):
                total += item.tally
        tallies[split] = total
        accuracies[split] = total.correct / len(images)
    schedule = SCHEDULES[spec.schedule]
    rate = "rewound learning rates" if spec.rewind_rate else "cosine learning rate"
    return save_checkpoint(
        files.folder,
        network,
        network=recipe.network,
        dataset=recipe.dataset,
        test_accuracy=accuracies["test"],
        test_correct=tallies["test"].correct,
        test_images=tallies["test"].images,
        validation_accuracy=accuracies["validation"],
        epochs=len(run.records),
        batch=spec.batch_size,
        optimizer=f"SGD, Nesterov momentum 0.9, weight decay {spec.weight_decay:g}",
        schedule=f"{schedule.label}, {rate}, peak {spec.learning_rate:g}",
        augmentation=str(run.augmentation),
        precision=describe_precision(device),
        seed=spec.seed,
        versions={"python": platform.python_version(), "torch": torch.__version__},
        seconds=round(sum(record.seconds for record in run.records), 1),
        train_data_sha256=datasets.fingerprint(datasets.load(recipe.dataset, "train")),
    )


def recipe_of_run(spec: RunSpec) -> Recipe:
    """Return the recipe that shows the network of a finished run as it is.

    Parameters
    ----------
    spec : RunSpec
        Of the run.

    Returns
    -------
    Recipe
        With the run as its checkpoint and a last step that removes nothing.
    """
    steps = (replace(spec.recipe.last_step, rule="sparsity", scope="global", value=0.0, values=()),)
    return replace(
        spec.recipe, steps=steps, recovery=(), checkpoint=spec.name, max_test_images=None
    )

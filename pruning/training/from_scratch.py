"""Training from scratch, resumable after any interruption."""

import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from pruning.data import datasets
from pruning.data.datasets import DATASETS, Dataset, Images, normalise
from pruning.inference.classify import accuracy
from pruning.models import NETWORKS, build, checkpoints
from pruning.runtime.atomic_write import atomic_write
from pruning.runtime.errors import CheckpointError


@dataclass(frozen=True)
class Plan:
    """SGD with Nesterov momentum under a one-cycle learning rate (Smith & Topin 2018).

    ``pad`` moves each image by up to so many pixels; ``flip`` mirrors half of them.
    """

    epochs: int
    rate: float = 0.1
    batch: int = 128
    decay: float = 5e-4
    pad: int = 2
    flip: bool = False
    seed: int = 0


def default_plan(network: str, dataset: str) -> Plan:
    residual = network.startswith("resnet")
    plans = {
        "digits": Plan(epochs=60 if residual else 150, rate=0.1 if residual else 0.05, batch=64),
        "mnist": Plan(epochs=10 if residual else 30, rate=0.1),
        "cifar10": Plan(epochs=50, rate=0.2 if residual else 0.05, pad=4, flip=True),
    }
    NETWORKS[network], DATASETS[dataset]  # unknown names raise
    return plans[dataset]


def augment(pixels: torch.Tensor, plan: Plan, generator: torch.Generator) -> torch.Tensor:
    """Each image of (B, C, H, W) moved, over a black border, and perhaps mirrored, by its own draw."""
    count, _, height, width = pixels.shape
    draw = torch.randint(2 * plan.pad + 1, (2, count, 1), generator=generator)
    rows = draw[0] + torch.arange(height)  # (B, H)
    columns = draw[1] + torch.arange(width)  # (B, W)
    if plan.flip:
        mirrored = torch.rand(count, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    padded = F.pad(pixels, (plan.pad,) * 4)
    image = torch.arange(count)[:, None, None]
    return padded[image, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def fast_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 matrices in hardware, so that autocast is faster and not slower."""
    return (
        "amx_bf16" in Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else False
    )


def train(
    network: str,
    dataset: str,
    plan: Plan | None = None,
    folder: Path = checkpoints.FOLDER,
    progress: Callable[[int, int, int, int, float], None] = lambda *_: None,
) -> checkpoints.Card:
    """Train a network and write its checkpoint and card to ``folder``.

    After each epoch the state is written to ``<name>.partial``; if that file is there and of the same plan, training
    goes on from it. All randomness of an epoch follows from the seed and the epoch's number, so a resumed run draws
    the same batches as an unbroken one. Test images are read once, after the last epoch.

    Parameters
    ----------
    progress : called after each step with epoch, epochs, step, steps of an epoch, mean loss of the epoch
    """
    plan = plan or default_plan(network, dataset)
    data: Dataset = DATASETS[dataset]
    images = datasets.load(dataset, "train")
    model = build(
        network, channels=data.channels, size=data.size, classes=len(data.classes), seed=plan.seed
    )
    model = model.to(memory_format=torch.channels_last)
    half = fast_bfloat16()
    optimizer = torch.optim.SGD(
        model.parameters(), lr=plan.rate, momentum=0.9, nesterov=True, weight_decay=plan.decay
    )
    steps = len(images) // plan.batch
    partial = Path(folder) / f"{checkpoints.stem(network, dataset)}.partial"
    done, seconds = _resume(partial, plan, model, optimizer)
    rates = _rates(plan, steps)
    for epoch in range(done, plan.epochs):
        began = time.perf_counter()
        _epoch(
            model,
            optimizer,
            rates[epoch * steps :],
            images,
            data,
            plan,
            half,
            epoch,
            steps,
            progress,
        )
        seconds += time.perf_counter() - began
        _remember(partial, plan, model, optimizer, epoch + 1, seconds)
    test, validation = datasets.load(dataset, "test"), datasets.load(dataset, "validation")
    reached = accuracy(model, test, data)
    card = checkpoints.save(
        model,
        folder,
        network=network,
        dataset=dataset,
        test_accuracy=reached,
        test_correct=round(reached * len(test)),
        test_images=len(test),
        validation_accuracy=accuracy(model, validation, data),
        epochs=plan.epochs,
        batch=plan.batch,
        optimizer=f"SGD, Nesterov momentum 0.9, weight decay {plan.decay:g}",
        schedule=f"one-cycle learning rate, peak {plan.rate:g}",
        augmentation=f"shift up to {plan.pad} pixels"
        + (", mirrored half of the time" if plan.flip else ""),
        precision="bfloat16 autocast" if half else "float32",
        seed=plan.seed,
        versions={"python": platform.python_version(), "torch": torch.__version__},
        seconds=round(seconds, 1),
        train_data_sha256=datasets.fingerprint(images),
    )
    partial.unlink(missing_ok=True)
    return card


def _rates(plan: Plan, steps: int) -> list[float]:
    """The learning rate of every step, so that a resumed run needs no schedule's state."""
    stand_in = torch.optim.SGD([torch.zeros(1)], lr=plan.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        stand_in,
        max_lr=plan.rate,
        total_steps=plan.epochs * steps + 1,
        pct_start=0.25,
        cycle_momentum=False,
    )
    rates = []
    for _ in range(plan.epochs * steps):
        rates.append(schedule.get_last_lr()[0])
        stand_in.step()
        schedule.step()
    return rates


def _epoch(
    model: nn.Module,
    optimizer,
    rates: list[float],
    images: Images,
    data: Dataset,
    plan: Plan,
    half: bool,
    epoch: int,
    steps: int,
    progress: Callable,
) -> None:
    model.train()
    generator = torch.Generator().manual_seed(plan.seed * 100_003 + epoch)
    order = torch.randperm(len(images), generator=generator)
    total = 0.0
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rates[step]
        chosen = order[step * plan.batch : (step + 1) * plan.batch]
        x = normalise(augment(images.pixels[chosen], plan, generator), data)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = F.cross_entropy(model(x), images.labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
        progress(epoch + 1, plan.epochs, step + 1, steps, total / (step + 1))


def _remember(
    partial: Path, plan: Plan, model: nn.Module, optimizer, done: int, seconds: float
) -> None:
    tensors = {f"model.{k}": v.contiguous() for k, v in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        tensors[f"momentum.{name}"] = optimizer.state[parameter]["momentum_buffer"].contiguous()
    with atomic_write(partial) as temporary:
        save_file(
            tensors,
            temporary,
            {"plan": json.dumps(asdict(plan)), "done": str(done), "seconds": str(seconds)},
        )


def _resume(partial: Path, plan: Plan, model: nn.Module, optimizer) -> tuple[int, float]:
    """Epochs and seconds that an interrupted run of the same plan has behind it; (0, 0) without one."""
    if not partial.is_file():
        return 0, 0.0
    try:
        with safe_open(partial, "pt") as file:
            about = file.metadata()
            if json.loads(about["plan"]) != asdict(plan):
                return 0, 0.0
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{partial} cannot be read ({error}): delete it to start over"
        ) from error
    model.load_state_dict(
        {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    )
    for name, parameter in model.named_parameters():
        buffer = torch.empty_like(parameter).copy_(
            tensors[f"momentum.{name}"]
        )  # keeps the memory format
        optimizer.state[parameter]["momentum_buffer"] = buffer
    return int(about["done"]), float(about["seconds"])

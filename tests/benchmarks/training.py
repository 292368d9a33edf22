"""An epoch of training beside the plain loop, in turns; in `make bench`.

The plain loop, as most training code has it: torchvision's dataset and transforms, image by image,
through a DataLoader, in float32. The faster of no workers and two workers counts.
"""

import time
from collections.abc import Callable

import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from pruning.data import datasets
from pruning.data.datasets import DATASETS, Images
from pruning.models import build
from pruning.training.batches import Augmentation, Batches
from pruning.training.loop import make_optimizer, train_epoch
from pruning.training.losses import cross_entropy
from pruning.training.plans import TrainingPlan, default_plan

NETWORKS = (
    ("lenet300", "mnist", 5.0, None),
    ("lenet5", "mnist", 3.0, None),
    ("resnet20", "cifar10", 1.8, 6_400),
)
"""Network, dataset, the ratio to reach, and the number of images where an epoch takes too long."""
TURNS = 2
WORKERS = (0, 2)
LEARNING_RATE = 0.01


def name_of(network: str, dataset: str) -> str:
    return f"epoch of training, {network} on {dataset}"


def names() -> list[str]:
    return [name_of(network, dataset) for network, dataset, _, _ in NETWORKS]


def rows(row: Callable, is_selected: Callable[..., bool]) -> None:
    """Train an epoch, or a part of it, in turns with the plain loop."""
    for network, dataset, target, limit in NETWORKS:
        name = name_of(network, dataset)
        if not is_selected(name):
            continue
        if not datasets.available(dataset):
            print(f"{name}: skipped")
            continue
        images = datasets.load(dataset, "train")
        if limit is not None:
            images = Images(images.pixels[:limit], images.labels[:limit])
        ours, plain = in_turns(network, dataset, images)
        row(f"{name}, {len(images):,} images: ours", min(ours))
        row(f"{name}, {len(images):,} images: plain loop", min(plain))
        print(f"  {min(plain) / min(ours):.1f} times as fast, at least {target:g} wanted")


def in_turns(network: str, dataset: str, images: Images) -> tuple[list[float], list[float]]:
    """Seconds of each turn; the best turns are compared, because other programs only add time."""
    plan, plain_images = default_plan(network, dataset), PlainImages(dataset, images)
    ours, plain = [], []
    for _ in range(TURNS):
        ours.append(our_epoch(network, dataset, images, plan))
        for workers in WORKERS:
            plain.append(plain_epoch(network, dataset, plain_images, plan, workers))
    return ours, plain


def new_model(network: str, dataset: str) -> torch.nn.Module:
    data = DATASETS[dataset]
    return build(network, channels=data.channels, size=data.size)


def our_epoch(network: str, dataset: str, images: Images, plan: TrainingPlan) -> float:
    model = new_model(network, dataset).to(memory_format=torch.channels_last)
    optimizer = make_optimizer(model, learning_rate=LEARNING_RATE, weight_decay=plan.weight_decay)
    augmentation = Augmentation(plan.max_shift, plan.flip)
    device = torch.device("cpu")
    batches = Batches(images, DATASETS[dataset], plan.batch_size, augmentation, 0, device)
    start = time.perf_counter()
    rates = [LEARNING_RATE] * len(batches)
    train_epoch(model, optimizer, batches.epoch(0), rates, cross_entropy)
    return time.perf_counter() - start


class PlainImages(Dataset):
    """Images as torchvision's datasets have them: one PIL image at a time, then transforms."""

    def __init__(self, dataset: str, images: Images) -> None:
        data, plan = DATASETS[dataset], default_plan("lenet5", dataset)
        to_image = transforms.ToPILImage()
        self._images = [to_image(pixels) for pixels in images.pixels]
        self._labels = images.labels.tolist()
        steps = [transforms.RandomCrop(data.size, padding=plan.max_shift)]
        if plan.flip:
            steps.append(transforms.RandomHorizontalFlip())
        steps += [transforms.ToTensor(), transforms.Normalize(data.mean, data.std)]
        self._transform = transforms.Compose(steps)

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self._transform(self._images[index]), self._labels[index]


def plain_epoch(
    network: str, dataset: str, images: PlainImages, plan: TrainingPlan, workers: int
) -> float:
    model = new_model(network, dataset)
    model.train()
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=LEARNING_RATE,
        momentum=0.9,
        nesterov=True,
        weight_decay=plan.weight_decay,
    )
    start = time.perf_counter()
    loader = DataLoader(images, plan.batch_size, shuffle=True, num_workers=workers, drop_last=True)
    for x, labels in loader:
        loss = F.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.perf_counter() - start

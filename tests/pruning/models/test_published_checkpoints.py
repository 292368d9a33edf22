"""Files of other projects, written by the tests as those projects write them."""

import os
import pickle
import re

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pruning.data.datasets import DATASETS
from pruning.models import build, checkpoints
from pruning.models.published_checkpoints import read_published
from pruning.runtime.errors import CheckpointError


class Block(nn.Module):
    """Residual block with the names and the order of the usual CIFAR ResNets."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        residual = x if self.downsample is None else self.downsample(x)
        hidden = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(hidden)) + residual)


class OtherResNet20(nn.Module):
    """ResNet-20 as others write it."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        widths = [(16, 16, 1), (16, 32, 2), (32, 64, 2)]
        for number, (inputs, outputs, stride) in enumerate(widths, start=1):
            blocks = [Block(inputs, outputs, stride)]
            blocks += [Block(outputs, outputs, 1) for _ in range(2)]
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


@pytest.fixture
def other() -> OtherResNet20:
    """With random weights and statistics, so that two layers of one shape differ."""
    generator = torch.Generator().manual_seed(0)
    model = OtherResNet20().eval()
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            spread = 0.1 if "conv" in name else 0.5
            values = spread * torch.randn(tensor.shape, generator=generator)
            is_variance = name.endswith(("bn1.weight", "bn2.weight", "running_var"))
            tensor.copy_(values.abs() + 0.5 if is_variance else values)
    return model


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def with_prefix(state: dict) -> dict:
    """As a model in nn.DataParallel names its tensors."""
    return {f"module.{name}": tensor for name, tensor in state.items()}


def mlpnet_state() -> dict[str, torch.Tensor]:
    return dict(checkpoints.load("mlpnet", "digits").state_dict())


def refusal(path, network="mlpnet", dataset="digits") -> str:
    with pytest.raises(CheckpointError) as caught:
        read_published(path, network, dataset)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    return message


@pytest.mark.parametrize("is_old", [False, True])
def test_a_residual_network_of_others_gives_their_logits(tmp_path, other, images, is_old):
    state = with_prefix(other.state_dict())
    if is_old:  # PyTorch before 0.4.1: no counters, no zip file
        state = {name: value for name, value in state.items() if "num_batches" not in name}
    content = {"epoch": 200, "arch": "resnet20", "best_prec1": 91.4, "state_dict": state}
    path = tmp_path / "resnet20_cifar10.pth.tar"
    torch.save(content, path, _use_new_zipfile_serialization=not is_old)
    model = read_published(path, "resnet20", "cifar10")
    assert not model.training and not any(p.requires_grad for p in model.parameters())
    torch.testing.assert_close(model(images), other(images), rtol=1e-4, atol=1e-4)


def test_images_divided_by_other_deviations_give_the_same_logits(tmp_path, other, images):
    path, std = tmp_path / "x.pth", (0.2023, 0.1994, 0.2010)
    torch.save(other.state_dict(), path)
    model = read_published(path, "resnet20", "cifar10", std)
    ratios = torch.tensor(DATASETS["cifar10"].std) / torch.tensor(std)
    expected = other(images * ratios[:, None, None])
    torch.testing.assert_close(model(images), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("std", [(0.2,), (0.2, 0.2, 0.0), (0.2, 0.2, float("nan"))])
def test_deviations_must_fit_the_dataset(tmp_path, other, std):
    torch.save(other.state_dict(), tmp_path / "x.pth")
    with pytest.raises(ValueError, match=r"std must be 3 positive numbers, such as 0\.247,"):
        read_published(tmp_path / "x.pth", "resnet20", "cifar10", std)


def test_wrapped_layers_masks_and_stored_optimizers(tmp_path):
    """As WoodFisher's training script stores its MLPNet."""
    state = {}
    for name, tensor in mlpnet_state().items():
        layer = name.removesuffix(".weight")
        state[f"module.{layer}._mask"] = torch.ones_like(tensor)
        state[f"module.{layer}._layer.weight"] = tensor
    optimizer = torch.optim.SGD(build("mlpnet", channels=1, size=28).parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 10)
    content = {
        "epoch": 25,
        "model_config": {"arch": "mlpnet", "dataset": "mnist"},
        "model_state_dict": state,
        "optimizer": {"type": type(optimizer), "state_dict": optimizer.state_dict()},
        "lr_scheduler": {"type": type(schedule), "state_dict": schedule.state_dict()},
    }
    torch.save(content, tmp_path / "mnist.ckpt")
    model = read_published(tmp_path / "mnist.ckpt", "mlpnet", "digits")
    for name, tensor in mlpnet_state().items():
        assert torch.equal(model.state_dict()[name], tensor)


def test_a_safetensors_file(tmp_path):
    save_file(with_prefix(mlpnet_state()), tmp_path / "x.safetensors")
    model = read_published(tmp_path / "x.safetensors", "mlpnet", "digits")
    assert torch.equal(model.fc2.weight, mlpnet_state()["fc2.weight"])


class RunsCode:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("writer", [torch.save, lambda x, path: path.write_bytes(pickle.dumps(x))])
def test_a_file_that_would_run_code_is_refused(tmp_path, writer):
    trace = tmp_path / "trace"
    writer({"state_dict": mlpnet_state(), "extra": RunsCode(trace)}, tmp_path / "x.pth")
    message = refusal(tmp_path / "x.pth")
    assert "or holds more than tensors" in message and "weights_only=True" in message
    assert not trace.exists()
    pickle.loads(pickle.dumps(RunsCode(trace)))
    assert trace.exists()


@pytest.mark.parametrize("name", ["x.pth", "x.safetensors"])
@pytest.mark.parametrize("content", [b"", b"text", b"\x80\x02", b"PK\x03\x04"])
def test_other_files_are_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert "cannot be read" in refusal(tmp_path / name)


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_truncated_file_is_refused(tmp_path, is_zip):
    path = tmp_path / "x.pth"
    torch.save(mlpnet_state(), path, _use_new_zipfile_serialization=is_zip)
    content = path.read_bytes()
    for length in range(1, len(content), len(content) // 20):
        path.write_bytes(content[:length])
        assert "cannot be read" in refusal(path)


def test_a_missing_file_is_an_error_of_the_system(tmp_path):
    for name in ("x.pth", "x.safetensors"):
        with pytest.raises(FileNotFoundError):
            read_published(tmp_path / name, "mlpnet", "digits")


def test_another_shape_is_named(tmp_path):
    state = mlpnet_state()
    state["fc2.weight"] = torch.zeros(30, 40)
    torch.save(state, tmp_path / "x.pth")
    assert "in the place of fc2.weight 20x40 it has fc2.weight 30x40" in refusal(tmp_path / "x.pth")


def test_tensors_of_one_shape_in_another_order_are_refused(tmp_path, other):
    state = other.state_dict()
    weight, bias = state.pop("bn1.weight"), state.pop("bn1.bias")
    reordered = {"conv1.weight": state.pop("conv1.weight"), "bn1.bias": bias, "bn1.weight": weight}
    torch.save({**reordered, **state}, tmp_path / "x.pth")
    message = refusal(tmp_path / "x.pth", "resnet20", "cifar10")
    assert "in the place of bn1.weight 16 it has bn1.bias 16" in message


def test_another_number_of_tensors_says_what_is_valid(tmp_path, other):
    torch.save(other.state_dict(), tmp_path / "x.pth")
    message = refusal(tmp_path / "x.pth")
    assert "a mlpnet for digits has 3: from fc1.weight 40x784 to fc3.weight 10x20" in message
    assert re.search(r"holds \d+ tensors", message)


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": {}}, {"epoch": 3}, torch.zeros(3)])
def test_a_file_without_tensors_by_name_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "x.pth")
    assert "holds no tensors by name" in refusal(tmp_path / "x.pth")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(tmp_path, value):
    state = mlpnet_state()
    state["fc3.weight"] = torch.full((10, 20), value)
    torch.save(state, tmp_path / "x.pth")
    assert "not finite numbers in fc3.weight" in refusal(tmp_path / "x.pth")


def test_unknown_names_are_refused(tmp_path):
    with pytest.raises(ValueError, match="unknown network"):
        read_published(tmp_path / "x.pth", "vgg", "digits")
    with pytest.raises(ValueError, match="unknown dataset"):
        read_published(tmp_path / "x.pth", "mlpnet", "svhn")

import pytest
import torch

from pruning.training.device import DEVICES, DeviceError, choose_device, uses_bfloat16


@pytest.fixture
def only_a_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_the_cpu_is_there_and_is_what_auto_chooses_without_an_accelerator(only_a_cpu):
    assert choose_device("cpu") == choose_device("auto") == torch.device("cpu")


def test_auto_prefers_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device() == torch.device("cuda")
    assert uses_bfloat16(torch.device("cuda"))


@pytest.mark.parametrize("name", [name for name in DEVICES if name in ("cuda", "mps")])
def test_a_missing_device_is_named(name, only_a_cpu):
    with pytest.raises(DeviceError, match=f"no {name} device here: use cpu"):
        choose_device(name)


def test_an_unknown_device_is_refused_with_the_valid_ones():
    with pytest.raises(ValueError, match="choose from auto, cpu, cuda, mps"):
        choose_device("tpu")

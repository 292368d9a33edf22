import pytest
import torch

from pruning.inference.device import DeviceError, choose_device, device_of_sweeps


@pytest.fixture
def only_a_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_the_cpu_is_there_and_is_what_auto_chooses_without_an_accelerator(only_a_cpu):
    assert choose_device("cpu") == choose_device("auto") == torch.device("cpu")


def test_auto_prefers_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device() == torch.device("cuda")


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_missing_device_is_named(name, only_a_cpu):
    with pytest.raises(DeviceError, match=f"no {name} device here: use cpu"):
        choose_device(name)


def test_an_unknown_device_is_refused_with_the_valid_ones():
    with pytest.raises(ValueError, match="choose from auto, cpu, cuda, mps"):
        choose_device("tpu")


def test_sweeps_use_cuda_where_it_is_and_nothing_else_by_themselves(only_a_cpu, monkeypatch):
    monkeypatch.delenv("PRUNESCOPE_DEVICE", raising=False)
    assert device_of_sweeps() == torch.device("cpu")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert device_of_sweeps() == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_of_sweeps() == torch.device("cuda")


def test_sweeps_use_the_device_that_is_asked_for(only_a_cpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("PRUNESCOPE_DEVICE", "cpu")
    assert device_of_sweeps() == torch.device("cpu")
    monkeypatch.setenv("PRUNESCOPE_DEVICE", "mps")
    with pytest.raises(DeviceError, match="no mps device here: use cuda or cpu"):
        device_of_sweeps()
    monkeypatch.setenv("PRUNESCOPE_DEVICE", "tpu")
    with pytest.raises(DeviceError, match=r"PRUNESCOPE_DEVICE must be one of auto, .* not 'tpu'"):
        device_of_sweeps()

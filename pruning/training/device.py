"""Where a network is trained, and in which precision."""

from pathlib import Path

import torch

from pruning.runtime.errors import PrunescopeError

DEVICES = ("auto", "cpu", "cuda", "mps")


class DeviceError(PrunescopeError):
    """A device that was asked for is not there."""


def choose_device(name: str = "auto") -> torch.device:
    """Return the device to train on.

    Parameters
    ----------
    name : str
        ``"cpu"``, ``"cuda"``, ``"mps"``, or ``"auto"`` for the first of CUDA, MPS and the CPU that
        there is.

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    ValueError
        If the name is none of these.
    DeviceError
        If the device is not there.
    """
    if name not in DEVICES:
        raise ValueError(f"unknown device {name!r}: choose from {', '.join(DEVICES)}")
    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    if torch.cuda.is_available():
        available.insert(0, "cuda")
    if name == "auto":
        return torch.device(available[0])
    if name not in available:
        raise DeviceError(f"PyTorch finds no {name} device here: use {' or '.join(available)}")
    return torch.device(name)


def uses_bfloat16(device: torch.device) -> bool:
    """Return whether training on a device uses bfloat16 autocast.

    Parameters
    ----------
    device : torch.device
        As `choose_device` returns it.

    Returns
    -------
    bool
        True for CUDA, and for CPUs that multiply bfloat16 matrices in hardware.
    """
    return device.type == "cuda" or (device.type == "cpu" and fast_bfloat16())


def fast_bfloat16() -> bool:
    """Return whether the processor multiplies bfloat16 matrices in hardware.

    Autocast is slower than float32 on other processors.

    Returns
    -------
    bool
        True if the processor has AMX for bfloat16.
    """
    cpu_info = Path("/proc/cpuinfo")
    return cpu_info.exists() and "amx_bf16" in cpu_info.read_text()


def describe_precision(device: torch.device) -> str:
    """Describe the precision of training on a device.

    Parameters
    ----------
    device : torch.device
        As `choose_device` returns it.

    Returns
    -------
    str
        For cards and records.
    """
    return "bfloat16 autocast" if uses_bfloat16(device) else "float32"

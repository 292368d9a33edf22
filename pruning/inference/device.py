"""Where networks are trained, and where many of them are evaluated together."""

import os

import torch

from pruning.runtime.defaults import DEVICE_VARIABLE, DEVICES
from pruning.runtime.errors import PrunescopeError


class DeviceError(PrunescopeError):
    """A device that was asked for is not there, or has too little memory."""


def choose_device(name: str | None = None) -> torch.device:
    """Return the device of a name.

    Parameters
    ----------
    name : str, optional
        ``"cpu"``, ``"cuda"``, ``"mps"``, or ``"auto"`` for the first of CUDA, MPS and the CPU that
        there is; default: `requested_device`.

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
    if name is None:
        name = requested_device()
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


def requested_device() -> str:
    """Return the name of the device that was asked for.

    Returns
    -------
    str
        The environment variable ``PRUNESCOPE_DEVICE``, else ``"auto"``.

    Raises
    ------
    DeviceError
        The variable has another value.
    """
    name = os.environ.get(DEVICE_VARIABLE) or "auto"
    if name not in DEVICES:
        valid = ", ".join(DEVICES)
        raise DeviceError(f"{DEVICE_VARIABLE} must be one of {valid}, not {name[:20]!r}")
    return name


def device_of_sweeps() -> torch.device:
    """Return the device on which many networks are evaluated together.

    Returns
    -------
    torch.device
        That of `requested_device`; ``"auto"`` stands for CUDA where there is one, else the CPU.

    Raises
    ------
    DeviceError
        As `requested_device` and `choose_device`.
    """
    name = requested_device()
    if name == "auto" and not torch.cuda.is_available():
        name = "cpu"
    return choose_device(name)

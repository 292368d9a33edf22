"""The precision of training, by device."""

from pathlib import Path

import torch


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

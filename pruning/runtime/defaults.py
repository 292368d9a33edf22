"""Names and limits that the help of the command line shows, in a module that needs no PyTorch."""

DEFAULT_NETWORK = "lenet5"
DEFAULT_DATASET = "mnist"
DEFAULT_CALIBRATION = 1024
"""Number of calibration images."""
OWN_FOLDER_VARIABLE = "PRUNESCOPE_OWN"
"""Environment variable with the folder of a user's network, which the application shows."""
OWN_IS_TEMPORARY_VARIABLE = "PRUNESCOPE_OWN_TEMPORARY"
"""Environment variable that is set if that folder is deleted when it has been read."""
CLUSTER_VARIABLE = "PRUNESCOPE_CLUSTER"
"""Environment variable with the address of a scheduler of Dask."""
DEVICES = ("auto", "cpu", "cuda", "mps")
"""Names of devices."""
DEVICE_VARIABLE = "PRUNESCOPE_DEVICE"
"""Environment variable with the device of training and of sweeps."""
MAX_SEED = 2**32 - 1
"""Largest seed that NumPy and PyTorch both accept."""

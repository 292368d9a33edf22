"""A pruned network as a folder, or as a ZIP archive of it."""

import json
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from pruning.data.datasets import DATASETS
from pruning.engine.export import save_masks, save_sparse, save_weights
from pruning.engine.pruned_network import PrunedNetwork
from pruning.engine.pytorch_files import save_for_pytorch
from pruning.recipe.serialization import recipe_to_dict
from pruning.runtime.atomic_write import atomic_write


def save_folder(pruned: PrunedNetwork, folder: Path) -> None:
    """Write the recipe, the masks, and the masked and the smaller network.

    Parameters
    ----------
    pruned : PrunedNetwork
        The network.
    folder : Path
        Exists; files of the same names are replaced. ``recipe.json``, ``data.json`` (classes, and
        what images are normalised by), ``masks.safetensors``, ``masked.safetensors``, the same as
        compressed sparse rows in ``sparse.safetensors``, and the smaller network:
        ``network.json``, ``network.safetensors`` and ``load.py``, which loads it in plain PyTorch.
    """
    data = DATASETS[pruned.recipe.dataset]
    about = {"classes": data.classes, "mean": data.mean, "std": data.std}
    for name, content in (("recipe", recipe_to_dict(pruned.recipe)), ("data", about)):
        with atomic_write(folder / f"{name}.json") as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n")
    save_masks(pruned, folder / "masks.safetensors")
    save_weights(pruned, folder / "masked.safetensors")
    save_sparse(pruned, folder / "sparse.safetensors")
    shape = (data.channels, data.size, data.size)
    save_for_pytorch(pruned.compact_model, shape, folder)


def save_archive(pruned: PrunedNetwork, path: Path) -> None:
    """Write the files of `save_folder` into a ZIP archive.

    Parameters
    ----------
    pruned : PrunedNetwork
        The network.
    path : Path
        The archive.
    """
    with TemporaryDirectory(prefix="prunescope-") as name:
        folder = Path(name)
        save_folder(pruned, folder)
        with (
            atomic_write(path) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            for file in sorted(folder.iterdir()):
                archive.write(file, file.name)

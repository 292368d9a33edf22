"""ONNX files: what onnxruntime computes from them."""

from importlib import util

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from pruning.data import datasets
from pruning.engine import onnx_file
from pruning.engine.evaluate import evaluate
from pruning.engine.onnx_file import check_onnx, save_onnx
from pruning.engine.prune import prune
from pruning.recipe.recipe import Recipe
from pruning.runtime import installation
from pruning.runtime.errors import PrunescopeError

RECIPES = [
    Recipe.one_step("lenet5", "digits", method="filter", scope="layer", value=0.4),
    Recipe.one_step("lenet300", "digits", method="feature", criterion="random", value=0.5),
    Recipe.one_step("resnet20", "digits", method="filter", scope="layer", value=0.4),
]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("form", onnx_file.FORMS)
def test_onnxruntime_computes_the_same_logits(recipe, form, tmp_path):
    pruned = prune(recipe)
    path = tmp_path / "network.onnx"
    save_onnx(pruned, path, form)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    onnx.checker.check_model(onnx.load(path))
    check = check_onnx(pruned, path, form)
    assert check.images == 360 and check.agreement > 0.99 and check.largest_difference < 1e-3


@pytest.mark.slow
def test_the_accuracy_of_the_file_is_the_measured_one(tmp_path):
    recipe = RECIPES[0]
    path = tmp_path / "network.onnx"
    save_onnx(prune(recipe), path, "masked")
    session = onnxruntime.InferenceSession(path)
    images = datasets.load("digits", "test")
    [logits] = session.run(None, {"pixels": images.pixels.numpy().astype(np.float32) / 255})
    [evaluation] = evaluate([recipe])
    correct = int((torch.from_numpy(logits).argmax(1) == images.labels).sum())
    assert abs(correct - evaluation.accuracy.correct) <= 1


def test_without_the_extra_a_sentence_says_what_to_install(tmp_path, monkeypatch):
    real = util.find_spec
    monkeypatch.setattr(
        installation, "find_spec", lambda name: None if name == "onnxscript" else real(name)
    )
    with pytest.raises(PrunescopeError, match=r"need onnxscript: run `pip install prunescope\[o"):
        save_onnx(prune(RECIPES[0]), tmp_path / "network.onnx")


def test_an_unknown_form(tmp_path):
    with pytest.raises(ValueError, match="unknown form 'small': choose from dense, masked"):
        save_onnx(prune(RECIPES[0]), tmp_path / "network.onnx", "small")

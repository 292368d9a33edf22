import pytest
import torch

from pruning.data import datasets
from pruning.data.datasets import DATASETS, normalise
from pruning.inference.predict import BatchLogits, predict_batches
from pruning.models import checkpoints


@pytest.mark.parametrize("network", ["lenet300", "lenet5", "resnet20"])
def test_the_logits_are_those_of_the_network(network):
    model, data = checkpoints.shared_model(network, "digits"), DATASETS["digits"]
    images = datasets.load("digits", "test")
    name = next(name for name, _ in model.named_parameters())
    zeroed = {name: torch.zeros_like(model.get_parameter(name))}
    for replacements in ({}, zeroed):
        logits = torch.zeros(len(images), 10)
        for item in predict_batches(model, replacements, images, data):
            if isinstance(item, BatchLogits):
                logits[item.start : item.start + len(item.values)] = item.values
        with torch.inference_mode():
            expected = torch.func.functional_call(
                model, replacements, normalise(images.pixels, data)
            )
        torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


def test_a_part_of_the_images():
    model, data = checkpoints.shared_model("resnet20", "digits"), DATASETS["digits"]
    images = datasets.load("digits", "test")
    items = predict_batches(model, {}, images, data, 100, 250)
    batches = [item for item in items if isinstance(item, BatchLogits)]
    assert sorted((batch.start, len(batch.values)) for batch in batches) == [(100, 100), (200, 50)]

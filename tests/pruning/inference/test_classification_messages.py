import torch

from pruning.data import datasets
from pruning.inference.classification_messages import SplitImages


def test_the_first_images_of_a_split_are_views_of_the_cached_ones():
    images = datasets.load("digits", "test")
    first = SplitImages("digits", "test", 10).load()
    assert torch.equal(first.labels, images.labels[:10])
    assert first.pixels.data_ptr() == images.pixels.data_ptr()

import pytest
import torch

from pruning.inference.fusion import fuse
from pruning.inference.prefix_cache import (
    cached_prefix_forward,
    forward,
    prefix_cache,
    prefix_length,
)
from pruning.models import NETWORKS, build
from pruning.runtime.errors import PrunescopeError


@pytest.fixture(autouse=True)
def empty_cache():
    prefix_cache.cache_clear()
    yield
    prefix_cache.cache_clear()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if NETWORKS[name].residual else [])
        for name in NETWORKS
    ],
)
def test_reusing_the_first_layer_gives_what_computing_it_gives(name):
    """Many weights, biases and batches, some of them again: never another's output."""
    model = build(name, channels=1, size=28).eval().requires_grad_(False)
    first = next(key for key, _ in model.named_parameters())
    pixels = torch.randint(256, (40, 1, 28, 28), dtype=torch.uint8)
    prepare = lambda x: x.float() / 255  # noqa: E731
    generator = torch.Generator().manual_seed(0)
    masks = [
        torch.rand(model.get_parameter(first).shape, generator=generator) < share
        for share in (0.3, 0.6, 0.9)
    ]
    other = pixels.clone().flip(0)
    for _ in range(2):
        for mask in masks:
            parameters = {first: torch.where(mask, model.get_parameter(first), 0)}
            network, plain = (
                cached_prefix_forward(model, parameters, prepare, 40),
                forward(model, parameters),
            )
            for images in (pixels, other):
                for start, stop in ((0, 20), (20, 40), (0, 10)):
                    torch.testing.assert_close(
                        network(images[start:stop]), plain(prepare(images[start:stop]))
                    )


def test_a_first_convolution_is_computed_once_for_the_same_weights(monkeypatch):
    model, prepared = build("lenet5", channels=1, size=28).eval().requires_grad_(False), []
    pixels = torch.randint(256, (40, 1, 28, 28), dtype=torch.uint8)

    def prepare(x):
        prepared.append(len(x))
        return x.float() / 255

    for scale in (1.0, 0.5, 0.25):
        cached_prefix_forward(model, {"fc1.weight": model.fc1.weight * scale}, prepare, 40)(pixels)
    assert prepared == [40]
    cached_prefix_forward(model, {"conv1.weight": model.conv1.weight * 0.5}, prepare, 40)(pixels)
    assert prepared == [40, 40]


@pytest.mark.parametrize("asked", ["", "much", "1.5", "-3", "²"])
def test_a_bound_that_is_no_number_is_refused_in_a_sentence(asked, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_REUSE_MB", asked)
    model = build("lenet5", channels=1, size=28).eval()
    with pytest.raises(PrunescopeError, match="whole number of megabytes such as 200"):
        cached_prefix_forward(model, {}, lambda x: x.float(), 50)


def test_the_memory_is_limited_and_a_set_that_is_too_large_is_not_cached(monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_REUSE_MB", "1")
    model = build("lenet5", channels=1, size=28).eval().requires_grad_(False)
    later = {"conv2.weight": model.conv2.weight * 0.5}
    for _ in range(30):  # 6 x 14 x 14 x 4 bytes an image
        cached_prefix_forward(model, later, lambda x: x.float(), 50)(
            torch.zeros(50, 1, 28, 28, dtype=torch.uint8)
        )
    assert 0 < prefix_cache().currsize <= 1_000_000
    before = len(prefix_cache())
    cached_prefix_forward(model, later, lambda x: x.float(), 1000)(
        torch.zeros(8, 1, 28, 28, dtype=torch.uint8)
    )
    assert len(prefix_cache()) == before


@pytest.mark.parametrize(
    "name", ["lenet300", "lenet5", pytest.param("resnet20", marks=pytest.mark.slow)]
)
def test_an_unmodified_prefix_is_computed_once_with_identical_results(name):
    """Each layer alone is replaced, twice: what comes before it is not computed the second time."""
    from pruning.models import prunable

    model = build(name, channels=1, size=28).eval().requires_grad_(False)
    pixels = torch.randint(256, (20, 1, 28, 28), dtype=torch.uint8)
    prepared = []
    prepare = lambda x: prepared.append(1) or x.float() / 255  # noqa: E731
    for layer in list(prunable(model))[1:]:
        prefix_cache().clear()
        prepared.clear()
        for scale in (0.5, 0.25):
            parameters = {f"{layer}.weight": model.get_parameter(f"{layer}.weight") * scale}
            found = cached_prefix_forward(model, parameters, prepare, 20)(pixels)
            assert torch.equal(found, forward(model, parameters)(pixels.float() / 255))
        assert len(prepared) == 1, layer


def test_the_same_prefix_of_another_network_is_another():
    first, second = (
        build("lenet5", channels=1, size=28, seed=seed).eval().requires_grad_(False)
        for seed in (0, 1)
    )
    pixels = torch.randint(256, (8, 1, 28, 28), dtype=torch.uint8)
    for model in (first, second, first):
        parameters = {"fc3.weight": model.fc3.weight * 0.5}
        torch.testing.assert_close(
            cached_prefix_forward(model, parameters, lambda x: x.float(), 8)(pixels),
            forward(model, parameters)(pixels.float()),
        )


def length(model, *replaced: str) -> int:
    parameters = {name: torch.ones(1) for name in replaced}
    return prefix_length(fuse(model, parameters), parameters)


def test_the_prefix_ends_before_the_first_replacement():
    """The parts of a LeNet-5: two convolutions with pooling and ReLU, flatten, three layers."""
    model = build("lenet5", channels=1, size=28)
    parts = fuse(model, {})
    starts = [next(iter(part.stages)) for part in parts]
    assert length(model) == len(parts) - 1
    assert length(model, "fc3.weight") == starts.index("fc3")
    assert length(model, "fc3.weight", "conv2.bias") == starts.index("conv2")


def test_a_replaced_or_masked_first_convolution_is_a_prefix_but_no_other_layer():
    convolutional = build("lenet5", channels=1, size=28)
    assert length(convolutional, "conv1.weight") == 1
    assert length(convolutional, "input", "fc3.weight") == 1
    assert length(convolutional, "input") == 1
    linear = build("lenet300", channels=1, size=28)
    first = next(name for name, _ in linear.named_parameters())
    starts = [next(iter(part.stages)) for part in fuse(linear, {})]
    assert length(linear, first) == starts.index(first.partition(".")[0])
    assert length(linear, "input") == 0

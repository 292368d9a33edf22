import pytest
import torch

from pruning.inference import prefix_cache as inference
from pruning.inference.prefix_cache import cached_prefix_forward, forward
from pruning.models import NETWORKS, build
from pruning.runtime.errors import PrunescopeError


@pytest.fixture(autouse=True)
def nothing_remembered():
    inference.memory.cache_clear()
    yield
    inference.memory.cache_clear()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("channels, size", [(1, 28), (3, 32)])
def test_the_fast_path_computes_what_the_network_computes(name, channels, size):
    model = build(name, channels=channels, size=size).eval().double().requires_grad_(False)
    x = torch.rand(3, channels, size, size, dtype=torch.float64)
    replaced = {
        key: value * 0.5 for key, value in model.named_parameters() if key.endswith("weight")
    }
    for parameters in ({}, replaced):
        expected = torch.func.functional_call(model, parameters, (x,))
        torch.testing.assert_close(forward(model, parameters)(x), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_operations_of_32_bits_compute_what_the_network_computes(name):
    """In double precision there is a plain path; this one is what everybody sees."""
    model = build(name, channels=3, size=32).eval().requires_grad_(False)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # not the identity, as a new one is
            for values in (module.running_mean, module.running_var, module.weight, module.bias):
                values.copy_(torch.rand_like(values) + 0.5)
    x = torch.rand(5, 3, 32, 32)
    replaced = {
        key: value * 0.5 for key, value in model.named_parameters() if key.endswith("weight")
    }
    for parameters in ({}, replaced):
        expected = torch.func.functional_call(model, parameters, (x,))
        torch.testing.assert_close(forward(model, parameters)(x), expected, rtol=1e-4, atol=1e-4)


def test_pooling_where_a_row_is_left_over():
    stages = torch.nn.Sequential()
    stages.add_module("conv", torch.nn.Conv2d(2, 3, 3, padding=1))
    stages.add_module("pool", torch.nn.MaxPool2d(2))
    stages = stages.double().requires_grad_(False)
    x = torch.rand(2, 2, 7, 9, dtype=torch.float64)
    torch.testing.assert_close(forward(stages, {})(x), stages(x))


@pytest.mark.parametrize("name", NETWORKS)
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


def test_the_memory_is_bounded_and_too_large_a_set_is_not_remembered(monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_REUSE_MB", "1")
    model = build("lenet5", channels=1, size=28).eval().requires_grad_(False)
    behind = {"conv2.weight": model.conv2.weight * 0.5}
    for _ in range(30):  # 6 x 14 x 14 x 4 bytes an image
        cached_prefix_forward(model, behind, lambda x: x.float(), 50)(
            torch.zeros(50, 1, 28, 28, dtype=torch.uint8)
        )
    assert 0 < inference.memory().currsize <= 1_000_000
    before = len(inference.memory())
    cached_prefix_forward(model, behind, lambda x: x.float(), 1000)(
        torch.zeros(8, 1, 28, 28, dtype=torch.uint8)
    )
    assert len(inference.memory()) == before


@pytest.mark.parametrize("name", ["lenet300", "lenet5", "resnet20"])
def test_what_is_left_untouched_is_computed_once_and_gives_the_same_to_the_bit(name):
    """Each layer alone is replaced, twice: what comes before it is not computed the second time."""
    from pruning.models import prunable

    model = build(name, channels=1, size=28).eval().requires_grad_(False)
    pixels = torch.randint(256, (20, 1, 28, 28), dtype=torch.uint8)
    prepared = []
    prepare = lambda x: prepared.append(1) or x.float() / 255  # noqa: E731
    for layer in list(prunable(model))[1:]:
        inference.memory().clear()
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

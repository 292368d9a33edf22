"""On the processor, too: what an accelerator computes must be what classify computes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pruning.data import datasets
from pruning.data.datasets import DATASETS, Images, normalise
from pruning.engine.evaluate import evaluate
from pruning.engine.prune import prune
from pruning.inference import stacked
from pruning.inference.accuracy import Tally, tallies_of
from pruning.inference.classify import BatchTally, classify, default_batch_size
from pruning.inference.device import DeviceError
from pruning.inference.stacked import StackedNetworks, classify_stacked
from pruning.models.graph import translate
from pruning.recipe.compatibility import criteria_for
from pruning.recipe.recipe import Recipe
from tests.pruning.methods.test_torchvision_networks import SIZES, build

CPU = torch.device("cpu")
SHARES = (0.0, 0.3, 0.6, 0.9)
KINDS = [
    ("lenet300", "weight"),
    ("lenet5", "weight"),
    ("lenet5", "filter"),
    pytest.param("resnet20", "filter", marks=pytest.mark.slow),
    ("lenet300", "feature"),
    pytest.param("resnet20", "weight", marks=pytest.mark.slow),
]


def members(network: str, method: str) -> tuple[torch.nn.Module, list[dict[str, torch.Tensor]]]:
    """A network, and the masked parameters of several recipes of it."""
    masked = []
    criterion = criteria_for(network, method)[0]
    for share in SHARES:
        recipe = Recipe.one_step(network, "digits", method=method, criterion=criterion, value=share)
        masked.append(prune(recipe).network)
    return masked[0].model, [each.masked_parameters() for each in masked]


def classified(model, replacements, count=360, **options) -> list[Tally]:
    options = {"skip": [0] * len(replacements), "is_done": lambda member: False} | options
    images = datasets.load("digits", "test")
    first = Images(images.pixels[:count], images.labels[:count])
    totals = [Tally() for _ in replacements]
    for item in classify_stacked(
        model, replacements, first, DATASETS["digits"], device=CPU, **options
    ):
        totals[item.member] += item.tally
    return totals


def expected(model, replacements, skip=()) -> list[Tally]:
    totals = [Tally() for _ in replacements]
    images = datasets.load("digits", "test")
    for item in classify(model, replacements, images, DATASETS["digits"], skip=skip):
        if isinstance(item, BatchTally):
            totals[item.member] += item.tally
    return totals


def assert_equal(measured: list[Tally], others: list[Tally]) -> None:
    for tally, other in zip(measured, others, strict=True):
        assert (tally.images, tally.class_correct) == (other.images, other.class_correct)
        assert tally.hits == other.hits
        assert tally.loss == pytest.approx(other.loss, rel=1e-4)


@pytest.mark.parametrize("network, method", KINDS)
def test_every_image_counts_as_it_does_one_network_at_a_time(network, method):
    model, replacements = members(network, method)
    assert_equal(classified(model, replacements), expected(model, replacements))


def test_members_without_replacements_are_the_network_itself():
    model, replacements = members("lenet5", "weight")
    images = normalise(datasets.load("digits", "test").pixels[:10], DATASETS["digits"])
    [only] = StackedNetworks(model, [{}], CPU).logits(images)
    torch.testing.assert_close(only, model(images))
    first, second = StackedNetworks(model, [{}, replacements[-1]], CPU).logits(images)
    torch.testing.assert_close(first, model(images))
    assert not torch.allclose(first, second)


def test_the_network_is_not_modified():
    model, replacements = members("lenet5", "weight")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    classified(model, replacements)
    for name, tensor in model.state_dict().items():
        assert tensor.device == CPU and torch.equal(tensor, before[name])


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small"])
def test_networks_of_others_are_stacked_without_a_slow_operation(name):
    """PyTorch warns, which is an error here, where vmap computes one member at a time."""
    model = translate(build(name), (3, SIZES[name], SIZES[name])).eval()
    generator = torch.Generator().manual_seed(0)
    replacements: list[dict[str, torch.Tensor]] = [{}]
    for share in (0.3, 0.7):
        masked = {}
        for key, value in model.named_parameters():
            if value.dim() > 1:
                masked[key] = value * (torch.rand(value.shape, generator=generator) > share)
        replacements.append(masked)
    x = torch.randn(2, 3, SIZES[name], SIZES[name], generator=generator)
    stack = StackedNetworks(model, replacements, CPU)
    with torch.inference_mode():
        logits = stack.logits(x)
        for own, masked in zip(logits, replacements, strict=True):
            torch.testing.assert_close(own, torch.func.functional_call(model, masked, (x,)))


@pytest.mark.slow
@pytest.mark.parametrize("memory", [1, 100_000_000, 1_000_000_000])
def test_little_memory_makes_small_batches_and_the_same_counts(memory, monkeypatch):
    model, replacements = members("resnet20", "filter")
    sizes = []
    make = stacked.StackedNetworks

    def record(model, parts, device):
        sizes.append(len(parts))
        return make(model, parts, device)

    monkeypatch.setattr(stacked, "StackedNetworks", record)
    assert_equal(classified(model, replacements, memory=memory), expected(model, replacements))
    assert sum(sizes) == len(SHARES) and (max(sizes) == 1) == (memory == 1)


@pytest.mark.slow
def test_a_tally_is_continued_after_the_images_that_are_known():
    model, replacements = members("resnet20", "weight")
    unit = default_batch_size(model)
    skip = [0, unit, 2 * unit, unit]
    measured = classified(model, replacements, skip=skip)
    assert [tally.images for tally in measured] == [360 - count for count in skip]
    assert_equal(measured, expected(model, replacements, skip))


@pytest.mark.slow
def test_members_that_are_done_get_no_more_tallies():
    model, replacements = members("resnet20", "weight")
    images = [0] * len(replacements)
    data = datasets.load("digits", "test")
    for item in classify_stacked(
        model,
        replacements,
        data,
        DATASETS["digits"],
        device=CPU,
        skip=images.copy(),
        is_done=lambda member: images[member] >= 100 * (member + 1),
        memory=1_000,
    ):
        images[item.member] += item.tally.images
    assert images == [100, 200, 300, 360]


@given(st.integers(1, 5), st.integers(1, 40), st.integers(2, 12), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_several_tallies_are_those_of_each(count, images, classes, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, images, classes, generator=generator)
    labels = torch.randint(classes, (images,), generator=generator)
    assert_equal(tallies_of(logits, labels), [Tally.of(each, labels) for each in logits])


def test_too_little_memory_of_a_device_is_a_sentence(monkeypatch):
    model, replacements = members("lenet5", "weight")

    def fail(self, x):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(StackedNetworks, "logits", fail)
    with pytest.raises(DeviceError, match="too little free memory: use --device cpu"):
        classified(model, replacements)


RECIPES = [Recipe.one_step("lenet5", "digits", value=share) for share in SHARES]


class TestEvaluate:
    """The door to it: sweeps on a device, a slider on the processor."""

    @pytest.fixture
    def devices(self, monkeypatch, empty_store):
        """Every use of the stacked networks, which run on the processor instead of a device."""
        used = []

        def on_processor(*arguments, device, **options):
            used.append(device.type)
            return classify_stacked(*arguments, device=CPU, **options)

        monkeypatch.setattr("pruning.engine.evaluate.classify_stacked", on_processor)
        monkeypatch.setattr(
            "pruning.engine.evaluate.device_of_sweeps", lambda: torch.device("cuda")
        )
        return used

    def test_a_sweep_gives_the_same_results(self, devices, monkeypatch, tmp_path):
        swept = evaluate(RECIPES)
        assert devices == ["cuda"]
        monkeypatch.setenv("PRUNESCOPE_STORE", str(tmp_path / "other.sqlite"))
        single = [evaluate([recipe])[0] for recipe in RECIPES]
        assert devices == ["cuda"]
        for one, other in zip(swept, single, strict=True):
            assert one.tally.hits == other.tally.hits
            assert one.sparsity == other.sparsity

    @pytest.mark.slow
    def test_recovered_networks_are_swept_one_by_one(self, devices):
        recipes = [
            Recipe.one_step("lenet5", "digits", value=share, recovery=("reconstruct",))
            for share in SHARES
        ]
        assert all(evaluation.accuracy.complete for evaluation in evaluate(recipes))
        assert set(devices) == {"cuda"}

    def test_an_estimate_is_enough(self, devices):
        evaluations = evaluate(RECIPES, precision=0.2)
        assert all(evaluation.accuracy.half_width < 0.2 for evaluation in evaluations)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("network, method", KINDS)
def test_a_gpu_counts_as_the_processor_does(network, method):
    model, replacements = members(network, method)
    images = datasets.load("digits", "test")
    totals = [Tally() for _ in replacements]
    for item in classify_stacked(
        model,
        replacements,
        images,
        DATASETS["digits"],
        device=torch.device("cuda"),
        skip=[0] * len(replacements),
        is_done=lambda member: False,
    ):
        totals[item.member] += item.tally
    for tally, other in zip(totals, expected(model, replacements), strict=True):
        assert tally.images == other.images
        assert (tally.hits ^ other.hits).bit_count() <= 1  # logits that are equal up to rounding
        assert tally.loss == pytest.approx(other.loss, rel=1e-3)

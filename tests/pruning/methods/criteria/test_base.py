"""Properties of every registered criterion, and the context that they score in."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn.utils import prune

from pruning.data import datasets
from pruning.methods.criteria import CRITERIA, Context
from pruning.methods.units import METHODS, groups
from pruning.models import build
from pruning.runtime.errors import Cancelled
from tests.pruning.methods.criteria.common import (
    LENET,
    LN2,
    LN3,
    SMALL,
    by_hand,
    digits,
    grouped,
    images,
    ours,
    scores,
    staged,
)

# Hidden: (3, 0) and (0, 2); logits: (ln 3, 0) and (0, ln 3); both images are of class 0.
HAND = by_hand([[1.0, -2, 2], [-1, 1, 0]], [[LN3 / 3, 0], [0, LN3 / 2]])


HAND_X, HAND_Y = (
    torch.tensor([[1.0, 0, 1], [0, 2, 1]]).double().view(2, 3, 1, 1),
    torch.tensor([0, 0]),
)


@pytest.mark.parametrize(
    "criterion, method, measure, expected",
    [
        ("magnitude", "weight", "", [[1, 2, 2], [1, 1, 0]]),
        ("magnitude", "filter", "l1", [5, 2]),
        ("magnitude", "filter", "l2", [3, math.sqrt(2)]),
        ("magnitude", "layer", "l1", [7]),
        ("magnitude", "layer", "l2", [math.sqrt(11)]),
        ("lamp", "weight", "", [[1 / 11, 4 / 8, 4 / 8], [1 / 11, 1 / 11, 0]]),
        ("fpgm", "filter", "", [math.sqrt(17), math.sqrt(17)]),
        ("wanda", "weight", "", [[0, 2 / 3, 1 / 3], [1 / 3, 2 / 3, 0]]),  # of 1, 4, 2.8 and 1, 2, 0
        ("gradient", "weight", "", [[LN3 / 24, 0, LN3 / 24], [0, 3 * LN3 / 8, 3 * LN3 / 16]]),
        ("gradient", "filter", "", [LN3 / 12, 9 * LN3 / 16]),
        ("gradient", "neuron", "", [LN3 / 6, LN3 / 4]),
        ("gradient", "layer", "", [LN3 / 12 + 9 * LN3 / 16]),
        ("taylor", "weight", "", [[LN3 / 24, 0, LN3 / 12], [0, 3 * LN3 / 8, 0]]),
        ("taylor", "filter", "", [LN3 / 8, 3 * LN3 / 8]),
        ("taylor", "neuron", "", [LN3 / 8, 3 * LN3 / 8]),
        ("taylor", "layer", "", [LN3 / 4]),  # -1/8 + 3/8
        ("fisher", "weight", "", [[LN3**2 / 576, 0, LN3**2 / 144], [0, 9 * LN3**2 / 64, 0]]),
        ("loss_change", "neuron", "", [math.log(1.5) / 2, -LN2 / 2]),
        ("loss_change", "filter", "", [math.log(1.5) / 2, -LN2 / 2]),
    ],
)
def test_a_linear_layer_by_hand(criterion, method, measure, expected):
    found = scores(criterion, HAND, method, HAND_X, HAND_Y, measure=measure)[
        "layers" if method == "layer" else "fc1"
    ]
    np.testing.assert_allclose(found.flatten(), np.ravel(expected), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("criterion, order", [("magnitude", 1), ("magnitude", 2), ("gradient", 1)])
def test_the_norm_of_a_subnetwork_is_that_of_all_weights_of_its_members(criterion, order):
    """As if the norms of the members were the values of one vector."""
    x, y = images()
    for model in (SMALL["pooled"](), staged()):
        measure = f"l{order}" if criterion == "magnitude" else ""
        single, runs = [
            scores(criterion, model, "layer", x, y, grouping, measure)["layers"]
            for grouping in ("single", "subnetwork")
        ]
        [group] = grouped(model, "layer", x, "subnetwork").values()
        sizes = [len(members) for members in group.members]
        assert max(sizes) == 2
        expected = [part.norm(order) for part in single.split(sizes)]
        torch.testing.assert_close(runs, torch.stack(expected))


@pytest.mark.parametrize(
    "criterion, method",
    [
        ("taylor", "weight"),
        ("fisher", "weight"),
        ("lamp", "weight"),
        ("taylor", "filter"),
        ("fpgm", "filter"),
        ("random", "filter"),
    ],
)
def test_with_the_same_scores_the_same_units_go_in_torch(criterion, method):
    found, theirs = scores(criterion, LENET, method, *digits(8)), copy.deepcopy(LENET)
    kept = ours(LENET, method, found, 0.5)
    for name, values in found.items():
        layer = theirs.get_submodule(name)
        if method == "weight":
            values = values.view_as(layer.weight)
            prune.l1_unstructured(layer, "weight", 0.5, importance_scores=values)
        else:
            values = values.view(-1, *[1] * (layer.weight.ndim - 1)).expand_as(layer.weight)
            prune.ln_structured(layer, "weight", 0.5, n=1, dim=0, importance_scores=values)
        mask = layer.weight_mask.bool()
        differ = mask != kept[f"{name}.weight"]
        assert mask.sum() == kept[f"{name}.weight"].sum()
        assert len(values[differ].unique()) <= 1  # only ties at the cut, in torch in no order


CHANGES = {
    "as it is": lambda p: None,
    "all weights zero": lambda p: p.zero_(),
    "all activations zero": lambda p: p.fill_(-1) if p.ndim == 1 else p.zero_(),
    "constant layers": lambda p: p.fill_(0.1),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    "network",
    [pytest.param(name, marks=[pytest.mark.slow] if name == "residual" else []) for name in SMALL],
)
def test_scores_are_finite_deterministic_and_one_for_each_unit(network, change):
    model, (x, y) = SMALL[network]().float(), images()
    for parameter in model.parameters():
        CHANGES[change](parameter)
    x, state = x.float(), copy.deepcopy(model.state_dict())
    for method, (name, criterion) in itertools.product(METHODS, CRITERIA.items()):
        if method not in criterion.applies_to or (
            criterion.needs_batch_norm and network == "pooled"
        ):
            continue
        for grouping in METHODS[method].groupings or [""]:
            found = grouped(model, method, x, grouping)
            for measure in (
                list(criterion.variants) if method in criterion.variant_methods else [""]
            ):
                given_scores = scores(name, model, method, x, y, grouping, measure, found)
                for group in found.values():
                    values = given_scores[group.name]
                    assert values.numel() == group.units and torch.isfinite(values).all(), (
                        name,
                        method,
                        measure,
                    )
                    assert criterion.can_be_negative or (values >= 0).all(), (name, method, measure)
                if change == "as it is":
                    again = scores(name, model, method, x, y, grouping, measure, found)
                    assert all(torch.equal(given_scores[key], again[key]) for key in found), (
                        name,
                        method,
                        measure,
                    )
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_measures_make_a_difference_for_exactly_the_methods_that_say_so():
    for network, make in SMALL.items():
        model, (x, y) = make().float(), images(12)
        x = x.float()
        for method, (name, criterion) in itertools.product(METHODS, CRITERIA.items()):
            if method in criterion.applies_to and not (
                criterion.needs_batch_norm and network == "pooled"
            ):
                found = [
                    torch.cat(
                        [
                            v.flatten().double()
                            for v in scores(name, model, method, x, y, "", m).values()
                        ]
                    )
                    for m in criterion.variants
                ]
                for a, b in itertools.combinations(found, 2):
                    assert torch.equal(a, b) == (method not in criterion.variant_methods), (
                        name,
                        method,
                    )


def test_the_batches_are_training_images_normalised_and_masked():
    mask = (torch.arange(784) % 3 > 0).view(1, 28, 28).float()
    told = []
    context = Context(
        LENET, {}, "feature", "digits", calibration=300, input=mask, report=told.append
    )
    parts = list(context.batches(128))
    assert [len(x) for x, _ in parts] == [128, 128, 44] and told == [128 / 300, 256 / 300, 1]
    x, y = torch.cat([x for x, _ in parts]), torch.cat([y for _, y in parts])
    some = datasets.calibration("digits", 300)
    expected = (some.pixels.numpy() / 255 - 0.3055) / 0.3247 * mask.numpy()
    np.testing.assert_allclose(x, expected, atol=1e-5)
    train = {image.tobytes() for image in datasets.load("digits", "train").pixels.numpy()}
    assert all(image.tobytes() in train for image in some.pixels.numpy()) and torch.equal(
        y, some.labels
    )


@pytest.mark.parametrize("name", [name for name in CRITERIA if CRITERIA[name].needs_data])
def test_a_cancelled_criterion_leaves_no_hooks_and_no_gradients(name):
    def cancel(share: float) -> None:
        raise Cancelled("cancelled")

    criterion = CRITERIA[name]
    for method in criterion.applies_to:
        model = build("lenet5", channels=1, size=28).eval().requires_grad_(False)
        variant = next(iter(criterion.variants), "")
        context = Context(
            model,
            groups(model, method, "inside", 1, 28),
            method,
            "digits",
            calibration=8,
            variant=variant,
            report=cancel,
        )
        with pytest.raises(Cancelled):
            criterion.function(context)
        for module in model.modules():
            assert not module._forward_hooks and not module._forward_pre_hooks
        assert not any(parameter.requires_grad for parameter in model.parameters())

"""Counts of parameters and multiply-accumulates."""

import threading

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from pruning.cost.macs import dense_cost, measure_cost
from pruning.models import build, checkpoints

NETWORKS = [network for network, dataset in checkpoints.shipped() if dataset == "digits"]

COUNTS = [  # published: parameters, prunable weights, MACs per image
    ("lenet300", "mnist", 266_610, 266_200, 266_200),
    ("lenet5", "mnist", 61_706, 61_470, 416_520),
    ("lenet5-caffe", "mnist", 431_080, 430_500, 2_293_000),
    ("resnet20", "cifar10", 272_474, 270_896, 40_813_184),
    # ResNet-56 is published with parameter-free shortcuts: 853,018 and 125,485,696. The two
    # projections add 16 x 32 + 32 x 64 weights, their batch norms 2 x (32 + 64), and
    # 2 x 131,072 MACs.
    ("resnet56", "cifar10", 853_018 + 2_560 + 192, 851_504, 125_485_696 + 262_144),
]


@pytest.mark.parametrize("name, dataset, parameters, weights, macs", COUNTS)
def test_exact_counts(name, dataset, parameters, weights, macs):
    counted = dense_cost(name, dataset)
    assert (counted.parameters, counted.prunable_weights, counted.macs) == (
        parameters,
        weights,
        macs,
    )


def test_parameter_free_shortcuts_give_the_other_published_counts():
    model = build("resnet20", channels=3, size=32)
    shortcuts = sum(p.numel() for name, p in model.named_parameters() if "shortcut" in name)
    assert dense_cost("resnet20", "cifar10").parameters - shortcuts == 269_722
    dense = {layer.name: layer.macs for layer in dense_cost("resnet20", "cifar10").layers}
    assert sum(macs for name, macs in dense.items() if "shortcut" not in name) == 40_551_040


def test_concurrent_forward_passes_are_not_counted():
    model, stop = checkpoints.shared_model("lenet5", "digits"), threading.Event()

    def run_until_stopped() -> None:
        while not stop.is_set():
            model(torch.rand(2, 1, 28, 28))

    thread = threading.Thread(target=run_until_stopped)
    thread.start()
    try:
        assert {measure_cost(model, "digits").macs for _ in range(40)} == {416_520}
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("network", NETWORKS)
def test_counts_agree_with_an_independent_counter(network):
    model = checkpoints.shared_model(network, "digits")
    with FlopCounterMode(display=False) as counter:
        model(torch.rand(1, 1, 28, 28))
    assert measure_cost(model, "digits").macs == counter.get_total_flops() // 2


def test_the_measured_model_has_no_hooks_and_keeps_its_mode():
    model = build("resnet20", channels=1, size=28).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    measure_cost(model, "digits")
    assert model.training and not any(module._forward_hooks for module in model.modules())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())

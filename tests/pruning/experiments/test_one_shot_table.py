from dataclasses import replace

from pruning.experiments.one_shot import Measured, OneShotPlan, OneShotResult
from pruning.experiments.one_shot_table import (
    accuracy_table,
    loss_table,
    section_body,
    section_title,
)

RESULT = OneShotResult(
    OneShotPlan("mlpnet", "mnist", draws=2, sparsities=(0.5, 0.6)),
    dense=0.98,
    measured={
        "masked": [Measured((0.95,)), Measured((0.9,))],
        "reconstruct": [Measured((0.97, 0.98)), Measured((0.96, 0.96))],
    },
)


def test_accuracies_are_percent_with_their_deviation():
    table = accuracy_table(RESULT)
    assert table.columns.tolist() == ["sparsity", "masked", "reconstruct"]
    assert table.to_numpy().tolist() == [
        ["0.5", "95.00", "97.50 ± 0.71"],
        ["0.6", "90.00", "96.00 ± 0.00"],
    ]


def test_losses_are_relative_to_the_own_dense_network():
    row = loss_table(RESULT).iloc[0]
    assert (row["masked"], row["reconstruct"]) == ("3.00", "0.50 ± 0.71")
    assert (row["MP"], row["CHITA++"]) == ("0.04", "-2.00")  # 93.97 - 93.93 and - 95.97


def test_a_sparsity_without_published_accuracies_is_empty():
    assert loss_table(RESULT).iloc[1]["CHITA"] == ""


def test_a_network_without_published_accuracies_has_measured_ones_only():
    result = replace(RESULT, plan=replace(RESULT.plan, network="lenet5"))
    assert loss_table(result).columns.tolist() == ["sparsity", "masked", "reconstruct"]
    assert "points lost" not in section_body(result)


def test_the_section_says_how_it_was_measured():
    assert section_title(RESULT) == "One-shot pruning: MLPNet on MNIST"
    body = section_body(RESULT)
    command = "benchmark one-shot --network mlpnet --dataset mnist --draws 2 --calibration 1024"
    assert f"`python -m pruning {command} --sparsities 0.5,0.6`" in body
    assert "Dense test accuracy 98.00% (10,000 images)." in body
    assert "| 0.5 | 95.00 | 97.50 ± 0.71 |" in body
    assert "| 0.5 | 3.00 | 0.50 ± 0.71 | 0.04 | -0.05 | 0.01 | 0.00 | -2.00 |" in body
    limited = replace(RESULT, plan=replace(RESULT.plan, max_test_images=500))
    assert "--sparsities 0.5,0.6 --images 500`" in section_body(limited)


def test_the_differences_of_protocol_are_those_that_apply():
    body = section_body(RESULT)
    assert "another one than the published" in body and "batch norms" not in body
    own = {**RESULT.measured, "batch_norm": RESULT.measured["reconstruct"]}
    assert "without recalibration of the batch norms" in section_body(replace(RESULT, measured=own))
    assert "another one" not in section_body(RESULT, "--checkpoint x.ckpt")


def test_other_weights_are_named():
    assert section_title(RESULT, "x.ckpt") == "One-shot pruning: MLPNet on MNIST, x.ckpt"
    assert "--sparsities 0.5,0.6 --checkpoint x.ckpt`" in section_body(
        RESULT, "--checkpoint x.ckpt"
    )

from dataclasses import replace

import pytest
import torch
from torch import nn

from pruning.cost.latency import Latency
from pruning.cost.report import (
    BATCHES,
    LOGIT_TOLERANCE,
    CostReport,
    NetworkCost,
    largest_logit_difference,
)

FAST = tuple(Latency(batch, 0.001, 0.0009, 0.0012, runs=10) for batch in BATCHES)
SLOW = tuple(replace(latency, median=0.004) for latency in FAST)
DENSE = NetworkCost(1000, 1100, 8000, 4400, "dense", 512, SLOW)
REPORT = CostReport(
    dense=DENSE,
    masked=replace(DENSE, prunable_weights=100, parameters=200, macs=1000, latency=None),
    removed=replace(DENSE, prunable_weights=300, parameters=330, macs=2000, latency=FAST),
    difference=1e-6,
    compared_images=360,
)


def test_the_table_has_a_row_per_quantity_and_a_column_per_form():
    table = REPORT.table().set_index("quantity")
    assert list(table.columns) == ["dense", "masked", "removed"] == list(REPORT.forms)
    assert list(table.loc["all parameters"]) == ["1,100", "200", "330"]
    assert list(table.loc["MACs per image"]) == ["8,000", "1,000", "2,000"]
    assert list(table.loc["theoretical speed-up"]) == ["1.00x", "8.00x", "4.00x"]
    assert table.loc["bytes of the file", "dense"] == "4,400 (dense)"
    for batch in BATCHES:
        row = table.loc[f"latency, batch {batch}"]
        assert row["masked"] == "as dense" and row["removed"] == "1.00 ms (0.90 to 1.20)"


def test_remarks_compare_theory_and_measurement():
    theoretical, measured = REPORT.remarks
    assert "theoretical speed-up of the masks is 8.00x" in theoretical and "4.00x" in theoretical
    assert "is 4.00x as fast" in measured and "theoretical speed-up is 4.00x" in measured
    [only] = replace(REPORT, masked=replace(REPORT.masked, macs=2000)).remarks
    assert only == measured


def test_agreement_is_up_to_rounding():
    assert REPORT.agrees
    assert not replace(REPORT, difference=LOGIT_TOLERANCE).agrees
    assert not replace(REPORT, difference=float("nan")).agrees


def test_a_network_without_macs_has_a_finite_speed_up():
    nothing = replace(REPORT, removed=replace(REPORT.removed, macs=0))
    assert (
        "8000.00x" in nothing.table().set_index("quantity").loc["theoretical speed-up", "removed"]
    )


@pytest.mark.parametrize("count", [1, 250, 251, 600])
def test_the_largest_difference_of_all_images(count):
    a, b = nn.Sequential(nn.Flatten()), nn.Sequential(nn.Flatten())
    images = torch.zeros(count, 1, 2, 2)
    assert largest_logit_difference(a, b, images) == 0
    images[-1, 0, 1, 1] = 3
    mask = torch.tensor([[[1.0, 1.0], [1.0, 0.0]]])
    assert largest_logit_difference(a, b, images, mask) == 3

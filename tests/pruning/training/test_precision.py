import pytest
import torch

from pruning.training import precision
from pruning.training.precision import describe_precision, uses_bfloat16


@pytest.mark.parametrize("has_matrices", [True, False])
def test_bfloat16_is_used_where_hardware_multiplies_it(has_matrices, monkeypatch):
    monkeypatch.setattr(precision, "fast_bfloat16", lambda: has_matrices)
    assert uses_bfloat16(torch.device("cuda"))
    assert uses_bfloat16(torch.device("cpu")) == has_matrices
    assert not uses_bfloat16(torch.device("mps"))
    assert describe_precision(torch.device("cuda")) == "bfloat16 autocast"
    assert describe_precision(torch.device("mps")) == "float32"

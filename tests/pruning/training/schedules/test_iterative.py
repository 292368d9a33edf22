import pytest

from pruning.training.retrain import retrain
from pruning.training.run_files import RunFiles
from tests.pruning.training.common import small_spec


def test_each_round_removes_the_same_share_of_what_remains(tmp_path):
    spec = small_spec("iterative", value=0.875, rounds=3, epochs=1)
    retrain(spec, folder=tmp_path, device="cpu")
    sparsities = [record.sparsity for record in RunFiles(spec.name, tmp_path).records()]
    assert sparsities == pytest.approx([0.5, 0.75, 0.875], abs=1e-5)


def test_layers_keep_their_own_share(tmp_path):
    spec = small_spec("iterative", value=0.75, scope="layer", epochs=1)
    retrain(spec, folder=tmp_path, device="cpu")
    first, second = RunFiles(spec.name, tmp_path).records()
    assert list(first.layer_sparsity.values()) == pytest.approx([0.5] * 3, abs=1e-3)
    assert list(second.layer_sparsity.values()) == pytest.approx([0.75] * 3, abs=1e-3)

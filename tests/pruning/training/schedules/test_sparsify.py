import pytest

from pruning.training.retrain import retrain
from pruning.training.run_files import RunFiles, read_run
from tests.pruning.training.common import small_spec


def near_zero(penalty: str, strength: float, folder) -> float:
    options = (("penalty", penalty), ("strength", strength))
    spec = small_spec("sparsify", epochs=6, value=0.5, options=options)
    retrain(spec, folder=folder, device="cpu")
    return RunFiles(spec.name, folder).records()[-1].near_zero


def test_l1_brings_more_weights_near_zero_than_none(tmp_path):
    assert near_zero("l1", 1e-3, tmp_path) > near_zero("l1", 0.0, tmp_path) + 0.1


def test_a_penalty_that_the_network_does_not_have_is_refused():
    with pytest.raises(ValueError, match="needs a network with batch norms"):
        small_spec("sparsify", options=(("penalty", "batch_norm"),))


def test_the_sparsity_of_the_run_is_that_of_its_network(tmp_path):
    spec = small_spec("sparsify", epochs=1)
    retrain(spec, folder=tmp_path, device="cpu")
    assert RunFiles(spec.name, tmp_path).records()[-1].sparsity == 0
    assert read_run(spec.name, tmp_path).sparsity == pytest.approx(0.8, abs=1e-5)


def test_epochs_after_pruning_are_a_round_of_their_own(tmp_path):
    spec = small_spec("sparsify", epochs=1, options=(("epochs_after", 2),))
    retrain(spec, folder=tmp_path, device="cpu")
    records = RunFiles(spec.name, tmp_path).records()
    assert [record.round for record in records] == [1, 2, 2]
    assert records[0].sparsity == 0 and records[1].sparsity == pytest.approx(0.8, abs=1e-5)

from pruning.engine.run_checkpoint import load_checkpoint
from pruning.training.retrain import retrain
from pruning.training.run_files import RunFiles
from tests.pruning.training.common import small_spec


def test_the_result_is_the_last_network_that_met_the_goal(tmp_path):
    spec = small_spec("until", value=0.999, rounds=6, epochs=1, options=(("lose", 2.0),))
    card = retrain(spec, folder=tmp_path, device="cpu")
    records = RunFiles(spec.name, tmp_path).records()
    goal = 0.975609756097561 - 0.02
    *met, last = records
    assert last.validation_accuracy < goal
    assert all(record.validation_accuracy >= goal for record in met)
    assert card.validation_accuracy == (
        met[-1].validation_accuracy if met else card.validation_accuracy
    )
    network = load_checkpoint(tmp_path / spec.name).network
    removed = sum(int((~mask).sum()) for mask in network.masks.values())
    assert removed / 266_200 == (round(met[-1].sparsity * 266_200) / 266_200 if met else 0)


def test_a_goal_that_is_never_missed_gives_the_target(tmp_path):
    spec = small_spec("until", value=0.5, options=(("lose", 100.0),))
    retrain(spec, folder=tmp_path, device="cpu")
    network = load_checkpoint(tmp_path / spec.name).network
    assert sum(int((~mask).sum()) for mask in network.masks.values()) == 133_100

import torch

from pruning.engine.evaluate import evaluate
from pruning.engine.prune import prune
from pruning.engine.run_checkpoint import load_checkpoint
from pruning.training.retrain import retrain
from pruning.training.run import RunProgress
from pruning.training.run_files import RunFiles
from tests.pruning.training.common import small_spec


def test_the_masks_are_those_of_the_recipe(tmp_path):
    spec = small_spec("finetune", "lenet5", method="filter", value=0.5, scope="layer")
    retrain(spec, folder=tmp_path, device="cpu")
    trained = load_checkpoint(tmp_path / spec.name).network
    expected = prune(spec.recipe).masks
    assert expected.keys() == trained.masks.keys()
    for name, mask in expected.items():
        assert torch.equal(mask, trained.masks[name])


def test_training_recovers_what_pruning_lost(tmp_path):
    spec = small_spec("finetune", value=0.97, epochs=4)
    card = retrain(spec, folder=tmp_path, device="cpu")
    [pruned] = evaluate([spec.recipe])
    assert card.test_accuracy > pruned.accuracy.value + 0.05


def test_a_recovery_comes_before_the_training(tmp_path):
    losses = {}
    for recovery in ((), ("reconstruct",)):
        spec = small_spec("finetune", value=0.95, epochs=1, recovery=recovery)
        retrain(spec, folder=tmp_path, device="cpu")
        [record] = RunFiles(spec.name, tmp_path).records()
        losses[recovery] = record.loss
    assert losses[("reconstruct",)] < losses[()]


def test_rewinding_repeats_the_last_learning_rates(tmp_path):
    spec = small_spec("finetune", rewind_rate=True)
    progress: list[RunProgress] = []
    retrain(spec, folder=tmp_path, device="cpu", report=progress.append)
    first, second = RunFiles(spec.name, tmp_path).records()
    assert first.learning_rate < 0.01 * spec.learning_rate  # two of 150 epochs
    assert second.learning_rate < first.learning_rate

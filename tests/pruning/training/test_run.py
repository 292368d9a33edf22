import json
import sys
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from pruning.data import datasets
from pruning.data.datasets import Images
from pruning.engine.evaluate import evaluate
from pruning.engine.prune import prune
from pruning.engine.trained_network import trained_network
from pruning.training import run as run_module
from pruning.training.loop import TrainingDiverged
from pruning.training.retrain import recipe_of_run, retrain
from pruning.training.run_files import STATE, RunError, RunFiles, read_run
from tests.pruning.training.common import Stop, small_spec, stop_after

retrain_module = sys.modules["pruning.training.retrain"]
SPEC = small_spec("iterative", epochs=1, rounds=3)


@pytest.fixture
def paused(tmp_path) -> RunFiles:
    with pytest.raises(Stop):
        retrain(SPEC, folder=tmp_path, device="cpu", report=stop_after(1))
    return RunFiles(SPEC.name, tmp_path)


def change_metadata(files: RunFiles, **changes: str) -> None:
    path = files.folder / STATE
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, path, metadata | changes)


def test_a_loss_that_is_not_finite_keeps_the_last_good_state(tmp_path):
    spec = small_spec("finetune", epochs=3, learning_rate=10.0, weight_decay=1.0)
    with pytest.raises(TrainingDiverged, match=r"loss is (nan|inf) in step \d+ of epoch \d"):
        retrain(spec, folder=tmp_path, device="cpu")
    info = read_run(spec.name, tmp_path)
    assert info.state == "failed" and "choose a smaller learning rate" in info.problem


def test_the_epochs_before_a_loss_that_is_not_finite_are_kept(paused, tmp_path, monkeypatch):
    def broken(logits, labels, x):
        return logits.sum() * float("nan")

    monkeypatch.setattr(run_module, "cross_entropy", broken)
    with pytest.raises(TrainingDiverged, match="of epoch 2: the state after epoch 1 is kept"):
        retrain(SPEC, folder=tmp_path, device="cpu")
    monkeypatch.undo()
    assert len(paused.records()) == 1
    assert retrain(SPEC, folder=tmp_path, device="cpu").epochs == 3


@pytest.mark.parametrize(
    "key, reason",
    [
        ("format", "by another version of this program"),
        ("start", "from other trained weights"),
        ("data", "with other training images"),
    ],
)
def test_a_run_whose_start_has_changed_is_not_continued(key, reason, paused, tmp_path):
    change_metadata(paused, **{key: "other"})
    with pytest.raises(RunError, match=f"{reason} and cannot be continued"):
        retrain(SPEC, folder=tmp_path, device="cpu")


@pytest.mark.parametrize("removed", ["{}", "[]", "x", json.dumps({"": {"removed_layers": "3"}})])
def test_a_state_with_bad_metadata_is_refused(removed, paused, tmp_path):
    change_metadata(paused, removed=removed)
    with pytest.raises(RunError, match="delete the run to start over"):
        retrain(SPEC, folder=tmp_path, device="cpu")


def test_other_training_images_are_noticed(paused, tmp_path, monkeypatch):
    plain = datasets.load

    def load(name: str, split: str) -> Images:
        images = plain(name, split)
        return Images(images.pixels.flip(3) // 2, images.labels)

    monkeypatch.setattr(datasets, "load", load)
    with pytest.raises(RunError, match="other training images"):
        retrain(SPEC, folder=tmp_path, device="cpu")


def test_a_finished_run_of_other_images_is_not_taken_for_this_one(tmp_path, monkeypatch):
    spec = replace(SPEC, epochs=1)
    card = retrain(spec, folder=tmp_path, device="cpu")
    assert retrain(spec, folder=tmp_path, device="cpu") == card
    plain = datasets.load

    def load(name: str, split: str) -> Images:
        images = plain(name, split)
        return Images(images.pixels // 2, images.labels)

    monkeypatch.setattr(datasets, "load", load)
    with pytest.raises(RunError, match="is finished, but was trained on other images of digits"):
        retrain(spec, folder=tmp_path, device="cpu")


def test_the_test_images_are_read_after_the_last_epoch(tmp_path, monkeypatch):
    order, plain = [], datasets.load

    def load(name: str, split: str) -> Images:
        order.append(split)
        return plain(name, split)

    monkeypatch.setattr(datasets, "load", load)
    retrain(SPEC, folder=tmp_path, device="cpu", report=lambda progress: order.append("step"))
    last_step = max(position for position, entry in enumerate(order) if entry == "step")
    assert order.index("test") > last_step


def test_a_finished_run_is_a_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_RUNS", str(tmp_path))
    card = retrain(SPEC, device="cpu")
    [evaluation] = evaluate([recipe_of_run(SPEC)])
    assert evaluation.tally.correct == card.test_correct
    assert evaluation.sparsity == pytest.approx(0.8, abs=1e-5)
    assert evaluation.dense_accuracy == card.test_accuracy


def test_a_run_can_start_from_a_run(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_RUNS", str(tmp_path))
    retrain(SPEC, device="cpu")
    recipe = recipe_of_run(SPEC).with_last_step(value=0.5)
    second = small_spec("finetune", epochs=1)
    second = type(second)(recipe=recipe, schedule="finetune", epochs=1, learning_rate=0.01)
    retrain(second, device="cpu")
    [evaluation] = evaluate([recipe_of_run(second)])
    assert evaluation.sparsity == pytest.approx(1 - 0.2 * 0.5, abs=1e-5)


def test_weights_that_are_not_finite_are_never_saved(paused, tmp_path, monkeypatch):
    plain = run_module.train_epoch

    def overflow(model, *args, **rest):
        result = plain(model, *args, **rest)
        model.fc1.bias.data[0] = float("inf")
        return result

    monkeypatch.setattr(run_module, "train_epoch", overflow)
    with pytest.raises(TrainingDiverged, match="the state after epoch 1 is kept"):
        retrain(SPEC, folder=tmp_path, device="cpu")
    monkeypatch.undo()
    assert retrain(SPEC, folder=tmp_path, device="cpu").epochs == 3


def test_a_full_disk_at_the_end_keeps_all_epochs(tmp_path, monkeypatch):
    def fail(*args: object, **rest: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(retrain_module, "save_checkpoint", fail)
    with pytest.raises(RunError, match="all epochs are kept"):
        retrain(SPEC, folder=tmp_path, device="cpu")
    monkeypatch.undo()
    steps = []
    retrain(
        SPEC, folder=tmp_path, device="cpu", report=lambda progress: steps.append(progress.loss)
    )
    assert all(loss != loss for loss in steps)  # NaN: no step was made


def test_a_run_that_is_made_again_is_not_mixed_up_with_the_one_before(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_RUNS", str(tmp_path))
    retrain(SPEC, device="cpu")
    recipe = recipe_of_run(SPEC).with_last_step(value=0.5)
    first = prune(recipe)
    RunFiles(SPEC.name).delete()
    plain = run_module.cross_entropy
    monkeypatch.setattr(
        run_module, "cross_entropy", lambda logits, labels, x: 2 * plain(logits, labels, x)
    )
    retrain(SPEC, device="cpu")
    second = prune(recipe)
    assert second.network.model is trained_network(recipe).model
    assert second.network.model is not first.network.model


def test_distillation_changes_the_result(tmp_path):
    weights = []
    for share in (0.0, 0.5):
        spec = small_spec("finetune", epochs=1, distillation=share)
        retrain(spec, folder=tmp_path, device="cpu")
        [record] = RunFiles(spec.name, tmp_path).records()
        weights.append(record.loss)
    assert weights[0] != weights[1]


def test_removed_pixels_are_not_seen_in_training(tmp_path, monkeypatch):
    seen = []
    plain = run_module.train_epoch

    def watch(model, optimizer, batches, *args, **rest):
        def noted():
            for x, labels in batches:
                seen.append(x[:, 0].abs().amax(0))
                yield x, labels

        return plain(model, optimizer, noted(), *args, **rest)

    monkeypatch.setattr(run_module, "train_epoch", watch)
    spec = small_spec("finetune", method="feature", criterion="random", value=0.5, epochs=1)
    retrain(spec, folder=tmp_path, device="cpu")
    highest = torch.stack(seen).amax(0)
    assert (highest == 0).sum() == 392


def test_the_network_that_all_share_is_not_modified(tmp_path):
    from pruning.models.checkpoints import shared_model

    model = shared_model("lenet300", "digits")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    retrain(small_spec("finetune", epochs=1), folder=tmp_path, device="cpu")
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert not any(parameter.requires_grad for parameter in model.parameters())

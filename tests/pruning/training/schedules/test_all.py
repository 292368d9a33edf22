"""What holds for every schedule in the registry."""

import pytest
import torch

from pruning.engine.run_checkpoint import load_checkpoint
from pruning.methods.units import METHODS
from pruning.recipe.compatibility import criteria_for
from pruning.recipe.recipe import Recipe
from pruning.training import run as run_module
from pruning.training.retrain import retrain
from pruning.training.run_files import RunFiles
from pruning.training.schedules import SCHEDULES
from pruning.training.spec import default_spec
from tests.pruning.training.common import Stop, small_spec, stop_after

ALL = list(SCHEDULES)


def without_times(records) -> list[dict]:
    contents = []
    for record in records:
        content = record.to_dict()
        del content["seconds"]
        contents.append(content)
    return contents


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ALL)
def test_an_interrupted_run_ends_as_an_uninterrupted_one(schedule, tmp_path):
    options = (("controls", "yes"),) if schedule == "lottery" else ()
    spec = small_spec(schedule, epochs=3, options=options)
    retrain(spec, folder=tmp_path / "whole", device="cpu")
    for finished in (0, 1, 2, 4):
        try:
            retrain(spec, folder=tmp_path / "broken", device="cpu", report=stop_after(finished))
        except Stop:
            continue
    retrain(spec, folder=tmp_path / "broken", device="cpu")
    results = []
    for place in ("whole", "broken"):
        files = RunFiles(spec.name, tmp_path / place)
        results.append((load_checkpoint(files.folder), without_times(files.records())))
    (one, records), (other, other_records) = results
    assert records == other_records
    for name, tensor in one.network.model.state_dict().items():
        assert torch.equal(tensor, other.network.model.state_dict()[name]), name
    assert dict(one.network.masks).keys() == dict(other.network.masks).keys()
    for name, mask in one.network.masks.items():
        assert torch.equal(mask, other.network.masks[name])


@pytest.mark.parametrize("schedule", ALL)
def test_masks_hold_after_every_step_and_never_return(schedule, tmp_path, monkeypatch):
    """Exactly zero after every step of the optimizer, with momentum and weight decay."""
    plain, steps = run_module.Run._hold_masks, []

    def check(run) -> None:
        plain(run)
        for name, mask in run._network.masks.items():
            parameter = run._model.get_parameter(name).detach()
            assert not parameter[~mask].any(), name
            momentum = (
                run._optimizer.state[run._model.get_parameter(name)] if run._optimizer else {}
            )
            if "momentum_buffer" in momentum:
                assert not momentum["momentum_buffer"][~mask].any(), name
        steps.append(sum(int((~mask).sum()) for mask in run._network.masks.values()))

    monkeypatch.setattr(run_module.Run, "_hold_masks", check)
    spec = small_spec(schedule, weight_decay=0.01)
    retrain(spec, folder=tmp_path, device="cpu")
    assert len(steps) > 10
    if schedule != "until":
        assert max(steps) == steps[-1] or schedule == "sparsify"


@pytest.mark.parametrize("schedule", [name for name in ALL if name not in ("until", "gradient")])
def test_the_target_is_reached_exactly(schedule, tmp_path):
    spec = small_spec(schedule, value=0.9)
    retrain(spec, folder=tmp_path, device="cpu")
    checkpoint = load_checkpoint(tmp_path / spec.name)
    masks = checkpoint.network.masks.complete(checkpoint.network.model)
    removed = sum(int((~mask).sum()) for mask in masks.values())
    weights = sum(mask.numel() for mask in masks.values())
    assert removed == round(0.9 * weights)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ALL)
def test_the_number_of_epochs_is_known_beforehand(schedule, tmp_path):
    spec = small_spec(schedule, options=(("lose", 100.0),) if schedule == "until" else ())
    card = retrain(spec, folder=tmp_path, device="cpu")
    assert card.epochs == spec.total_epochs


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ALL)
@pytest.mark.parametrize("method", ["filter", "neuron", "feature"])
def test_every_method_can_be_retrained(schedule, method, tmp_path):
    [criterion, *_] = criteria_for("lenet300", method)
    options = {"gradient": (("interval", 2),), "until": (("lose", 100.0),)}.get(schedule, ())
    spec = small_spec(
        schedule, method=method, criterion=criterion, value=0.5, epochs=1, options=options
    )
    retrain(spec, folder=tmp_path, device="cpu")
    network = load_checkpoint(tmp_path / spec.name).network
    assert any((~mask).any() for mask in network.masks.values())


@pytest.mark.parametrize("schedule", ["finetune", "iterative", "until"])
@pytest.mark.parametrize("network", ["lenet300", "resnet20"])
@pytest.mark.parametrize("grouping", METHODS["layer"].groupings)
def test_layers_and_blocks_can_be_removed_in_rounds(
    schedule, network, grouping, tmp_path, few_images
):
    [criterion, *_] = criteria_for(network, "layer")
    options = (("lose", 100.0),) if schedule == "until" else ()
    spec = small_spec(
        schedule,
        network,
        method="layer",
        criterion=criterion,
        grouping=grouping,
        value=0.7,
        epochs=1,
        batch_size=8,
        options=options,
    )
    retrain(spec, folder=tmp_path, device="cpu")
    network = load_checkpoint(tmp_path / spec.name).network
    assert network.removed_layers or network.removed_blocks


@pytest.mark.parametrize("rule, value", [("threshold", 0.05), ("sigma", 1.0), ("n_m", "2:4")])
def test_other_rules_hold_at_the_end_of_the_rounds(rule, value, tmp_path):
    recipe = Recipe.one_step("lenet300", "digits", rule=rule, value=value)
    spec = default_spec(recipe, "iterative", epochs=1, rounds=2)
    retrain(spec, folder=tmp_path, device="cpu")
    network = load_checkpoint(tmp_path / spec.name).network
    for name, mask in network.masks.items():
        if rule == "n_m":
            width = mask.shape[1] // 4 * 4
            assert (mask[:, :width].reshape(len(mask), -1, 4).sum(2) <= 2).all(), name
        else:
            assert (~mask).any(), name

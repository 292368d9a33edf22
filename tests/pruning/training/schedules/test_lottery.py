import pytest
import torch

from pruning.models import build
from pruning.training import run as run_module
from pruning.training.retrain import retrain
from pruning.training.run_files import RunFiles
from tests.pruning.training.common import small_spec


@pytest.fixture
def starts(monkeypatch):
    """Networks at the beginning of each training, by series and round."""
    plain, seen = run_module.Run.train, []

    def note(run, epochs, *, round=1, series="", **rest):
        seen.append((series, round, run.cpu_network()))
        return plain(run, epochs, round=round, series=series, **rest)

    monkeypatch.setattr(run_module.Run, "train", note)
    return seen


def remaining(network, name):
    parameter, mask = network.model.get_parameter(name), network.masks[name]
    return parameter[mask]


def test_a_ticket_has_the_initial_values_and_controls_differ_in_one_thing(starts, tmp_path):
    spec = small_spec("lottery", rounds=1, epochs=1, options=(("controls", "yes"),))
    retrain(spec, folder=tmp_path, device="cpu")
    by_name = {(series, number): network for series, number, network in starts}
    initial = build("lenet300", channels=1, size=28, seed=spec.seed)
    ticket, reinitialised, random_mask = (
        by_name[series, 1] for series in ("", "reinitialised", "random mask")
    )
    for name in ("fc1.weight", "fc2.weight", "fc3.weight"):
        first = initial.get_parameter(name)
        assert torch.equal(remaining(ticket, name), first[ticket.masks[name]])
        assert torch.equal(ticket.masks[name], reinitialised.masks[name])
        assert not torch.equal(remaining(ticket, name), remaining(reinitialised, name))
        assert torch.equal(remaining(random_mask, name), first[random_mask.masks[name]])
        assert not torch.equal(ticket.masks[name], random_mask.masks[name])
        assert ticket.masks[name].sum() == random_mask.masks[name].sum()


def test_rewinding_to_an_early_epoch_restores_the_network_after_it(starts, tmp_path):
    spec = small_spec("lottery", rounds=1, epochs=2, options=(("rewind_epoch", 1),))
    retrain(spec, folder=tmp_path, device="cpu")
    initial, ticket = starts[0][2], starts[1][2]
    name = "fc1.weight"
    mask = ticket.masks[name]
    assert not torch.equal(ticket.model.get_parameter(name)[mask], initial.model.fc1.weight[mask])


def test_series_and_rounds_are_recorded(tmp_path):
    spec = small_spec("lottery", rounds=1, epochs=1, options=(("controls", "yes"),))
    retrain(spec, folder=tmp_path, device="cpu")
    records = RunFiles(spec.name, tmp_path).records()
    assert [(record.round, record.series) for record in records] == [
        (0, ""),
        (1, ""),
        (1, "reinitialised"),
        (1, "random mask"),
    ]
    assert records[0].sparsity == 0


def test_settings_that_cannot_work_are_refused():
    with pytest.raises(ValueError, match="need the method weight"):
        small_spec("lottery", method="filter", value=0.5, options=(("controls", "yes"),))
    with pytest.raises(ValueError, match="cannot remove plain layers"):
        small_spec("lottery", method="layer", value=0.5)
    with pytest.raises(ValueError, match="less than the 2 epochs"):
        small_spec("lottery", epochs=2, options=(("rewind_epoch", 2),))


def test_after_rewinding_to_an_epoch_the_remaining_ones_follow(tmp_path):
    spec = small_spec("lottery", rounds=1, epochs=3, options=(("rewind_epoch", 1),))
    card = retrain(spec, folder=tmp_path, device="cpu")
    rates = [record.learning_rate for record in RunFiles(spec.name, tmp_path).records()]
    assert card.epochs == spec.total_epochs == 5
    assert rates[3:] == rates[1:3]

import pytest

from pruning.training import run as run_module
from pruning.training.retrain import retrain
from tests.pruning.training.common import small_spec


def test_the_sparsity_follows_the_cubic_curve(tmp_path, monkeypatch):
    """s(t) = s_f + (0 - s_f) (1 - t / T)^3, Zhu and Gupta 2017, equation 1."""
    plain, seen = run_module.Run.prune_while_training, []

    def note(run, law):
        plain(run, law)
        removed = sum(int((~mask).sum()) for mask in run._network.masks.values())
        seen.append(removed / 266_200)

    monkeypatch.setattr(run_module.Run, "prune_while_training", note)
    options = (("interval", 4), ("pruning_share", 0.5))
    spec = small_spec("gradual", value=0.9, epochs=2, options=options)
    retrain(spec, folder=tmp_path, device="cpu")
    steps = 1150 // spec.batch_size * 2
    last = int(0.5 * steps // 4) * 4
    expected = [0.9 - 0.9 * (1 - step / last) ** 3 for step in range(4, last + 1, 4)]
    assert seen == pytest.approx(expected, abs=1e-5)


def test_plain_layers_cannot_be_removed_between_two_steps(tmp_path):
    spec = small_spec("gradual", method="layer", value=0.5, options=(("interval", 1),))
    with pytest.raises(ValueError, match="choose iterative or finetune"):
        retrain(spec, folder=tmp_path, device="cpu")

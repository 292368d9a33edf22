import pytest

from pruning.recipe.recipe import Recipe
from pruning.training import run as run_module
from pruning.training.retrain import retrain
from pruning.training.run_files import RunFiles, read_run
from pruning.training.schedules.base import PruningSteps
from pruning.training.spec import default_spec
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


def test_plain_layers_cannot_be_removed_between_two_steps():
    with pytest.raises(ValueError, match="choose finetune, iterative or until"):
        small_spec("gradual", method="layer", value=0.5)


def test_a_short_run_has_at_least_four_prunings_and_ends_at_the_target(tmp_path):
    spec = small_spec("gradual", value=0.9, epochs=1)
    assert PruningSteps.of(spec, 17).count >= 4
    retrain(spec, folder=tmp_path, device="cpu")
    [record] = RunFiles(spec.name, tmp_path).records()
    assert record.sparsity == pytest.approx(0.9, abs=1e-5)


@pytest.mark.parametrize("rule, value", [("mean_std", 0.5), ("relative", 0.1)])
def test_other_rules_are_not_applied_again_after_training(rule, value, tmp_path):
    recipe = Recipe.one_step("lenet300", "digits", rule=rule, value=value)
    options = (("interval", 5), ("pruning_share", 0.5))
    spec = default_spec(recipe, "gradual", epochs=3, options=options)
    retrain(spec, folder=tmp_path, device="cpu")
    last = RunFiles(spec.name, tmp_path).records()[-1]
    assert read_run(spec.name, tmp_path).sparsity == last.sparsity

import pytest

from pruning.engine.prune import prune
from pruning.engine.run_checkpoint import save_checkpoint
from pruning.engine.trained_network import trained_card, trained_network
from pruning.models import checkpoints
from pruning.recipe.recipe import Recipe
from pruning.runtime.errors import CheckpointError

RECIPE = Recipe.one_step("lenet300", "digits", value=0.7)


@pytest.fixture
def run(tmp_path, monkeypatch) -> str:
    monkeypatch.setenv("PRUNESCOPE_RUNS", str(tmp_path))
    about = vars(checkpoints.card("lenet300", "digits")).copy()
    del about["weights_sha256"]
    save_checkpoint(tmp_path / "my-run", prune(RECIPE).network, **about)
    return "my-run"


def test_without_a_run_it_is_the_shipped_network():
    assert trained_network(RECIPE).model is checkpoints.shared_model("lenet300", "digits")
    assert trained_card(RECIPE) == checkpoints.card("lenet300", "digits")


def test_a_run_has_its_masks_and_is_read_once(run):
    recipe = Recipe.one_step("lenet300", "digits", value=0.0, checkpoint=run)
    assert trained_network(recipe) is trained_network(recipe)
    assert prune(recipe).sparsity == pytest.approx(0.7, abs=1e-5)


def test_a_step_on_a_run_counts_what_the_run_left(run):
    recipe = Recipe.one_step("lenet300", "digits", value=0.5, checkpoint=run)
    pruned = prune(recipe)
    assert pruned.sparsity == pytest.approx(0.85, abs=1e-5)
    assert pruned.ranking.units == pytest.approx(0.3 * 266_200, abs=1)


def test_a_run_of_another_network_is_refused(run):
    recipe = Recipe.one_step("lenet5", "digits", value=0.5, checkpoint=run)
    with pytest.raises(CheckpointError, match="is of lenet300 on digits, not of lenet5"):
        trained_network(recipe)


def test_a_run_that_is_deleted_is_gone_and_named(run, tmp_path):
    recipe = Recipe.one_step("lenet300", "digits", value=0.5, checkpoint=run)
    trained_network(recipe)
    (tmp_path / run / "card.json").unlink()
    with pytest.raises(CheckpointError, match="the run my-run is not finished"):
        trained_network(recipe)

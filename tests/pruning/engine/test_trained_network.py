import time

import pytest
import torch

from pruning.data import datasets
from pruning.data.own_dataset import register_dataset
from pruning.engine.prune import prune
from pruning.engine.run_checkpoint import save_checkpoint
from pruning.engine.trained_network import (
    card_of,
    check_checkpoint,
    known_card,
    measure_card,
    trained_card,
    trained_network,
)
from pruning.models import NETWORKS, checkpoints
from pruning.models.own_network import register_network
from pruning.recipe.recipe import Recipe
from pruning.runtime.errors import CheckpointError
from tests.small_network import SmallNetwork

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


@pytest.fixture
def own() -> tuple[str, str]:
    """A user's network and data that were never measured."""
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(60, 1, 8, 8, generator=generator)
    torch.manual_seed(2)
    network = register_network(SmallNetwork().eval(), (1, 8, 8), f"Network {time.monotonic()}")
    return network.name, register_dataset((images, torch.arange(60) % 10)).name


def test_a_users_network_is_measured_when_it_is_asked_for(own):
    assert known_card(*own) is None
    check_checkpoint(Recipe(*own))
    assert known_card(*own) is None
    shares = []
    card = measure_card(*own, shares.append)
    assert shares == sorted(shares) and shares[-1] == 1
    tests = datasets.load(own[1], "test")
    with torch.inference_mode():
        logits = NETWORKS[own[0]].own.model(tests.pixels)
    assert card.test_correct == int((logits.argmax(1) == tests.labels).sum())
    assert known_card(*own) is card_of(*own) is card


def test_a_checkpoint_that_is_missing_is_refused_without_measuring():
    recipe = Recipe("resnet20", "digits", checkpoint="resnet20-digits-finetune-00000000")
    with pytest.raises(CheckpointError):
        check_checkpoint(recipe)

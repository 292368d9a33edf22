from dataclasses import replace

import pytest

from pruning.data.datasets import DATASETS
from pruning.models import NETWORKS, checkpoints
from pruning.training import plans
from pruning.training.plans import default_plan


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("dataset", DATASETS)
def test_every_network_has_a_plan_for_every_dataset(network, dataset):
    plan = default_plan(network, dataset)
    assert plan.epochs > 0 and plan.seed == 0


@pytest.mark.parametrize("network, dataset", checkpoints.shipped())
def test_the_default_plan_is_that_of_the_shipped_checkpoint(network, dataset):
    plan, card = default_plan(network, dataset), checkpoints.card(network, dataset)
    assert (plan.epochs, plan.batch_size, plan.seed) == (card.epochs, card.batch, card.seed)
    assert card.schedule.endswith(f"peak {plan.learning_rate:g}")
    assert card.augmentation.startswith(f"shift up to {plan.max_shift} pixels")
    assert plan.flip == ("mirrored" in card.augmentation)


def test_another_dataset_has_a_usual_plan(monkeypatch):
    new = replace(DATASETS["digits"], name="new")
    monkeypatch.setattr(plans, "DATASETS", {"new": new})
    for network in NETWORKS:
        plan = default_plan(network, "new")
        assert plan.epochs > 0 and 0 < plan.learning_rate <= 0.1


def test_unknown_names():
    with pytest.raises(ValueError, match="unknown network"):
        default_plan("vgg", "digits")
    with pytest.raises(ValueError, match="unknown dataset"):
        default_plan("lenet5", "svhn")

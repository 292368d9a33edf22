import pytest

from pruning.cost.report import BATCHES, COMPARED_IMAGES
from pruning.engine.prune import prune, trained_model
from pruning.experiments.removal_report import report_removal
from pruning.recipe.recipe import Recipe
from pruning.runtime.errors import Cancelled
from tests.pruning.cost.walk import walk

one_step = Recipe.one_step


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe",
    [
        one_step("lenet5-caffe", "digits", method="filter", scope="layer", value=0.7),
        one_step(
            "resnet20", "digits", method="filter", grouping="across", scope="layer", value=0.3
        ),
        one_step("lenet300", "digits", method="feature", criterion="random", value=0.5),
        one_step("lenet5", "digits", method="layer", criterion="random", value=0.7),
        one_step("resnet20", "digits", method="layer", value=1.0),
        one_step("resnet20", "digits", method="layer", grouping="subnetwork", value=0.34),
        one_step("lenet5", "digits", value=0.97),
    ],
    ids=lambda recipe: f"{recipe.network}-{recipe.last_step.method}",
)
def test_counts_are_those_of_an_independent_walk(recipe):
    report, pruned = report_removal(recipe, seconds=0.0), prune(recipe)
    assert walk(pruned.compact_model) == (report.removed.parameters, report.removed.macs)
    assert walk(trained_model(recipe)) == (report.dense.parameters, report.dense.macs)
    masked = pruned.masked
    assert (report.masked.parameters, report.masked.macs) == (masked.parameters, masked.macs)
    assert report.masked.prunable_weights == sum(pruned.kept_weights.values())
    assert report.agrees and report.removed.parameters < report.dense.parameters
    assert report.compared_images == min(COMPARED_IMAGES, 360)
    assert len(report.dense.latency) == len(report.removed.latency) == len(BATCHES)
    assert report.masked.latency is None
    assert report.table().shape == (8, 4) and all(isinstance(t, str) for t in report.remarks)


def test_measuring_can_be_cancelled():
    def cancel() -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        report_removal(one_step("lenet300", "digits"), cancel, seconds=10.0)

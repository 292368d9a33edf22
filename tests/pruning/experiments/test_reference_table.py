import pytest

from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.engine.evaluate import evaluate
from pruning.engine.prune import prune
from pruning.experiments import reference_table
from pruning.experiments.reference_table import SHARES, read_table, write_table
from pruning.methods.criteria import CRITERIA
from pruning.methods.units import METHODS
from pruning.models.checkpoints import shipped
from pruning.recipe.compatibility import criteria_for
from pruning.recipe.recipe import Recipe

one_step = Recipe.one_step
TABLE = read_table()
"""A criterion or a network that is added has no row before the table is measured again."""
MEASURED = list(dict.fromkeys((recipe.network, recipe.dataset) for recipe in TABLE))


def test_the_networks_of_the_publications_are_measured():
    assert {("lenet300", "mnist"), ("lenet5-caffe", "mnist"), ("resnet20", "cifar10")} <= set(
        MEASURED
    )


def test_rows_are_consistent_and_every_criterion_has_all_shares():
    for recipe, row in TABLE.items():
        images, correct = int(row["images"]), int(row["correct"])
        assert images == DATASETS[recipe.dataset].test_images
        assert float(row["accuracy"]) == pytest.approx(correct / images, abs=1e-4)
        for share in SHARES:
            assert recipe.with_last_step(value=share) in TABLE


def test_recipes_are_all_methods_criteria_and_shares():
    trained = []
    expected = 0
    for network, dataset in shipped():
        if DATASETS[dataset].download_bytes and datasets.available(dataset):
            trained.append((network, dataset))
            for method in METHODS:
                expected += len(SHARES) * len(criteria_for(network, method))
    recipes = list(reference_table.recipes())
    assert len(recipes) == len(set(recipes)) == expected
    assert {(recipe.network, recipe.dataset) for recipe in recipes} == set(trained)


@pytest.mark.parametrize("network, dataset", MEASURED)
def test_every_informed_criterion_exceeds_chance_at_half_of_the_weights(network, dataset):
    accuracy = {}
    for recipe, row in TABLE.items():
        step = recipe.last_step
        is_of_network = (recipe.network, recipe.dataset) == (network, dataset)
        if is_of_network and (step.method, step.value) == ("weight", 0.5):
            accuracy[step.criterion] = float(row["accuracy"])
    informed = [name for name in accuracy if not CRITERIA[name].is_random]
    [chance] = [accuracy[name] for name in accuracy if CRITERIA[name].is_random]
    assert informed
    assert all(accuracy[name] > chance for name in informed), accuracy


def sample() -> list[Recipe]:
    """Rows that are measured again: all of the small networks, and two of ResNet-20."""
    resnet = (("weight", "taylor"), ("filter", "random"))
    recipes = []
    for recipe in TABLE:
        step = recipe.last_step
        small = recipe.network in ("lenet300", "lenet5")
        chosen_on_resnet = recipe.network == "resnet20" and (step.method, step.criterion) in resnet
        if step.value == 0.5 and (small or chosen_on_resnet):
            recipes.append(recipe)
    return recipes


def name_of(recipe: Recipe) -> str:
    return f"{recipe.network}-{recipe.last_step.method}-{recipe.last_step.criterion}"


@pytest.mark.slow
@pytest.mark.parametrize("recipe", sample(), ids=name_of)
def test_rows_are_reproduced(recipe, real):
    real(recipe.dataset)
    row, [evaluation] = TABLE[recipe], evaluate([recipe])
    assert int(row["removed"]) == prune(recipe).step_results[0].removed
    # Another number of threads or another processor adds in another order, which may change
    # single weights and single images.
    tolerance = 100 if CRITERIA[recipe.last_step.criterion].needs_data else 5
    assert abs(int(row["correct"]) - evaluation.accuracy.correct) <= tolerance


def test_a_table_that_was_stopped_is_continued(tmp_path, monkeypatch):
    recipes = []
    for criterion in ("random", "magnitude"):
        for value in SHARES:
            recipes.append(one_step("lenet300", "digits", criterion=criterion, value=value))
    monkeypatch.setattr(reference_table, "recipes", lambda: iter(recipes))
    path = tmp_path / "table.csv"

    def stop(done: int, total: int, recipe: Recipe) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_table(path, stop)
    assert list(read_table(path)) == recipes[:4]
    measured, measure_row = [], reference_table.measure_row

    def record(recipe: Recipe) -> dict[str, str]:
        measured.append(recipe)
        return measure_row(recipe)

    monkeypatch.setattr(reference_table, "measure_row", record)
    write_table(path)
    assert measured == recipes[4:] and list(read_table(path)) == recipes


def test_a_missing_table_is_empty(tmp_path):
    assert read_table(tmp_path / "missing.csv") == {}

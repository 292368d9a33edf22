import pytest

from pruning.engine.evaluate import evaluate
from pruning.engine.prune import prune
from pruning.experiments import reference_table
from pruning.experiments.reference_table import SHARES, read_table, write_table
from pruning.methods.criteria import CRITERIA
from pruning.methods.units import METHODS
from pruning.recipe.compatibility import criteria_for
from pruning.recipe.recipe import Recipe

one_step = Recipe.one_step
TABLE = read_table()
TRAINED = [
    ("lenet300", "mnist"),
    ("lenet5", "mnist"),
    ("lenet5-caffe", "mnist"),
    ("resnet20", "cifar10"),
]


def test_the_table_has_every_criterion_on_every_network(real):
    real("mnist", "cifar10")
    assert list(reference_table.recipes())
    assert set(reference_table.recipes()) <= set(TABLE)
    for row in TABLE.values():
        accuracy = int(row["correct"]) / 10_000
        assert row["images"] == "10000" and float(row["accuracy"]) == pytest.approx(accuracy)


def test_recipes_are_all_methods_criteria_and_shares(real):
    real("mnist", "cifar10")
    expected = 0
    for network, _ in TRAINED:
        for method in METHODS:
            expected += len(SHARES) * len(criteria_for(network, method))
    recipes = list(reference_table.recipes())
    assert len(recipes) == len(set(recipes)) == expected
    assert {(recipe.network, recipe.dataset) for recipe in recipes} == set(TRAINED)


@pytest.mark.parametrize("network, dataset", TRAINED)
def test_every_informed_criterion_beats_chance_at_half_of_the_weights(network, dataset):
    accuracy = {}
    for name in criteria_for(network, "weight"):
        row = TABLE[one_step(network, dataset, criterion=name, value=0.5)]
        accuracy[name] = float(row["accuracy"])
    informed = [name for name in accuracy if not CRITERIA[name].is_random]
    [chance] = [accuracy[name] for name in accuracy if CRITERIA[name].is_random]
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
def test_the_table_is_still_true(recipe, real):
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

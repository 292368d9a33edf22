from dataclasses import replace

from pruning.experiments.run_table import run_map, runs_table
from pruning.models import checkpoints
from pruning.recipe.recipe import Recipe
from pruning.training.run_files import RunInfo
from pruning.training.spec import default_spec

CARD = checkpoints.card("lenet300", "digits")


def info(created: float, checkpoint: str = "", **fields) -> RunInfo:
    recipe = Recipe.one_step("lenet300", "digits", value=0.9, checkpoint=checkpoint)
    spec = default_spec(recipe, "finetune", seed=int(created))
    return RunInfo(spec.name, spec, "finished", created, 10, CARD, sparsity=0.9, **fields)


FIRST = info(1)
SECOND = info(2, FIRST.name)
DAMAGED = RunInfo("broken", None, "damaged", 0.0, 0, problem="it is empty")


def test_a_row_for_each_run_damaged_ones_included():
    table = runs_table([SECOND, FIRST, DAMAGED])
    assert list(table["run"]) == [SECOND.name, FIRST.name, "broken"]
    assert table["recipe"][1] == "Weights by Magnitude, 90% of weights"
    assert FIRST.name in table["recipe"][0]
    assert table["test_accuracy"][1] == CARD.test_accuracy
    assert table["problem"][2] == "it is empty"
    assert list(runs_table([]).columns) == ["run", "state"]


def test_a_run_stands_below_what_it_was_made_from():
    nodes = run_map([SECOND, FIRST, DAMAGED], {"lenet300 digits": 0.98})
    assert [(node.name, node.parent, node.depth) for node in nodes] == [
        ("lenet300 digits", "", 0),
        (FIRST.name, "lenet300 digits", 1),
        (SECOND.name, FIRST.name, 2),
    ]
    assert nodes[0].accuracy == 0.98
    labels = [node.label for node in nodes]
    assert labels == ["lenet300 digits", "Fine-tune, 90.0%", "90.0%"]  # the schedule stands once


def test_a_run_whose_parent_was_deleted_begins_at_the_dense_network():
    [dense, node] = run_map([SECOND], {})
    assert node.parent == dense.name and dense.accuracy is None


def test_a_circle_of_damaged_files_ends():
    one = replace(FIRST, name="one", spec=replace(FIRST.spec, recipe=_from("other")))
    other = replace(FIRST, name="other", spec=replace(FIRST.spec, recipe=_from("one")))
    assert [node.name for node in run_map([one, other], {})] == ["lenet300 digits"]


def _from(checkpoint: str) -> Recipe:
    return Recipe.one_step("lenet300", "digits", value=0.9, checkpoint=checkpoint)

import json

import pandas as pd
import pytest

from pruning.experiments.retraining.base import ResultTable, RetrainingBenchmark
from pruning.experiments.retraining.section import (
    missing_runs,
    section_body,
    section_dict,
    section_text,
)
from pruning.recipe.recipe import Recipe
from pruning.training.spec import default_spec
from tests.pruning.experiments.retraining.common import finished


def specs(seeds):
    recipe = Recipe.one_step("lenet300", "digits", value=0.5)
    return [default_spec(recipe, "finetune", epochs=1, seed=seed) for seed in range(seeds)]


def parts(runs, seeds):
    frame = pd.DataFrame([{"runs": str(len(runs)), "of": str(seeds)}])
    return ["A remark.", ResultTable("Numbers of runs", frame)]


BENCHMARK = RetrainingBenchmark(
    "small",
    parts,
    title="Small networks",
    specs=specs,
    protocol="Pruned and trained.",
    differences="none are known.",
    sources="nobody.",
    seeds=2,
)
FIRST, SECOND = specs(2)


@pytest.fixture
def runs():
    return {FIRST: finished(FIRST, 0.75)}


def test_the_section_has_command_protocol_tables_and_missing_runs(runs):
    paragraphs = section_body(BENCHMARK, runs, 2).split("\n\n")
    assert paragraphs == [
        "Measured by `python -m pruning benchmark small --seeds 2`.",
        "Pruned and trained.",
        "Mean ± standard deviation over those finished of the seeds 0 to 1.",
        "A remark.",
        "Numbers of runs:",
        "| runs | of |\n| --- | --- |\n| 1 | 2 |",
        "Published: nobody.",
        "Differences of protocol: none are known.",
        f"Not finished, and not in the tables: {SECOND.name}.",
    ]


def test_one_seed_has_no_spread_and_finished_runs_are_not_missing(runs):
    both = {**runs, SECOND: finished(SECOND)}
    assert "deviation over the seeds 0 to 1." in section_body(BENCHMARK, both, 2)
    body = section_body(BENCHMARK, runs, 1)
    assert "the spread over seeds is not known" in body
    assert "Not finished" not in body
    assert missing_runs(specs(2), runs) == [SECOND.name]


def test_the_text_has_title_remarks_and_tables(runs):
    assert section_text(BENCHMARK, runs, 2).splitlines() == [
        "Small networks",
        "",
        "A remark.",
        "",
        "Numbers of runs",
        "runs of",
        "   1  2",
    ]


def test_json_has_the_tables_and_the_numbers_of_each_run(runs):
    content = json.loads(json.dumps(section_dict(BENCHMARK, runs, 2)))
    assert content["tables"] == [{"caption": "Numbers of runs", "rows": [{"runs": "1", "of": "2"}]}]
    assert content["notes"] == ["A remark."]
    assert content["missing"] == [SECOND.name]
    [run] = content["runs"]
    assert run == {
        "name": FIRST.name,
        "seed": 0,
        "epochs": 1,
        "test_accuracy": 0.75,
        "validation_accuracy": 0.5,
    }

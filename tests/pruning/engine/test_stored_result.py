"""The stored form of an evaluation."""

import json

import pytest

from pruning.cost.macs import Cost
from pruning.engine.stored_result import StoredResult
from pruning.inference.accuracy import Tally

COMPLETE = StoredResult(
    tally=Tally((20, 30), 12.5, 60, hits=2**59 + 2**49 - 1),
    total=100,
    sparsity=0.5,
    removed_share=0.25,
    effective=Cost(10, 20),
    masked=Cost(30, 40),
    is_unfinished=True,
)


def read(content: object) -> StoredResult:
    return StoredResult.from_dict(json.loads(json.dumps(content)), classes=2)


def test_a_result_comes_back_from_json():
    assert read(COMPLETE.to_dict()) == COMPLETE


def test_results_of_earlier_versions_have_no_hits():
    content = COMPLETE.to_dict()
    del content["hits"]
    assert read(content).tally.hits is None
    assert read(content).to_dict() == content


@pytest.mark.parametrize("names", [("parameters", "macs"), ("masked_parameters", "masked_macs")])
def test_a_cost_may_be_unknown(names):
    content = COMPLETE.to_dict()
    for name in names:
        del content[name]
    result = read(content)
    assert [result.effective, result.masked].count(None) == 1
    assert result.to_dict() == content


@pytest.mark.parametrize(
    "changes, problem",
    [
        ({"images": 101}, "images must be at most 100"),
        ({"images": True}, "images must be a whole number"),
        ({"class_correct": [1]}, "class_correct must be a list of 2 numbers"),
        ({"class_correct": [40, 30]}, "adds up to more than images"),
        ({"sparsity": 1.5}, "sparsity must be a number from 0 to 1"),
        ({"loss": None}, "loss must be a number"),
        ({"open": "yes"}, "open must be true or false"),
        ({"hits": 5}, "hits must be a hexadecimal number"),
        ({"hits": "0x5"}, "hits must be a hexadecimal number"),
        ({"hits": "3"}, "hits do not agree"),
        ({"hits": f"{2**60 + 2**49 - 1:x}"}, "hits do not agree"),
        ({"macs": -1}, "macs must be a whole number"),
    ],
)
def test_a_damaged_result_is_refused(changes, problem):
    with pytest.raises(ValueError, match=problem):
        read(COMPLETE.to_dict() | changes)


def test_what_is_no_object_is_refused():
    with pytest.raises(ValueError, match="must be an object"):
        read([])

"""``list``: every registered name."""

import json
import subprocess
import sys

import pytest

from pruning.cli import registries
from pruning.cli.registries import hash_of_sources, read_registries
from pruning.data.datasets import DATASETS
from pruning.methods.criteria import CRITERIA
from pruning.methods.recovery import RECOVERIES
from pruning.methods.rules import RULES, SCOPES
from pruning.methods.units import METHODS
from pruning.models import NETWORKS
from pruning.training.schedules import SCHEDULES
from tests.pruning.cli.common import error_of, run_json, run_text

REGISTRIES = {
    "networks": NETWORKS,
    "datasets": DATASETS,
    "methods": METHODS,
    "criteria": CRITERIA,
    "rules": RULES,
    "scopes": SCOPES,
    "recoveries": RECOVERIES,
    "schedules": SCHEDULES,
}


def test_json_has_every_registry(capsys):
    content = run_json(capsys, "list")
    assert list(content) == list(REGISTRIES)
    for kind, registry in REGISTRIES.items():
        assert list(content[kind]) == list(registry)
        assert run_json(capsys, "list", kind) == {kind: content[kind]}


def test_json_keys_are_stable(capsys):
    content = run_json(capsys, "list")
    criteria, rules = content["criteria"], content["rules"]
    assert criteria["magnitude"]["applies_to"] == ["weight", "filter", "layer"]
    assert list(criteria["magnitude"]["measures"]) == ["l1", "l2"]
    assert criteria["magnitude"]["measured"] == ["filter", "layer"]
    assert criteria["taylor"]["images"] is True
    assert criteria["random"]["seeded"] is True
    assert criteria["loss_change"]["signed"] is True
    assert criteria["bn_scale"]["norms"] is True
    assert rules["sparsity"]["largest"] == 1.0
    assert rules["max_over_n"]["least"] == 1.0
    assert rules["max_over_n"]["positive"] is True
    assert rules["max_over_n"]["geometric"] is True
    assert rules["n_m"]["options"][:3] == ["2:4", "4:8", "1:2"]
    assert "reason" in rules["sigma"]
    assert "least" not in rules["sparsity"]
    assert content["networks"]["resnet20"]["slow"] is True
    assert content["datasets"]["mnist"]["test_images"] == 10_000
    assert set(content["methods"]["filter"]) == {"label", "unit", "help", "groupings"}
    assert list(content["methods"]["layer"]["groupings"]) == ["single", "subnetwork"]
    assert list(content["scopes"]["global"]) == ["help"]


def test_text(capsys):
    lines = {}
    for line in run_text(capsys, "list", "criteria").splitlines():
        lines[line.split()[0]] = line
    for name, criterion in CRITERIA.items():
        assert f"{criterion.label} [{', '.join(criterion.applies_to)}]: " in lines[name]
    assert "LeNet-300-100" in run_text(capsys, "list")


def test_an_unknown_kind_is_status_2(capsys):
    assert "unknown kind 'colours': choose from networks" in error_of(capsys, "list", "colours")


DESCRIBE = """
import json
from pruning.cli.registries import describe_registries
print(json.dumps(describe_registries()))
"""


@pytest.fixture(scope="module")
def described() -> dict:
    """What is registered in a process without plugins, as JSON gives it back."""
    output = subprocess.run([sys.executable, "-c", DESCRIBE], check=True, capture_output=True)
    return json.loads(output.stdout)


@pytest.mark.slow
def test_the_file_is_what_is_registered(described):
    content = json.loads(registries.FILE.read_text(encoding="utf-8"))
    remedy = "run `python -m pruning.cli.registries`"
    assert content["sources"] == hash_of_sources(), remedy
    assert content["registries"] == described, remedy


@pytest.mark.slow
@pytest.mark.parametrize("content", ["", "[]", "{}", '{"sources": "other", "registries": {}}'])
def test_a_file_that_is_not_up_to_date_is_not_used(content, described, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr(registries, "FILE", tmp_path / "registries.json")
    monkeypatch.setattr(registries, "describe_registries", lambda: described)
    monkeypatch.setattr(registries, "check_torch", lambda: None)
    (tmp_path / "registries.json").write_text(content)
    assert read_registries() is described


@pytest.mark.slow
def test_the_file_is_used_where_pytorch_is_not_imported(described, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr(registries, "describe_registries", None)
    assert read_registries() == described


def test_pytorch_is_not_imported():
    program = (
        "import sys; from pruning.cli.main import run; status = run(['list']); "
        "sys.exit(status or 'torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)

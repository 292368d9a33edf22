"""A study on a cluster: timed by its workers, and the same results."""

import pytest

from pruning.engine.cluster import count_workers
from pruning.experiments.study.expansion import expand
from pruning.experiments.study.measurement import estimate_time, measure
from pruning.experiments.study.results import results_table
from pruning.experiments.study.study_file import parse_study
from pruning.runtime.defaults import CLUSTER_VARIABLE
from pruning.training.run_files import RunFiles
from tests.pruning.experiments.study.test_study import TEXT
from tests.pruning.local_cluster import CLUSTER_MARKS, WORKERS

pytest.importorskip("distributed")
pytestmark = CLUSTER_MARKS


@pytest.mark.usefixtures("client")
def test_a_study_is_timed_there_and_here_and_gives_the_same_table(monkeypatch, tmp_path):
    study = parse_study(TEXT)
    points = expand(study)
    assert count_workers() == WORKERS
    expected = estimate_time(study, points)
    assert expected.unknown == len(points) == 42
    assert expected.cluster_seconds is not None and expected.cluster_seconds > 0
    text = expected.describe()
    assert text.startswith("42 points, 0 of them known; about ") and "on this machine, " in text
    assert text.endswith(" on the cluster")
    there = results_table(points, measure(study, points))
    assert all(RunFiles(point.run.name).is_finished for point in points if point.run is not None)
    known = estimate_time(study, points)
    assert (known.unknown, known.seconds, known.cluster_seconds) == (0, 0.0, 0.0)

    monkeypatch.setenv(CLUSTER_VARIABLE, "")
    monkeypatch.setenv("PRUNESCOPE_STORE", str(tmp_path / "other.sqlite"))
    here = results_table(points, measure(study, points))
    measured = ["curve", "value", "seeds", "sparsity", "accuracy", "compression"]
    assert there[measured].equals(here[measured])

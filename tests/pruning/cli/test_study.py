"""``study``: a file in, a table and a report out."""

import pandas as pd
import pytest

from tests.pruning.cli.common import error_of, run_text
from tests.pruning.experiments.study.test_study import TEXT


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_RUNS", str(tmp_path / "runs"))
    path = tmp_path / "small.toml"
    path.write_text(TEXT)
    return path


@pytest.mark.slow
def test_a_study_is_counted_measured_and_written(capsys, file):
    text = run_text(capsys, "study", str(file), "--dry-run")
    assert text.startswith("39 points, ") and "on this machine" in text
    assert not (file.parent / "small").exists()
    run_text(capsys, "study", str(file))
    folder = file.parent / "small"
    table = pd.read_csv(folder / "table.csv", dtype={"problem": str}).fillna({"problem": ""})
    pd.testing.assert_frame_equal(table, pd.read_parquet(folder / "table.parquet"))
    assert len(table) == 1 + 5 + 5 + 1 + 5
    assert "A &lt;small&gt; study" in (folder / "report.html").read_text(encoding="utf-8")
    assert run_text(capsys, "study", str(file), "--dry-run").startswith("39 points, 39 of them")


def test_a_bad_study_is_one_sentence_with_its_line(capsys, file):
    file.write_text(TEXT.replace('"magnitude"', '"magnitud"'))
    message = error_of(capsys, "study", str(file), code=1)
    assert "small.toml, line 8: unknown criterion 'magnitud'" in message


def test_a_file_that_cannot_be_read_is_named(capsys, tmp_path):
    assert "nothing.toml" in error_of(capsys, "study", str(tmp_path / "nothing.toml"), code=1)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    message = error_of(capsys, "study", str(tmp_path / "binary.toml"), code=1)
    assert "binary.toml is not a text file" in message

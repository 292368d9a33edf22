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
    assert text.startswith("42 points, ") and "on this machine" in text
    assert not (file.parent / "small").exists()
    run_text(capsys, "study", str(file))
    folder = file.parent / "small"
    table = pd.read_csv(folder / "table.csv", dtype={"problem": str}).fillna({"problem": ""})
    pd.testing.assert_frame_equal(table, pd.read_parquet(folder / "table.parquet"))
    assert len(table) == 1 + 5 + 5 + 1 + 5 + 1
    assert "A &lt;small&gt; study" in (folder / "report.html").read_text(encoding="utf-8")
    assert run_text(capsys, "study", str(file), "--dry-run").startswith("42 points, 42 of them")


def test_a_bad_study_is_one_sentence_with_its_line(capsys, file):
    file.write_text(TEXT.replace('"magnitude"', '"magnitud"'))
    message = error_of(capsys, "study", str(file), code=1)
    assert "small.toml, line 8: unknown criterion 'magnitud'" in message


def test_a_file_that_cannot_be_read_is_named(capsys, tmp_path):
    assert "nothing.toml" in error_of(capsys, "study", str(tmp_path / "nothing.toml"), code=1)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    message = error_of(capsys, "study", str(tmp_path / "binary.toml"), code=1)
    assert "binary.toml is not a text file" in message


def test_outputs_that_cannot_be_written_are_named_before_anything_is_measured(capsys, file):
    text = file.read_text()
    folder = file.parent
    for document, code, message in (
        ("small.toml", 1, "cannot be the study itself"),
        (".", 2, "is not a file"),
        ("nowhere/results.md", 2, "the folder of the document"),
        ("broken.md", 2, "must have"),
    ):
        (folder / "broken.md").write_text("<!-- begin: A <small> study -->")
        file.write_text(f'document = "{document}"\n{text}')
        assert message in error_of(capsys, "study", str(file), code=code)
    without_extension = folder / "study"
    without_extension.write_text(text)
    message = error_of(capsys, "study", str(without_extension), code=1)
    assert "is not a folder: choose one for the results by --results" in message
    assert not (folder / "small").exists()


def test_a_file_with_a_byte_order_mark_is_read(capsys, file):
    file.write_text(TEXT.replace('"magnitude"', '"magnitud"'), encoding="utf-8-sig")
    assert "line 8: unknown criterion" in error_of(capsys, "study", str(file), code=1)

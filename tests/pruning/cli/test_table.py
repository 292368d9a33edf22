"""``table``."""

from pruning.experiments import reference_table
from tests.pruning.cli.common import error_of, run_text


def test_a_complete_table_stays_as_it_is(capsys, tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    path.write_bytes(reference_table.FILE.read_bytes())
    measured = list(reference_table.read_table())
    monkeypatch.setattr(reference_table, "recipes", lambda: iter(measured))
    text = run_text(capsys, "table", "--out", str(path))
    assert text == f"{path} is complete\n"
    assert path.read_bytes() == reference_table.FILE.read_bytes()


def test_another_file_is_refused_and_stays(capsys, tmp_path):
    path = tmp_path / "notes.csv"
    for content in (b"name,value\na,1\n", b"\x80\x81\n\xff\n"):
        path.write_bytes(content)
        message = error_of(capsys, "table", "--out", str(path))
        assert f"{path} exists and is not a reference table" in message
        assert path.read_bytes() == content

import os
import stat
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from pruning.runtime.atomic_write import atomic_write, sha256


class Stop(Exception):
    pass


def write(path, text: str = "new") -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text)


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def permissions(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask():
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def test_files_are_written_completely_or_not_at_all(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(Stop), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise Stop
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]
    write(path)
    assert path.read_text() == "new"
    assert names(tmp_path) == ["file.txt"]


def test_the_temporary_file_is_empty_and_has_the_same_folder_and_suffix(tmp_path):
    path = tmp_path / "folder" / "file.csv"
    with atomic_write(path) as temporary:
        assert temporary.read_text() == ""
        assert temporary.parent == path.parent
        assert temporary.suffix == ".csv"
    assert path.read_text() == ""


@pytest.mark.parametrize("mask, expected", [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_umask_of_the_process_applies_when_the_file_is_written(tmp_path, umask, mask, expected):
    umask(mask)
    write(tmp_path / "file.txt")
    assert permissions(tmp_path / "file.txt") == expected
    with atomic_write(tmp_path / "file.safetensors") as temporary:
        save_file({"x": torch.zeros(2)}, temporary)
    assert permissions(tmp_path / "file.safetensors") == expected


def test_a_directory_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=r"folder is not a regular file: choose another path"):
        write(tmp_path / "folder")
    assert names(tmp_path) == ["folder"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_named_pipe_is_refused_and_stays(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="pipe is not a regular file"):
        write(tmp_path / "pipe")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert names(tmp_path) == ["pipe"]


@pytest.mark.skipif(sys.platform != "linux", reason="no /dev/full")
def test_a_device_is_refused_before_anything_is_written(tmp_path):
    link = tmp_path / "link"  # as a safeguard: the link is lost at worst
    link.symlink_to("/dev/full")
    with pytest.raises(OSError, match="link is not a regular file"):
        write(link)
    assert link.is_symlink()
    assert stat.S_ISCHR(link.stat().st_mode)


def test_a_symbolic_link_is_followed(tmp_path):
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target.txt", tmp_path / "link.txt"
    target.write_text("old")
    link.symlink_to(target)
    write(link)
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert names(tmp_path / "folder") == ["target.txt"]


def test_a_symbolic_link_to_a_missing_file_creates_it(tmp_path):
    target, link = tmp_path / "folder" / "target.txt", tmp_path / "link.txt"
    link.symlink_to(target)
    write(link)
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_symbolic_link_to_itself_is_an_os_error(tmp_path):
    link = tmp_path / "link.txt"
    link.symlink_to(link)
    with pytest.raises(OSError, match="symbolic links"):
        write(link)
    assert link.is_symlink()


def test_the_import_does_not_touch_the_umask():
    program = (
        "import os\n"
        "def refuse(*arguments): raise AssertionError('umask')\n"
        "os.umask = refuse\n"
        "import pruning.runtime.atomic_write"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_the_digest_is_of_the_content(tmp_path):
    (tmp_path / "file.txt").write_text("abc")
    assert sha256(tmp_path / "file.txt") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )

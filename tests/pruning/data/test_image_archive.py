"""Pictures in a ZIP archive: how they are read, and what is refused."""

import io
import random
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image

from pruning.data import image_archive
from pruning.data.image_archive import read_image_archive
from pruning.data.own_dataset import register_dataset
from pruning.runtime.errors import DatasetError

SIDE = 8


def picture(value: int, size: tuple[int, int] = (SIDE, SIDE), kind: str = "png") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (value, value // 2, 0)).save(file, kind)
    return file.getvalue()


def archive(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as written:
        for name, content in members.items():
            written.writestr(name, content)
    return file.getvalue()


def pets(folder: str = "", count: int = 6) -> dict[str, bytes]:
    members = {}
    for number in range(count):
        members[f"{folder}cat/{number}.png"] = picture(number)
        members[f"{folder}dog/{number}.jpg"] = picture(100 + number, kind="jpeg")
    return members


@pytest.mark.parametrize("folder", ["", "pets/"])
def test_each_folder_is_a_class(folder):
    found = read_image_archive(archive(pets(folder)), 3, SIDE)
    images, labels = found.data
    assert found.classes == ("cat", "dog")
    assert images.shape == (12, 3, SIDE, SIDE) and images.dtype == np.uint8
    assert labels.tolist() == [0, 1] * 6
    assert images[4, :, 0, 0].tolist() == [2, 1, 0]  # exactly, because PNG loses nothing


def test_train_and_test_are_kept_apart():
    members = pets("all/train/") | pets("all/test/", count=3)
    found = read_image_archive(archive(members), 1, SIDE)
    assert len(found.data["train"][1]) == 12
    assert len(found.data["test"][1]) == 6
    assert found.data["train"][0].shape == (12, 1, SIDE, SIDE)


def test_what_was_read_can_be_registered():
    found = read_image_archive(archive(pets(count=40)), 3, SIDE)
    data = register_dataset(found.data, classes=found.classes, label="Pets")
    assert data.classes == ("cat", "dog")
    assert data.train_images + data.test_images == 80


def test_the_central_square_is_resized():
    image = Image.new("RGB", (30, 10))
    image.paste((255, 255, 255), (10, 0, 20, 10))
    file = io.BytesIO()
    image.save(file, "png")
    members = pets() | {"cat/wide.png": file.getvalue()}
    images, _ = read_image_archive(archive(members), 1, 4).data
    assert (images[-1] == 255).all()


def test_hidden_files_are_left_out():
    members = pets() | {"__MACOSX/cat/._0.png": b"x", ".DS_Store": b"x", "cat/.hidden": b"x"}
    assert len(read_image_archive(archive(members), 3, SIDE).data[1]) == 12


def test_progress_is_reported_and_may_cancel():
    shares = []
    read_image_archive(archive(pets(count=120)), 3, SIDE, shares.append)
    assert shares[0] == 0 and shares == sorted(shares) and len(shares) == 48

    def cancel(share: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        read_image_archive(archive(pets()), 3, SIDE, cancel)


@pytest.mark.parametrize(
    "members, message",
    [
        ({}, "no pictures"),
        ({"cat/0.png": picture(1)}, "1 folders of classes"),
        ({"0.png": picture(1), "cat/1.png": picture(1)}, "not in the folder of a class"),
        ({"a/b/c/0.png": picture(1), "a/d/0.png": picture(2)}, "not in the folder of a class"),
        (pets() | {"../cat/9.png": picture(1)}, "outside the archive's folders"),
        (pets() | {"/cat/9.png": picture(1)}, "outside the archive's folders"),
        (pets() | {"cat/9.png": b"no picture"}, "cat/9.png.* not a readable picture"),
        (pets() | {"cat/9.zip": archive(pets())}, "cat/9.zip.* not a readable picture"),
        (pets() | {"cat/9.pt": b"\x80\x04K\x01."}, "cat/9.pt.* not a readable picture"),
        (pets() | {"cat/9.png": picture(1, (6000, 5000))}, "at most 25 million"),
    ],
)
def test_other_archives_are_refused_by_a_sentence(members, message):
    with pytest.raises(DatasetError, match=message):
        read_image_archive(archive(members), 3, SIDE)


def test_archives_beyond_the_limits_are_refused_before_unpacking(monkeypatch):
    def refuse(*args):
        raise AssertionError("unpacked")

    monkeypatch.setattr(zipfile.ZipFile, "read", refuse)
    bomb = archive(pets() | {"cat/9.png": bytes(20_000_000)})
    assert len(bomb) < 50_000
    with pytest.raises(DatasetError, match="more than 5,000,000 bytes"):
        read_image_archive(bomb, 3, SIDE)
    with pytest.raises(DatasetError, match="choose smaller images"):
        read_image_archive(archive(pets()), 3, 2_000)
    monkeypatch.setattr(image_archive, "MAX_IMAGES", 11)
    with pytest.raises(DatasetError, match="12 pictures, at most 11"):
        read_image_archive(archive(pets()), 3, SIDE)
    with pytest.raises(DatasetError, match="other than deflate"):
        monkeypatch.setattr(image_archive, "MAX_IMAGES", 100)
        read_image_archive(archive(pets(), zipfile.ZIP_LZMA), 3, SIDE)


def test_a_size_that_is_not_true_is_refused():
    content = bytearray(archive(pets() | {"cat/9.png": bytes(3_000_000)}))
    real, told = struct.pack("<I", 3_000_000), struct.pack("<I", 300)
    assert content.count(real) == 2  # in the header of the member, and in the directory
    with pytest.raises(DatasetError):
        read_image_archive(bytes(content.replace(real, told)), 3, SIDE)


def test_500_broken_archives_end_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = archive(pets())
    rng = random.Random(0)
    refused = 0
    for _ in range(500):
        content = bytearray(whole)
        if rng.random() < 0.3:
            content = content[: rng.randrange(len(content))]
        for _ in range(rng.randrange(1, 20)):
            if content:
                content[rng.randrange(len(content))] = rng.randrange(256)
        try:
            images, _ = read_image_archive(bytes(content), 3, SIDE).data
            assert images.shape[1:] == (3, SIDE, SIDE)
        except DatasetError as error:
            refused += 1
            assert 10 < len(str(error)) < 600
    assert refused > 300
    assert not list(tmp_path.iterdir())


def test_files_beside_pictures_are_left_out():
    members = pets() | {"cat/Thumbs.db": b"x", "readme.txt": b"x"}
    assert len(read_image_archive(archive(members), 3, SIDE).data[1]) == 12


def test_parts_may_be_capitalised():
    members = pets("Train/") | pets("Test/", count=3)
    assert len(read_image_archive(archive(members), 3, SIDE).data["test"][1]) == 6


def test_the_pixels_of_all_pictures_are_limited(monkeypatch):
    monkeypatch.setattr(image_archive, "MAX_PIXELS", 11 * SIDE**2)
    with pytest.raises(DatasetError, match="more than 704 pixels: reduce them"):
        read_image_archive(archive(pets()), 3, SIDE)


def test_members_are_counted_before_they_are_listed(monkeypatch):
    monkeypatch.setattr(image_archive, "MAX_MEMBERS", 11)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with pytest.raises(DatasetError, match="12 files or more, at most 11"):
        read_image_archive(PETS, 3, SIDE)


PETS = archive(pets())

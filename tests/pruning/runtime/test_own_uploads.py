"""Uploads of visitors: their limits, and when they are deleted."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pruning.runtime.own_uploads import MAX_AGE_S, UNUSED_S, OwnUploads, Upload, UploadError


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def uploads_of_test(**limits) -> tuple[OwnUploads, list[str], Clock]:
    discarded: list[str] = []
    clock = Clock()
    uploads = OwnUploads(lambda upload: discarded.append(upload.name), clock=clock, **limits)
    return uploads, discarded, clock


def upload(name: str, size: int = 1, kind: str = "network") -> Upload:
    return Upload(kind, name, f"Label of {name}", size)


def names(uploads: OwnUploads, owner: str) -> list[str]:
    return [each.name for each in uploads.of(owner)]


def test_uploads_belong_to_their_visitor():
    uploads, discarded, _ = uploads_of_test()
    uploads.keep("one", upload("a"))
    assert names(uploads, "one") == ["a"]
    assert names(uploads, "two") == []
    uploads.delete("two", "a")
    assert names(uploads, "one") == ["a"] and not discarded
    uploads.delete("one", "a")
    assert names(uploads, "one") == [] and discarded == ["a"]


def test_an_upload_of_two_visitors_stays_until_the_last_one_deletes_it():
    uploads, discarded, _ = uploads_of_test()
    for owner in ("one", "two"):
        uploads.keep(owner, upload("a"))
    uploads.delete("one", "a")
    assert not discarded
    uploads.delete("two", "a")
    assert discarded == ["a"]


def test_what_is_not_used_is_deleted_after_a_time():
    uploads, discarded, clock = uploads_of_test()
    uploads.keep("one", upload("a"))
    uploads.keep("two", upload("b"))
    clock.now = UNUSED_S - 1
    uploads.touch("two")
    assert uploads.seconds_left(uploads.of("one")[0]) == 1
    clock.now = UNUSED_S
    uploads.expire()
    assert discarded == ["a"]
    assert names(uploads, "two") == ["b"]


def test_what_is_used_is_deleted_in_the_end():
    uploads, discarded, clock = uploads_of_test()
    uploads.keep("one", upload("a"))
    while clock.now < MAX_AGE_S - 1:
        uploads.touch("one")
        uploads.expire()
        assert not discarded
        clock.now += UNUSED_S / 2
    clock.now = MAX_AGE_S
    uploads.touch("one")
    uploads.expire()
    assert discarded == ["a"]


@pytest.mark.parametrize(
    "limits, message",
    [
        ({"max_of_kind": 2}, "2 networks are kept for you"),
        ({"max_owner_size": 2}, "your uploads would take more than"),
        ({"max_size": 2}, "of all visitors"),
    ],
)
def test_a_limit_is_named_and_what_exceeds_it_is_discarded(limits, message):
    uploads, discarded, _ = uploads_of_test(**limits)
    uploads.keep("one", upload("a"))
    uploads.keep("one", upload("b"))
    with pytest.raises(UploadError, match=message):
        uploads.keep("one", upload("c"))
    assert names(uploads, "one") == ["a", "b"]
    assert discarded == ["c"]


def test_the_same_upload_again_is_no_second_one():
    uploads, discarded, _ = uploads_of_test(max_of_kind=1, max_owner_size=5, max_size=5)
    for _ in range(3):
        uploads.keep("one", upload("a", size=5))
    assert names(uploads, "one") == ["a"] and not discarded
    with pytest.raises(UploadError):
        uploads.keep("two", upload("b", size=5))
    uploads.keep("two", upload("a", size=5))  # of all visitors it counts once


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["keep", "delete", "expire", "touch"]),
        st.sampled_from(["one", "two", "three"]),
        st.sampled_from("abcde"),
        st.integers(0, 4_000),
    ),
    max_size=60,
)


@given(ACTIONS)
def test_no_limit_is_ever_exceeded_and_nothing_is_lost(actions):
    uploads, discarded, clock = uploads_of_test(max_of_kind=2, max_owner_size=9, max_size=12)
    sizes = {"a": 1, "b": 2, "c": 4, "d": 5, "e": 9}
    registered: set[str] = set()
    for action, owner, name, seconds in actions:
        clock.now += seconds
        discarded.clear()
        if action == "keep":
            registered.add(name)
            with suppress(UploadError):
                uploads.keep(owner, upload(name, sizes[name]))
        elif action == "delete":
            uploads.delete(owner, name)
        elif action == "expire":
            uploads.expire()
        else:
            uploads.touch(owner)
        registered -= set(discarded)
        kept = {owner: names(uploads, owner) for owner in ("one", "two", "three")}
        everything = set().union(*kept.values())
        assert registered == everything
        assert sum(sizes[name] for name in everything) <= 12
        for own in kept.values():
            assert len(own) <= 2
            assert sum(sizes[name] for name in own) <= 9

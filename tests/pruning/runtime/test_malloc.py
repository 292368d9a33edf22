import pytest

from pruning.runtime import malloc
from pruning.runtime.malloc import Allocator


class Recorder:
    """A C library that records the calls."""

    def __init__(self):
        self.calls = []

    def mallopt(self, option, value):
        self.calls.append(("mallopt", option, value))

    def malloc_trim(self, padding):
        self.calls.append(("malloc_trim", padding))


def test_arenas_are_limited_to_two():
    library = Recorder()
    Allocator(library).limit_arenas()
    assert library.calls == [("mallopt", -8, 2)]


def test_the_heap_is_trimmed_at_most_once_a_second(monkeypatch):
    library, now = Recorder(), 0.5
    allocator = Allocator(library)
    monkeypatch.setattr(malloc.time, "monotonic", lambda: now)
    allocator.trim()
    now = 1.4
    allocator.trim()
    assert library.calls == [("malloc_trim", 0)]
    now = 1.6
    allocator.trim()
    assert len(library.calls) == 2


@pytest.mark.parametrize("library", [None, object()])
def test_another_c_library_is_not_called(library):
    allocator = Allocator(library)
    allocator.limit_arenas()
    allocator.trim()

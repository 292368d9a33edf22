from pruning.runtime import malloc


class Recorder:
    """A C library that records the calls."""

    def __init__(self):
        self.calls = []

    def mallopt(self, option, value):
        self.calls.append(("mallopt", option, value))

    def malloc_trim(self, padding):
        self.calls.append(("malloc_trim", padding))


def test_arenas_are_limited_to_two(monkeypatch):
    library = Recorder()
    monkeypatch.setattr(malloc, "_libc", library)
    malloc.limit_arenas()
    assert library.calls == [("mallopt", -8, 2)]


def test_the_heap_is_trimmed_at_most_once_a_second(monkeypatch):
    library, now = Recorder(), 100.0
    monkeypatch.setattr(malloc, "_libc", library)
    monkeypatch.setattr(malloc, "_last_trim", 0.0)
    monkeypatch.setattr(malloc.time, "monotonic", lambda: now)
    malloc.trim()
    now = 100.9
    malloc.trim()
    assert len(library.calls) == 1
    now = 101.1
    malloc.trim()
    assert len(library.calls) == 2


def test_another_c_library_is_left_alone(monkeypatch):
    for library in (None, object()):
        monkeypatch.setattr(malloc, "_libc", library)
        malloc.limit_arenas()
        malloc.trim()

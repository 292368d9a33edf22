import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pruning.runtime.connection_limits import ConnectionLimits, Pace

BURST = 20


def passed_at(pauses: list[float], per_second: float) -> list[float]:
    """When messages are passed on that are read one after the other."""
    pace = Pace(per_second, BURST)
    now, times = 0.0, []
    for pause in pauses:
        now += pause
        now += pace.delay(now)
        times.append(now)
    return times


@given(
    st.lists(st.floats(0, 3), min_size=1, max_size=100),
    st.floats(0.5, 50),
)
def test_no_interval_has_more_messages_than_the_burst_and_the_rate(pauses, per_second):
    times = passed_at(pauses, per_second)
    for first, last in itertools.combinations(range(len(times)), 2):
        messages = last - first + 1
        assert messages <= 1 + BURST + (times[last] - times[first]) * per_second + 1e-6


@given(st.lists(st.floats(0.2, 5), max_size=100))
def test_a_slower_visitor_never_waits(pauses):
    assert passed_at(pauses, per_second=5) == list(itertools.accumulate(pauses))


def test_messages_at_once_are_passed_on_at_the_rate_after_the_burst():
    times = passed_at([0.0] * 31, per_second=5)
    assert times[: BURST + 1] == pytest.approx([0.0] * (BURST + 1), abs=1e-9)
    assert times[-1] == pytest.approx(2.0)


def test_all_connections_of_a_browser_have_one_pace():
    limits = ConnectionLimits()
    assert limits.open("one", "here") is limits.open("one", "there")
    assert limits.open("one", "here") is not limits.open("two", "here")
    assert limits.open("", "here") is not limits.open("", "here")


def test_connections_of_a_browser_are_limited():
    limits = ConnectionLimits(max_of_browser=2)
    assert limits.open("one", "here") and limits.open("one", "here")
    assert limits.open("one", "here") is None
    assert limits.open("two", "here")
    limits.close("one", "here")
    assert limits.open("one", "here")


def test_without_a_cookie_only_the_address_limits():
    limits = ConnectionLimits(max_of_browser=2, max_of_address=3)
    assert all(limits.open("", "here") for _ in range(3))
    assert limits.open("", "here") is None and limits.open("new", "here") is None
    assert limits.open("", "there")
    limits.close("", "here")
    assert limits.open("new", "here")

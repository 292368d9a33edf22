import threading
import time

import pytest

from pruning.runtime.errors import Cancelled
from pruning.runtime.jobs import Jobs


def steps(count: int, log: list, name: str = "", pause: float = 0.01):
    """Work in ``count`` steps, each of which is logged and reported."""

    def work(report):
        for i in range(count):
            log.append((name, i))
            time.sleep(pause)
            report(i + 1)
        return name or count

    return work


def test_the_same_key_is_computed_once_for_everybody():
    jobs, calls = Jobs(), []

    def work(report):
        calls.append(1)
        time.sleep(0.1)
        return 42

    followed = [jobs.subscribe(visitor, "key", work) for visitor in range(20)]
    assert all(job.wait(timeout=5) and job.result == 42 for job in followed)
    assert (
        jobs.subscribe("late", "key", work).result == 42
        and jobs.cached_result("key") == 42
        and calls == [1]
    )


def test_a_newer_key_supersedes_the_older_one():
    jobs, log = Jobs(), []
    old = jobs.subscribe("me", "old", steps(1000, log, "old"))
    assert old.wait(lambda progress: progress >= 3, timeout=5)
    new = jobs.subscribe("me", "new", steps(3, log, "new"))
    assert new.wait(timeout=2) and new.result == "new"
    assert old.wait(timeout=2) and old.failed and jobs.cached_result("old") is None
    with pytest.raises(Cancelled):
        old.result
    assert sum(name == "old" for name, _ in log) < 20


def test_work_that_somebody_else_wants_goes_on():
    jobs = Jobs()
    mine = jobs.subscribe("me", "key", steps(20, []))
    yours = jobs.subscribe("you", "key", steps(20, []))
    assert mine is yours
    jobs.unsubscribe("me")
    assert yours.wait(timeout=5) and yours.result == 20


def test_coming_back_to_work_that_all_had_left_starts_it_again():
    jobs = Jobs()
    jobs.subscribe("me", "key", steps(1000, []))
    jobs.unsubscribe("me")
    again = jobs.subscribe("me", "key", steps(2, []))
    assert again.wait(timeout=5) and again.result == 2


def test_short_work_does_not_wait_for_long_work():
    jobs, log = Jobs(), []
    long = jobs.subscribe("a", "long", steps(200, log, "long"))
    assert long.wait(lambda progress: progress >= 10, timeout=5)
    short = jobs.subscribe("b", "short", steps(5, log, "short"))
    assert short.wait(timeout=5) and not long.done
    jobs.unsubscribe("a")


def test_long_work_gets_its_turns_among_ever_new_short_work():
    jobs, log = Jobs(), []
    long = jobs.subscribe("a", "long", steps(60, log, "long"))
    assert long.wait(lambda progress: progress >= 20, timeout=5)
    for i in range(60):
        jobs.subscribe("b", i, steps(1, log, "short"))
        jobs.subscribe("c", -1 - i, steps(1, log, "short")).wait(timeout=5)
    assert long.wait(timeout=5) and long.result == "long"
    first, last = log.index(("long", 20)), log.index(("long", 59))
    assert "short" in {name for name, _ in log[first:last]}


def test_a_result_can_be_remembered_without_a_job_of_its_own():
    jobs = Jobs()
    jobs.remember("key", 42)
    assert jobs.cached_result("key") == 42
    assert jobs.subscribe("me", "key", lambda report: pytest.fail("computed again")).result == 42


def test_one_turn_at_a_time():
    jobs, inside, most = Jobs(), [], []

    def work(report):
        for _ in range(5):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.005)
            inside.pop()
            report(0)

    followed = [jobs.subscribe(i, i, work) for i in range(8)]
    assert all(job.wait(timeout=10) for job in followed) and max(most) == 1


def test_an_error_reaches_whoever_asks_and_is_not_remembered():
    jobs = Jobs()

    def work(report):
        raise ValueError("no such thing")

    job = jobs.subscribe("me", "key", work)
    assert job.wait(timeout=5)
    with pytest.raises(ValueError, match="no such thing"):
        job.result
    again = jobs.subscribe("me", "key", lambda report: 1)
    assert again.wait(timeout=5) and again.result == 1


def test_the_memory_is_bounded():
    jobs = Jobs(remember=3)
    for i in range(6):
        assert jobs.subscribe("me", i, lambda report: 1).wait(timeout=5)
    assert [jobs.cached_result(i) for i in range(6)] == [None, None, None, 1, 1, 1]


def test_nothing_is_left_behind():
    jobs = Jobs()
    before = threading.active_count()
    for i in range(20):
        jobs.subscribe("me", i, steps(50, []))
    assert jobs.subscribe("me", "last", steps(1, [])).wait(timeout=5)
    deadline = time.time() + 5
    while threading.active_count() > before and time.time() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before and not jobs._running and not jobs._followed

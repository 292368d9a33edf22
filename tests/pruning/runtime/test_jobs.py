import threading
import time
from functools import partial

import pytest

from pruning.runtime import jobs as jobs_module
from pruning.runtime.errors import Cancelled
from pruning.runtime.jobs import Busy, Jobs


def steps(count: int, log: list, name: str = "", pause: float = 0.01):
    """Work in ``count`` steps, each of which is logged and reported."""

    def work(report):
        for i in range(count):
            log.append((name, i))
            time.sleep(pause)
            report(i + 1)
        return name or count

    return work


def test_a_key_is_computed_once_for_all_subscribers():
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
        _ = old.result
    assert sum(name == "old" for name, _ in log) < 20


def test_a_job_continues_while_it_has_a_subscriber():
    jobs = Jobs()
    mine = jobs.subscribe("me", "key", steps(20, []))
    yours = jobs.subscribe("you", "key", steps(20, []))
    assert mine is yours
    jobs.unsubscribe("me")
    assert yours.wait(timeout=5) and yours.result == 20


def test_a_subscription_to_a_cancelled_job_starts_it_again():
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


@pytest.mark.slow
def test_long_work_makes_progress_among_many_short_jobs():
    jobs, log = Jobs(), []
    long = jobs.subscribe("a", "long", steps(60, log, "long"))
    assert long.wait(lambda progress: progress >= 20, timeout=5)
    for i in range(60):
        jobs.subscribe("b", i, steps(1, log, "short"))
        jobs.subscribe("c", -1 - i, steps(1, log, "short")).wait(timeout=5)
    assert long.wait(timeout=5) and long.result == "long"
    first, last = log.index(("long", 20)), log.index(("long", 59))
    assert "short" in {name for name, _ in log[first:last]}


def test_one_job_computes_at_a_time():
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


def test_an_error_is_raised_by_the_result_and_not_cached():
    jobs = Jobs()

    def work(report):
        raise ValueError("no such thing")

    job = jobs.subscribe("me", "key", work)
    assert job.wait(timeout=5)
    with pytest.raises(ValueError, match="no such thing"):
        _ = job.result
    again = jobs.subscribe("me", "key", lambda report: 1)
    assert again.wait(timeout=5) and again.result == 1


def test_the_number_of_cached_results_is_limited():
    jobs = Jobs(max_results=3)
    for i in range(6):
        assert jobs.subscribe("me", i, lambda report: 1).wait(timeout=5)
    assert [jobs.cached_result(i) for i in range(6)] == [None, None, None, 1, 1, 1]


def test_threads_and_subscriptions_end_with_their_jobs():
    jobs = Jobs()
    before = threading.active_count()
    for i in range(20):
        jobs.subscribe("me", i, steps(50, []))
    assert jobs.subscribe("me", "last", steps(1, [])).wait(timeout=5)
    deadline = time.time() + 5
    while threading.active_count() > before and time.time() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before
    assert jobs.subscribers_where(lambda subscriber: True) == []


def test_more_jobs_than_the_limit_are_refused_until_one_ends():
    jobs = Jobs(max_jobs=2)
    first = [jobs.subscribe(i, i, steps(1000, [])) for i in range(2)]
    with pytest.raises(Busy, match="2 computations are running or waiting"):
        jobs.subscribe("late", "late", steps(1, []))
    assert jobs.subscribe("late", 0, steps(1, [])) is first[0]
    jobs.unsubscribe(1)
    assert first[1].wait(timeout=5)
    assert jobs.subscribe("other", "late", steps(1, [])).wait(timeout=5)
    for subscriber in (0, "late"):
        jobs.unsubscribe(subscriber)
    assert first[0].wait(timeout=5)


def test_matching_subscribers_are_listed_and_unsubscribed():
    jobs = Jobs()
    for name in ("a1", "a2", "b1"):
        jobs.subscribe(name, name[1], steps(1000, []))

    def is_a(subscriber):
        return subscriber.startswith("a")

    assert sorted(jobs.subscribers_where(is_a)) == ["a1", "a2"]
    jobs.unsubscribe_where(is_a, key="2")
    assert jobs.subscribers_where(is_a) == ["a1"]
    assert jobs.subscription("a1").key == "1"
    jobs.unsubscribe_where(is_a)
    assert jobs.subscribers_where(lambda subscriber: True) == ["b1"]
    assert jobs.subscription("a1") is None
    jobs.unsubscribe("b1")


def test_a_forgotten_result_is_computed_again():
    jobs, log = Jobs(), []
    assert jobs.subscribe("me", "key", steps(1, log)).wait(timeout=5)
    jobs.forget("key")
    assert jobs.cached_result("key") is None
    assert jobs.subscribe("me", "key", steps(1, log)).wait(timeout=5)
    assert len(log) == 2


def test_the_remaining_time_is_estimated_from_the_speed_since_the_first_call(monkeypatch):
    job = Jobs().subscribe("me", "key", steps(1, []))
    assert job.wait(timeout=5)
    now = 100.0
    monkeypatch.setattr(jobs_module.time, "monotonic", lambda: now)
    assert job.seconds_left(0.5) is None  # the first call: half of it came from a cache
    now = 101.0
    assert job.seconds_left(0.6) is None  # too early
    now = 104.0
    assert job.seconds_left(0.51) is None  # too little progress
    assert job.seconds_left(0.6) == pytest.approx(4 * 0.4 / 0.1)


def wait_until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def blocked(jobs: Jobs) -> threading.Event:
    """Start a job of another subscriber that computes until the event is set."""
    go_on, started = threading.Event(), threading.Event()

    def work(report):
        started.set()
        go_on.wait(10)
        return 1

    jobs.subscribe("blocking", "blocking", work)
    assert started.wait(10)
    return go_on


def test_a_waiting_job_has_a_position():
    jobs = Jobs()
    go_on = blocked(jobs)
    waiting = []
    for name in ("one", "two"):
        job = jobs.subscribe(name, name, lambda report: 2)
        wait_until(lambda job=job: job.position is not None)
        waiting.append(job)
    assert [job.position for job in waiting] == [0, 1]
    go_on.set()
    assert all(job.wait(timeout=10) for job in waiting)
    assert [job.position for job in waiting] == [None, None]


def test_a_job_that_has_not_begun_leaves_the_queue_with_its_subscribers():
    jobs = Jobs()
    go_on = blocked(jobs)
    job = jobs.subscribe("me", "mine", lambda report: 1)
    wait_until(lambda: job.position == 0)
    jobs.unsubscribe("me")
    assert job.wait(timeout=10)  # while the other one computes
    assert isinstance(job.error, Cancelled)
    go_on.set()
    again = jobs.subscribe("me", "mine", lambda report: 2)
    assert again.wait(timeout=10) and again.result == 2


def test_a_job_between_two_turns_leaves_the_queue_with_its_subscribers():
    jobs = Jobs()
    has_begun, reports, others_end = threading.Event(), threading.Event(), threading.Event()

    def work(report):
        has_begun.set()
        reports.wait(10)
        report("half")

    def other_work(report):
        others_end.wait(10)
        return 2

    job = jobs.subscribe("me", "mine", work)
    assert has_begun.wait(10)
    other = jobs.subscribe("you", "other", other_work)
    wait_until(lambda: other.position == 0)
    reports.set()
    wait_until(lambda: job.position == 0)
    jobs.unsubscribe("me")
    assert job.wait(timeout=10)  # while the other one computes
    assert isinstance(job.error, Cancelled)
    others_end.set()
    assert other.wait(timeout=10) and other.result == 2
    after = jobs.subscribe("me", "after", lambda report: 3)
    assert after.wait(timeout=10) and after.result == 3


def test_a_first_result_goes_before_the_rest_of_a_patient_job():
    jobs, order = Jobs(), []
    go_on = blocked(jobs)

    def work(report):
        report("estimate")
        order.append("rest")
        return 1

    def estimate(report):
        order.append("estimate")
        return 2

    patient = jobs.subscribe("one", "patient", work, lambda progress: 9.0 if progress else 0.0)
    wait_until(lambda: patient.position == 0)
    later = jobs.subscribe("two", "later", estimate)
    wait_until(lambda: later.position == 1)
    go_on.set()
    assert patient.wait(timeout=10) and later.wait(timeout=10)
    assert patient.must_wait
    assert order == ["estimate", "rest"]


@pytest.mark.parametrize("seconds_for_each", [0.0, 60.0])
def test_a_job_is_patient_until_an_age_that_depends_on_those_that_wait(
    monkeypatch, seconds_for_each
):
    monkeypatch.setattr("pruning.runtime.jobs.PATIENCE_FOR_EACH_S", seconds_for_each)
    jobs, order = Jobs(), []
    go_on = blocked(jobs)

    def come(name: str, greatest_age: float):
        work = partial(lambda name, report: order.append(name) or True, name)
        job = jobs.subscribe(name, name, work, lambda progress: greatest_age)
        wait_until(lambda: job.position is not None)
        return job

    come("first", 0.0)
    made = [come("patient", 60.0), come("short of patience", 2.0), come("later", 0.0)]
    time.sleep(2.1)
    made.append(come("last", 0.0))
    go_on.set()
    assert all(job.wait(timeout=10) for job in made)
    if seconds_for_each:
        assert order == ["first", "later", "short of patience", "last", "patient"]
    else:
        assert order == ["first", "patient", "short of patience", "later", "last"]


def order_of(jobs: Jobs, *subscribers: str) -> list[str]:
    """The order in which jobs compute that have come in the order of their subscribers."""
    go_on, order, made = blocked(jobs), [], []
    for name in subscribers:
        work = partial(lambda name, report: order.append(name) or True, name)
        job = jobs.subscribe(name, f"work of {name}", work)
        wait_until(lambda job=job: job.position is not None)
        made.append(job)
    go_on.set()
    assert all(job.wait(timeout=10) for job in made)
    return order


def test_who_has_used_much_goes_after_who_has_used_little():
    jobs = Jobs()

    def busy(report):
        time.sleep(0.4)
        return 1

    assert jobs.subscribe("greedy", "before", busy).wait(timeout=10)
    assert order_of(jobs, "greedy", "modest") == ["modest", "greedy"]


def test_who_has_many_pages_gets_no_more_turns():
    def accounts(page: str) -> tuple[str, str]:
        return page, page.partition(" ")[0]

    jobs = Jobs(accounts=accounts)

    def busy(report):
        time.sleep(0.4)
        return 1

    assert jobs.subscribe("greedy 1", "before", busy).wait(timeout=10)
    assert order_of(jobs, "greedy 2", "modest 1") == ["modest 1", "greedy 2"]


def test_a_younger_browser_gives_no_advance():
    """A page has another cookie than when it computed."""
    browsers = ["old", "old"]

    def accounts(page: str) -> tuple[str, str]:
        return page, browsers[-1]

    jobs = Jobs(accounts=accounts)

    def busy(report):
        time.sleep(0.4)
        return 1

    assert jobs.subscribe("one", "before", busy).wait(timeout=10)
    browsers.append("new")
    assert order_of(jobs, "modest", "one") == ["modest", "one"]


def test_who_leaves_a_job_has_used_it():
    jobs, leave = Jobs(), threading.Event()

    def long(report):
        time.sleep(0.4)
        leave.wait(10)
        report("progress")

    left = jobs.subscribe("greedy", "before", long)
    time.sleep(0.1)
    jobs.unsubscribe("greedy")
    leave.set()
    assert left.wait(timeout=10)
    assert order_of(jobs, "greedy", "modest") == ["modest", "greedy"]

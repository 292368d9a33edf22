import threading
import time

import pytest

from pruning.runtime import fair_lock
from pruning.runtime.fair_lock import FairLock, RecentUse, Removed


def start_waiting(lock: FairLock, name: str, delay: float, order: list[str]) -> threading.Thread:
    def wait():
        lock.acquire(delay, name)
        order.append(name)
        lock.release()

    thread = threading.Thread(target=wait)
    waiting = lock.waiting
    thread.start()
    while lock.waiting == waiting:
        time.sleep(0.001)
    return thread


def test_the_lock_is_passed_to_the_thread_with_the_least_delay():
    lock, order = FairLock(), []
    lock.acquire(0)
    threads = [
        start_waiting(lock, name, delay, order)
        for name, delay in (("long", 60.0), ("short", 0.0), ("middle", 30.0))
    ]
    lock.release()
    for thread in threads:
        thread.join(5)
    assert order == ["short", "middle", "long"]


def test_wait_time_counts_against_the_delay():
    lock, order = FairLock(), []
    lock.acquire(0)
    threads = [start_waiting(lock, "long", 0.1, order)]
    time.sleep(0.3)
    threads.append(start_waiting(lock, "short", 0.0, order))
    lock.release()
    for thread in threads:
        thread.join(5)
    assert order == ["long", "short"]


def test_the_lock_has_one_holder_at_a_time():
    lock, inside, most = FairLock(), [], []

    def work():
        for _ in range(50):
            lock.acquire(0)
            for _ in range(2):
                inside.append(1)
                most.append(len(inside))
                inside.pop()
                lock.pass_on(0)
            lock.release()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(most) == 800
    assert max(most) == 1


def test_the_holder_passes_on_only_to_those_before_it():
    lock, order = FairLock(), []
    lock.acquire(0)
    thread = start_waiting(lock, "patient", 60.0, order)
    lock.pass_on(1.0, on_wait=lambda: order.append("waits"))
    assert order == []
    lock.pass_on(120.0, on_wait=lambda: order.append("waits"))
    assert order == ["waits", "patient"]  # it comes back when the other thread has released it
    lock.release()
    thread.join(5)


def test_the_position_is_the_number_of_threads_before():
    lock, order = FairLock(), []
    lock.acquire(0, "holder")
    delays = {"second": 20.0, "first": 10.0, "third": 30.0}
    threads = [start_waiting(lock, name, delay, order) for name, delay in delays.items()]
    positions = [lock.position(name) for name in ("first", "second", "third", "holder")]
    assert positions == [0, 1, 2, None]
    lock.release()
    for thread in threads:
        thread.join(5)
    assert lock.waiting == 0


def test_recent_use_is_halved_every_half_life(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(fair_lock.time, "monotonic", lambda: now[0])
    use = RecentUse(half_life=5.0, max_owners=2)
    use.add("one", 8.0)
    now[0] = 10.0
    assert use.of("one") == pytest.approx(2.0)
    use.add("one", 1.0)
    now[0] = 15.0
    assert use.of("one") == pytest.approx(1.5)
    assert use.of("other") == 0.0
    for owner in ("two", "three"):
        use.add(owner, 1.0)
    assert use.of("one") == 0.0  # forgotten: the least recently active of three


def test_a_thread_that_is_not_wanted_does_not_wait():
    lock = FairLock()
    lock.acquire(0.0)
    with pytest.raises(Removed):
        lock.acquire(0.0, "gone", is_wanted=lambda: False)
    assert lock.waiting == 0
    has_turn = threading.Event()

    def next_one() -> None:
        lock.acquire(0.0)
        has_turn.set()

    threading.Thread(target=next_one, daemon=True).start()
    while not lock.waiting:
        time.sleep(0.01)
    with pytest.raises(Removed):
        lock.pass_on(9.0, "gone", is_wanted=lambda: False)
    assert has_turn.wait(10)  # the lock was passed on

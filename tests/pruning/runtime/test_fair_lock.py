import threading
import time

from pruning.runtime.fair_lock import FairLock


def start_waiting(lock: FairLock, name: str, held: float, order: list[str]) -> threading.Thread:
    def wait():
        lock.acquire(held)
        order.append(name)
        lock.release()

    thread = threading.Thread(target=wait)
    waiting = lock.waiting
    thread.start()
    while lock.waiting == waiting:
        time.sleep(0.001)
    return thread


def test_the_lock_is_passed_to_the_thread_with_the_least_time_held():
    lock, order = FairLock(), []
    lock.acquire(0)
    threads = [
        start_waiting(lock, name, held, order)
        for name, held in (("long", 60.0), ("short", 0.0), ("middle", 30.0))
    ]
    lock.release()
    for thread in threads:
        thread.join(5)
    assert order == ["short", "middle", "long"]


def test_wait_time_counts_against_the_time_held():
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
            inside.append(1)
            most.append(len(inside))
            inside.pop()
            lock.release()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(most) == 400
    assert max(most) == 1

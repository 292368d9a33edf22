"""Visitors and their subscriptions."""

from streamlit.testing.v1 import AppTest

from pages.state import visitor


def script() -> None:
    import time

    from pages.state import visitor
    from pages.state.session import session
    from pages.state.visitor import Connection, connections, is_abandoned, subscriber

    first, second = subscriber("curve"), subscriber("scan")
    assert first == (session.visitor, "curve") and second[0] == first[0]
    assert not is_abandoned(first)  # it has just run a page
    assert not is_abandoned(("nobody", "curve"))  # the server has no record of it
    long_ago = time.monotonic() - 2 * visitor.ABANDON_AFTER_S
    connections()["gone"] = Connection("no such session", long_ago)
    assert is_abandoned(("gone", "curve"))
    connections()["gone"] = Connection("no such session", time.monotonic())
    assert not is_abandoned(("gone", "curve"))  # it may be loading again


def active_work() -> None:
    from pages.state.visitor import jobs, set_active_work, subscriber

    def work(report):
        while True:
            report(None)

    for task in ("curve", "curves"):  # the second one continues on every page
        jobs().subscribe(subscriber(task), ("test of active work", task), work)
    set_active_work("accuracy")
    assert jobs().subscription(subscriber("curve")) is None
    assert jobs().subscription(subscriber("curves")) is not None
    jobs().unsubscribe(subscriber("curves"))


def test_work_of_another_page_ends():
    assert not AppTest.from_function(active_work).run().exception


def test_a_closed_browser_is_abandoned_after_two_minutes(monkeypatch):
    monkeypatch.setattr(visitor, "is_disconnected", lambda known: True)
    assert not AppTest.from_function(script).run().exception

from http import HTTPStatus

from pruning.runtime.upload_limits import UploadLimits


def test_a_session_uploads_while_it_is_open():
    limits = UploadLimits()
    assert limits.admit("one", 1) == HTTPStatus.FORBIDDEN
    limits.close("one")
    limits.open("one")
    assert limits.admit("one", 1) == HTTPStatus.OK
    assert limits.admit("two", 1) == HTTPStatus.FORBIDDEN
    limits.close("one")
    assert limits.admit("one", 1) == HTTPStatus.FORBIDDEN


def test_the_size_must_be_known():
    limits = UploadLimits()
    limits.open("one")
    assert limits.admit("one", None) == HTTPStatus.LENGTH_REQUIRED
    assert limits.admit("one", -1) == HTTPStatus.LENGTH_REQUIRED


def test_files_and_bytes_of_a_session_are_limited_also_after_it_was_closed():
    limits = UploadLimits(max_files=3, max_session_bytes=10)
    limits.open("one")
    assert limits.admit("one", 8) == HTTPStatus.OK
    assert limits.admit("one", 3) == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert limits.admit("one", 2) == HTTPStatus.OK
    limits.close("one")
    limits.open("one")
    assert limits.admit("one", 1) == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert limits.admit("one", 0) == HTTPStatus.OK
    assert limits.admit("one", 0) == HTTPStatus.TOO_MANY_REQUESTS


def test_what_a_session_has_uploaded_counts_until_it_ends():
    limits = UploadLimits(max_session_bytes=8, max_bytes=10)
    for session in ("one", "two"):
        limits.open(session)
    assert limits.admit("one", 8) == HTTPStatus.OK
    assert limits.admit("two", 3) == HTTPStatus.INSUFFICIENT_STORAGE
    limits.forget(lambda session: session == "two")
    assert limits.admit("two", 3) == HTTPStatus.OK
    assert limits.admit("one", 1) == HTTPStatus.FORBIDDEN

from http import HTTPStatus

from pruning.runtime.upload_limits import UploadLimits

LIMIT = 10


def test_a_session_uploads_while_it_is_open():
    limits = UploadLimits()
    assert limits.admit("one", 1, {}) == HTTPStatus.FORBIDDEN
    limits.close("one")
    limits.open("one", LIMIT)
    assert limits.admit("one", 1, {}) == HTTPStatus.OK
    assert limits.admit("two", 1, {}) == HTTPStatus.FORBIDDEN
    limits.close("one")
    assert limits.admit("one", 1, {}) == HTTPStatus.FORBIDDEN


def test_the_size_must_be_known():
    limits = UploadLimits()
    limits.open("one", LIMIT)
    assert limits.admit("one", None, {}) == HTTPStatus.LENGTH_REQUIRED


def test_stored_files_and_those_on_their_way_count():
    limits = UploadLimits(max_files=3)
    limits.open("one", LIMIT)
    assert limits.admit("one", 8, {"one": [3]}) == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert limits.admit("one", 6, {"one": [3]}) == HTTPStatus.OK
    assert limits.admit("one", 2, {"one": [3]}) == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert limits.admit("one", 1, {"one": [3]}) == HTTPStatus.OK
    assert limits.admit("one", 0, {"one": [3]}) == HTTPStatus.TOO_MANY_REQUESTS
    limits.finish("one", 6)  # and has failed
    assert limits.admit("one", 6, {"one": [3]}) == HTTPStatus.OK


def test_the_limit_of_all_sessions_counts_those_that_are_not_connected():
    limits = UploadLimits(max_bytes=10)
    limits.open("one", LIMIT)
    assert limits.admit("one", 3, {"gone": [8]}) == HTTPStatus.INSUFFICIENT_STORAGE
    assert limits.admit("one", 2, {"gone": [8]}) == HTTPStatus.OK
    limits.open("two", LIMIT)
    assert limits.admit("two", 1, {"gone": [8]}) == HTTPStatus.INSUFFICIENT_STORAGE
    limits.finish("one", 2)
    assert limits.admit("two", 1, {"gone": [8]}) == HTTPStatus.OK

"""The server's application: Streamlit's, behind a check of uploads and of the metrics."""

from http import HTTPStatus
from pathlib import Path

import streamlit as st
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import runtime

from pruning.runtime.upload_limits import UPLOADS

APP = Path(__file__).with_name("app.py")
UPLOAD = "/_stcore/upload_file/"
METRICS = "/_stcore/metrics"
LOCAL_HOSTS = ("127.0.0.1", "::1")


class Doors:
    """Refuses uploads that no page has asked for, and the metrics to other machines.

    Streamlit by itself accepts any number of files for every session, on every page, and keeps them
    in memory until the session ends.

    Parameters
    ----------
    app : ASGIApp
        What is behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        status = _status_of(scope) if scope["type"] == "http" else HTTPStatus.OK
        if status is HTTPStatus.OK:
            await self._app(scope, receive, send)
            return
        response = PlainTextResponse(status.phrase, status, {"Connection": "close"})
        await response(scope, receive, send)


def _status_of(scope: Scope) -> HTTPStatus:
    path = scope["path"]
    if path.endswith(METRICS):
        host, _ = scope["client"] or ("", 0)
        return HTTPStatus.OK if host in LOCAL_HOSTS else HTTPStatus.NOT_FOUND
    _, is_upload, rest = path.partition(UPLOAD)
    if not is_upload or scope["method"] != "PUT":
        return HTTPStatus.OK
    session = rest.partition("/")[0]
    if runtime.exists():
        UPLOADS.forget(runtime.get_instance().is_active_session)
    return UPLOADS.admit(session, _content_length(Headers(scope=scope)))


def _content_length(headers: Headers) -> int | None:
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else None


app = st.App(APP, middleware=[Middleware(Doors)])

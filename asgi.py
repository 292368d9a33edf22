"""The server's application: Streamlit's, with limits on uploads, connections and metrics."""

import asyncio
import secrets
import time
from http import HTTPStatus
from pathlib import Path

import streamlit as st
from google.protobuf.message import DecodeError
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnected
from streamlit import config, runtime
from streamlit.proto.BackMsg_pb2 import BackMsg

from pruning.runtime.connection_limits import (
    BROWSER_COOKIE,
    CONNECTIONS,
    LOCAL_HOSTS,
    Pace,
    browser_name,
)
from pruning.runtime.upload_limits import UPLOADS

APP = Path(__file__).with_name("app.py")
UPLOAD = "/_stcore/upload_file/"
METRICS = "/_stcore/metrics"
ROUTES = ("_stcore", "static", "component", "media", "app", "_app")
"""First parts of the paths that belong to Streamlit; all pages have one part."""
NO_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>No such page · Prunescope</title>
<body style="font: 1rem/1.5 sans-serif; margin: 3rem; color-scheme: light dark">
<h1>There is no such page</h1><p>The address is wrong. <a href="/">Open Prunescope</a>.</p></html>
"""


class RequestLimits:
    """Refuses what a page would not ask for.

    Streamlit by itself accepts any number of files for every session, on every page, and keeps them
    in memory until the session ends; it opens any number of sessions, and runs a page as often as
    messages come. The metrics are for the machine of the server.

    Parameters
    ----------
    app : ASGIApp
        The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        path = scope.get("path", "")
        if scope["type"] == "http" and path.endswith(METRICS) and not _is_local(scope):
            await _refuse(HTTPStatus.NOT_FOUND, scope, receive, send)
        elif scope["type"] == "http" and UPLOAD in path and scope["method"] == "PUT":
            await self._upload(scope, receive, send)
        elif scope["type"] == "http" and _is_nested_page(scope):
            await HTMLResponse(NO_PAGE, HTTPStatus.NOT_FOUND)(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._connect(scope, receive, send)
        else:
            await self._app(scope, receive, _with_name_of_browser(scope, send))

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        session = scope["path"].partition(UPLOAD)[2].partition("/")[0]
        size = _content_length(Headers(scope=scope))
        status = UPLOADS.admit(session, size, _stored_sizes())
        if status is not HTTPStatus.OK:
            await _refuse(status, scope, receive, send)
            return
        assert size is not None
        try:
            await self._app(scope, receive, send)
        finally:
            UPLOADS.finish(session, size)

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        websocket = WebSocket(scope, receive, send)
        browser = browser_name(websocket.cookies.get(BROWSER_COOKIE, ""))
        address = _address(scope)
        pace = CONNECTIONS.open(browser, address)
        if pace is None:
            await websocket.close()  # before it is accepted: the answer is 403
            return
        try:
            await self._app(scope, _paced(receive, pace), send)
        except WebSocketDisconnected:
            pass  # lost while Streamlit was about to close it
        finally:
            CONNECTIONS.close(browser, address)


def _paced(receive: Receive, pace: Pace) -> Receive:
    async def receive_at_pace() -> Message:
        message = await receive()
        while message["type"] == "websocket.receive":
            await asyncio.sleep(pace.delay(time.monotonic()))
            if not _clears_caches(message):
                break
            message = await receive()
        return message

    return receive_at_pace


def _clears_caches(message: Message) -> bool:
    """Return whether a message asks to clear the caches of all visitors, which developers may."""
    try:
        request = BackMsg.FromString(message.get("bytes") or b"")
    except DecodeError:
        return False  # Streamlit refuses it
    return request.WhichOneof("type") == "clear_cache"


def _with_name_of_browser(scope: Scope, send: Send) -> Send:
    """Let the answer set the cookie that names a browser, if it asks for a page and has none."""
    if scope["type"] != "http":
        return send
    headers = Headers(scope=scope)
    accepts_html = "text/html" in headers.get("accept", "")
    if not accepts_html or BROWSER_COOKIE in cookie_parser(headers.get("cookie", "")):
        return send
    attributes = "Path=/; HttpOnly; SameSite=Lax"
    if scope.get("scheme") == "https":
        attributes += "; Secure"

    async def send_with_cookie(message: Message) -> None:
        if message["type"] == "http.response.start":
            cookie = f"{BROWSER_COOKIE}={secrets.token_urlsafe(16)}; {attributes}"
            MutableHeaders(scope=message).append("set-cookie", cookie)
        await send(message)

    return send_with_cookie


async def _refuse(status: HTTPStatus, scope: Scope, receive: Receive, send: Send) -> None:
    response = PlainTextResponse(status.phrase, status, {"Connection": "close"})
    await response(scope, receive, send)


def _is_nested_page(scope: Scope) -> bool:
    """Return whether a browser asks for a page that Streamlit would answer with an empty one."""
    if config.get_option("server.baseUrlPath"):
        return False
    parts = scope["path"].strip("/").split("/")
    accepts_html = "text/html" in Headers(scope=scope).get("accept", "")
    return accepts_html and len(parts) > 1 and parts[0] not in ROUTES


def _is_local(scope: Scope) -> bool:
    return _address(scope) in LOCAL_HOSTS


def _address(scope: Scope) -> str:
    host, _ = scope["client"] or ("", 0)
    return host


def _content_length(headers: Headers) -> int | None:
    """Size of the body; None if it is not said, or not binding because the body is chunked."""
    text = headers.get("content-length", "")
    is_number = text.isascii() and text.isdigit()
    return int(text) if is_number and "transfer-encoding" not in headers else None


def _stored_sizes() -> dict[str, list[int]]:
    """Sizes of the uploaded files in memory, of each session."""
    if not runtime.exists():
        return {}
    sizes = {}
    for session, files in list(runtime.get_instance().uploaded_file_mgr.file_storage.items()):
        sizes[session] = [len(file.data) for file in list(files.values())]
    return sizes


app = st.App(APP, middleware=[Middleware(RequestLimits)])

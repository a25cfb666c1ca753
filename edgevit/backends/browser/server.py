"""HTTP server of a page, with the headers that threads of WebAssembly need."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

Source = Path | bytes
Post = Callable[[str, bytes, str], bytes]  # path, body, agent -> answer

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".wasm": "application/wasm",
}
# A page alone with its origin may share memory between threads.
_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
_MOST = 1 << 30  # bytes of one body


class PageServer:
    """Server of a fixed set of files, and of what is posted to it, in threads of this process.

    `token`: the first part of each path, so that no other page or user reaches it.
    """

    def __init__(
        self,
        files: Mapping[str, Source],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str = "",
        post: Post | None = None,
        streams: Mapping[str, Callable[[Callable[[bytes], None]], None]] | None = None,
        most: int = _MOST,
    ) -> None:
        self.files, self.post, self.streams = dict(files), post, dict(streams or {})
        self.most = most
        self.root = f"/{token}/" if token else "/"
        self._server = _Threads((host, port), _Handler)
        self._server.page = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.root}"

    def wait(self) -> None:
        self._thread.join()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    page: PageServer

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a browser closes connections whenever it likes."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 3600

    @property
    def page(self) -> PageServer:
        assert isinstance(self.server, _Threads)
        return self.server.page

    def do_GET(self) -> None:
        path = self._path()
        if path in self.page.streams:
            self._stream(path)
        elif path in self.page.files:
            source = self.page.files[path]
            content = source if isinstance(source, bytes) else source.read_bytes()
            self._answer(200, content, _TYPES.get(Path(path).suffix, "application/octet-stream"))
        else:
            self._answer(404, b"no such file\n", "text/plain")

    def do_POST(self) -> None:
        try:
            code, answer = 200, self._taken(self._path())
        except ValueError as error:
            self.close_connection = True
            code, answer = 400, f"{error}\n".encode()
        self._answer(code, answer, "application/octet-stream")

    def _taken(self, path: str | None) -> bytes:
        page, length = self.page, self.headers.get("Content-Length", "")
        if page.post is None or path is None or not length.isdecimal() or int(length) > page.most:
            raise ValueError("not taken")
        body = self.rfile.read(int(length))
        return page.post(path, body, self.headers.get("User-Agent", ""))

    def _stream(self, path: str) -> None:
        """Write server-sent events until one side ends."""
        self.send_response(200)
        self._headers({"Content-Type": "text/event-stream", "Connection": "close"})
        self.close_connection = True

        def write(content: bytes) -> None:
            self.wfile.write(content)
            self.wfile.flush()

        self.page.streams[path](write)

    def _path(self) -> str | None:
        path = urlsplit(self.path).path
        root = self.page.root
        return path.removeprefix(root) or "index.html" if path.startswith(root) else None

    def _answer(self, code: int, content: bytes, kind: str) -> None:
        self.send_response(code)
        self._headers({"Content-Type": kind, "Content-Length": str(len(content))})
        self.wfile.write(content)

    def _headers(self, own: Mapping[str, str]) -> None:
        for name, text in {**_HEADERS, **own}.items():
            self.send_header(name, text)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass

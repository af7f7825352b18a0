"""An HTTP call and its answer, taken whole; and a small server that hands calls to a function.
Decides nothing.
"""

import http.client
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast
from urllib.parse import urlsplit

_OF_ONE_LINE = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "content-length",
    "host",
    "expect",
    "date",
    "server",
}
"""Headers that belong to one connection, and those that each server writes itself."""

# Asked by POST because the question is long; they change nothing.
_QUESTIONS = ("/search", "/pullrequestquery", "/git-upload-pack")
PATIENCE = 60.0
"""Seconds until a neighbour that is asked by the storm itself has to answer."""


class CutError(Exception):
    """The line goes dead instead of an answer."""


@dataclass(frozen=True)
class Call:
    """A request; `path` has its query."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @property
    def changes(self) -> bool:
        """Whether it asks for something to be changed."""
        return self.method != "GET" and not self.path.partition("?")[0].endswith(_QUESTIONS)

    def header(self, name: str) -> str:
        """The value of a header; empty when it is not there."""
        return next((value for key, value in self.headers if key.lower() == name), "")


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


Answer = Callable[[Call], Reply]


def ask(address: str, call: Call) -> Reply:
    """Make a call at `http://host:port`, on a connection of its own. Raises OSError or
    HTTPException.
    """
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
    try:
        connection.putrequest(call.method, call.path, skip_accept_encoding=True)
        for name, value in call.headers:
            if name.lower() not in _OF_ONE_LINE:
                connection.putheader(name, value)
        if call.body or call.method != "GET":
            connection.putheader("Content-Length", str(len(call.body)))
        connection.endheaders(call.body or None)
        found = connection.getresponse()
        body = found.read()
        kept = tuple(
            (name, value) for name, value in found.getheaders() if name.lower() not in _OF_ONE_LINE
        )
        return Reply(found.status, kept, body)
    finally:
        connection.close()


class Listener:
    """Answers every call on 127.0.0.1 by a function, until `close`. `CutError` from it cuts the
    line.
    """

    def __init__(self, answer: Answer) -> None:
        self._server = _Server(answer)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            daemon=True,
            name="weather",
        )
        self._thread.start()

    def close(self) -> None:
        """Take no more calls."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is the point of it all."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # An idle connection of a client that is gone is not kept for ever.
    timeout = 120

    def _take(self) -> None:
        call = Call(self.command, self.path, tuple(self.headers.items()), self._body())
        try:
            reply = cast(_Server, self.server).answer(call)
        except CutError:
            self._cut()
            return
        head = [f"HTTP/1.1 {reply.status} {http.client.responses.get(reply.status, 'Unknown')}"]
        head += [f"{name}: {value}" for name, value in reply.headers]
        head += [f"Content-Length: {len(reply.body)}", "", ""]
        self.wfile.write("\r\n".join(head).encode("latin-1") + reply.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _take  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces: list[bytes] = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(pieces)

    def _cut(self) -> None:
        # With nothing lingering, closing says "reset" and not "goodbye".
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """The diary tells what happened."""

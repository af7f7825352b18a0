"""The HTTP side of the stand-in: a threaded werkzeug server on loopback.

Turns requests into `Call`s and answers into responses; knows nothing of Databricks.
"""

import contextlib
import ipaddress
import json
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Request, Response

from sandbox.databricks.wire import Answer, Call

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class _Handler(WSGIRequestHandler):
    # Without this, head and body of an answer are sent 40 ms apart.
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: Any) -> None:
        """Nothing is printed; what was asked is kept by the stand-in."""

    def handle(self) -> None:
        """A client that goes away in the middle is no event worth a traceback."""
        with contextlib.suppress(OSError):
            super().handle()


class Listener:
    """Serves `answer` on a loopback address from the moment it is made, until `close`."""

    def __init__(self, host: str, port: int, answer: Callable[[Call], Answer]) -> None:
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"The stand-in serves this machine only, not {host}.")
        self._answer = answer
        self._server = ThreadedWSGIServer(host, port, self._application, _Handler)
        self.host = host
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = self._server.port
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.02},
            daemon=True,
            name="databricks",
        )
        self._thread.start()

    def close(self) -> None:
        """Accept nothing more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _application(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        with Request(environ) as request:  # Files of a form are open until it ends.
            call = read(request)
        answer = self._answer(call)
        response = Response(
            answer.body,
            answer.status,
            headers=dict(answer.headers),
            content_type=answer.content_type,
        )
        return response(environ, start_response)


def read(request: Request) -> Call:
    """A request, read whole."""
    form: dict[str, str] = {}
    uploads: dict[str, bytes] = {}
    body = b""
    if (request.mimetype or "") == "multipart/form-data":
        form = dict(request.form.items())
        uploads = {name: file.read() for name, file in request.files.items()}
    else:
        body = request.get_data(cache=False)
    return Call(
        method=request.method,
        path=request.path,
        query=dict(request.args.items()),
        headers=dict(request.headers.items()),
        body=body,
        form=form,
        uploads=uploads,
        query_string=request.query_string.decode("latin-1"),
    )


def readable(body: bytes | Iterable[bytes], content_type: str) -> Any:
    """A body as a JSON value, or None where it is something else."""
    if "json" not in content_type or not isinstance(body, bytes):
        return None
    try:
        return json.loads(body)
    except ValueError:
        return None

"""Who is connected to the dashboard, and who has to go when there is no more room?

A connection that waits for a request to come (half of one, or none after the last) keeps its place
for a moment only, and is the first to go where an address has too many or all places are taken. So
nobody can shut others out by opening connections and saying nothing.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from http.client import HTTPException
from typing import Any, Final

import gevent
from gevent import socket
from gevent.pywsgi import WSGIHandler, WSGIServer

HEAD_S: Final = 10.0
"""For a request to come, its head and its form each."""
TAKEN_S: Final = 60.0
"""For an answer to be taken."""
MAX_OF_ADDRESS: Final = 64
MAX_CONNECTIONS: Final = 200


class Places:
    """Connections in the order in which they began to wait for a request."""

    def __init__(self) -> None:
        self._waiting: dict[Handler, None] = {}
        self._held: dict[Handler, str] = {}

    def __repr__(self) -> str:
        return f"<Places {len(self._held)} taken, {len(self._waiting)} waiting>"

    def take(self, handler: Handler, address: str) -> bool:
        """A place, if need be of the one that has waited longest; False where all are at work."""
        of_address = [other for other, whose in self._held.items() if whose == address]
        for held, most in ((of_address, MAX_OF_ADDRESS), (self._held, MAX_CONNECTIONS)):
            if len(held) >= most:
                oldest = next((other for other in self._waiting if other in held), None)
                if oldest is None:
                    return False
                self.leave(oldest)
                oldest.hang_up()
        self._held[handler] = address
        return True

    def wait(self, handler: Handler) -> None:
        """From now on it waits for a request."""
        self._waiting[handler] = None

    def work(self, handler: Handler) -> None:
        """A request has come."""
        self._waiting.pop(handler, None)

    def leave(self, handler: Handler) -> None:
        """It is gone."""
        self._waiting.pop(handler, None)
        self._held.pop(handler, None)


class Handler(WSGIHandler):
    """pywsgi with an end to all waiting."""

    server: Server
    # What stands in a timeout's place for a number.
    ignored_socket_errors = (*WSGIHandler.ignored_socket_errors, "timed out")  # type: ignore[arg-type]

    def handle(self) -> None:
        """Answer what comes over this connection, if there is a place for it."""
        places = self.server.places
        if not places.take(self, self.client_address[0]):
            with suppress(OSError):
                self.socket.close()
            return
        self.socket.settimeout(TAKEN_S)
        try:
            with suppress(OSError):  # it has gone away
                super().handle()
        finally:
            places.leave(self)

    def handle_one_request(self) -> Any:
        """Wait for a request, and answer it."""
        self.server.places.wait(self)
        self._patience = gevent.Timeout.start_new(HEAD_S)
        try:
            return super().handle_one_request()
        except gevent.Timeout as over:
            if over is not self._patience:
                raise
            return None
        finally:
            self._patience.close()

    def handle_one_response(self) -> None:
        """Answer: the head has come."""
        self._patience.close()
        self.server.places.work(self)
        super().handle_one_response()

    def _handle_client_error(self, ex: BaseException) -> Any:
        """gevent's hook for a request that is none; a connection that is gone is not answered."""
        if isinstance(ex, OSError):
            return None
        if isinstance(ex, HTTPException):  # it would print how this came about
            ex = ValueError(str(ex))
        return super()._handle_client_error(ex)  # type: ignore[misc]  # it has no types

    def log_error(self, msg: str, *args: object) -> None:
        """Nothing: who speaks no HTTP must not fill what somebody may read, or nobody does."""

    def hang_up(self) -> None:
        """What is read from it ends at once."""
        with suppress(OSError, AttributeError):
            self.socket.shutdown(socket.SHUT_RDWR)


class Server(WSGIServer):
    """pywsgi without a line for each request, and with bounded connections."""

    def __init__(self, listener: Any, application: Any) -> None:
        super().__init__(
            listener, application, log=None, error_log=sys.stderr, handler_class=Handler
        )
        self.places = Places()

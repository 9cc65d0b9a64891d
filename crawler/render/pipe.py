"""How is a browser spoken to?

By the Chrome DevTools Protocol over two pipes: messages of JSON, each ended by a zero byte. Many
greenlets ask at once; what they wait for ends at the latest when the browser does, or the tab that
they spoke to.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any, Final

import gevent
import msgspec
from gevent.event import AsyncResult
from gevent.lock import RLock
from gevent.os import make_nonblocking, nb_read, nb_write

MAX_MESSAGE: Final = 96 * 1024 * 1024
"""Longer ones end the browser: what a page shows is bounded long before."""
_PIECE: Final = 256 * 1024

Values = dict[str, Any]
OnEvent = Callable[[str, Values, str], None]
"""Told a method, its parameters and the session, empty for the browser's own."""


class Gone(Exception):
    """The browser, or the tab that was spoken to, is no more."""


class Refused(Exception):
    """The browser says that it cannot do this."""


class Message(msgspec.Struct):
    """What a browser says: an answer by its number, or an event."""

    id: int = 0
    method: str = ""
    params: Values = {}
    result: Values = {}
    error: Values = {}
    sessionId: str = ""  # as it is sent


class Pipe:
    """Both directions. on_event: called by the one greenlet that listens; must not wait. on_end:
    called once, when nothing more can come."""

    def __init__(
        self, told: int, heard: int, on_event: OnEvent, on_end: Callable[[], None]
    ) -> None:
        self._told = told
        self._heard = heard
        self._on_event = on_event
        self._on_end = on_end
        self._number = 0
        self._waiting: dict[int, tuple[str, AsyncResult[Values]]] = {}
        self._writing = RLock()
        self.closed = False
        make_nonblocking(told)
        make_nonblocking(heard)
        self._listener = gevent.spawn(self._listen)

    def __repr__(self) -> str:
        return f"<Pipe {len(self._waiting)} questions out>"

    def call(
        self, method: str, session: str = "", wait_s: float | None = None, /, **params: Any
    ) -> Values:
        """Ask, and wait for the answer. Raises Refused, Gone, and gevent.Timeout after wait_s."""
        answer = self.send(method, session, **params)
        return answer.get(timeout=wait_s) or {}

    def send(self, method: str, session: str = "", /, **params: Any) -> AsyncResult[Values]:
        """Ask; the answer, or its error, is there later. Raises Gone."""
        if self.closed:
            raise Gone(method)
        self._number += 1
        number = self._number
        answer: AsyncResult[Values] = AsyncResult()
        self._waiting[number] = session, answer
        message: Values = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self._write(msgspec.json.encode(message) + b"\0")
        return answer

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        with self._writing:
            try:
                while view:
                    view = view[nb_write(self._told, view[:_PIECE]) :]
            except OSError as error:
                self.close()
                raise Gone(str(error)) from None

    def forget(self, session: str) -> None:
        """A tab is no more: whoever waits for an answer of it is told."""
        for number, (asked, answer) in list(self._waiting.items()):
            if asked == session:
                del self._waiting[number]
                answer.set_exception(Gone(session))

    def close(self) -> None:
        """Nothing more is said; whoever waits is told."""
        if self.closed:
            return
        self.closed = True
        waiting, self._waiting = self._waiting, {}
        for _, answer in waiting.values():
            answer.set_exception(Gone("the browser is no more"))
        if gevent.getcurrent() is not self._listener:
            self._listener.kill(block=False)
        os.close(self._told)
        os.close(self._heard)
        self._on_end()

    def _listen(self) -> None:
        held = bytearray()
        try:
            while piece := nb_read(self._heard, _PIECE):
                start = len(held)
                held += piece
                if len(held) > MAX_MESSAGE:
                    break
                if b"\0" not in piece:
                    continue
                *whole, rest = held.split(b"\0") if start else piece.split(b"\0")
                held = bytearray(rest)
                for text in whole:
                    self._take(_message(text))
        except (OSError, ValueError, TypeError):
            pass
        self.close()

    def _take(self, message: Message) -> None:
        if not message.id:
            self._on_event(message.method, message.params, message.sessionId)
            return
        _, answer = self._waiting.pop(message.id, ("", None))
        if answer is None:
            return
        if message.error:
            answer.set_exception(Refused(str(message.error.get("message"))))
        else:
            answer.set(message.result)


_decode: Final = msgspec.json.Decoder(Message).decode


def _message(text: bytes | bytearray) -> Message:
    """What was said; a half of a surrogate pair, which scripts may have anywhere, is replaced."""
    try:
        return _decode(text)
    except msgspec.DecodeError:
        return msgspec.convert(_whole(json.loads(text)), Message)


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole(one) for one in value]
    if isinstance(value, dict):
        return {_whole(key): _whole(one) for key, one in value.items()}
    return value

"""Which documents are too risky to parse here, and where else are they parsed?

Some documents cost seconds in C code that no greenlet can interrupt. They get a process of their
own, forked from this one, so that killing it costs nothing but itself.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import msgspec
from gevent import monkey, sleep, with_timeout
from gevent.fileobject import FileObject
from gevent.lock import BoundedSemaphore
from gevent.os import fork_and_watch

from crawler.config import Config
from crawler.model import Document, Job, Reply
from crawler.orphans import end_with_parent, let_go
from crawler.parse import parse_document
from crawler.parse.sitemaps import GZIP

LARGE_BYTES = 2 * 1024 * 1024
LONG_TAG_BYTES = 64 * 1024
"""A tag so long may have 100,000 attributes. Where pages are read with a tree, without the compiled
part, that takes 10.8 s, measured."""
LONG_STYLE_BYTES = 256 * 1024
"""A style sheet of nothing but semicolons takes 0.7 s a megabyte, a real one 0.1 s."""
AT_ONCE = 1
"""A page of 10 MB may take hundreds of MB as a tree, so a worker has one such process at a time."""
WAITS = 10
"""So many times `parse.max_seconds` is waited for one, where the machine has other things to do; of
its own time it has what the setting says."""
START_S = 5.0
"""What a new process may take to come up, beside the parsing itself."""
PAUSES_S = (0.1, 0.3, 1.0, 3.0)
"""How long to wait, and how often, where the machine has no room for another process."""
MEMORY_BYTES = 1024 * 1024 * 1024
"""What it may take beside the memory it is born with."""

GIVEN_UP = Document(error="parse_timeout", truncated="parse")
_encode = msgspec.msgpack.encode
_fork = monkey.get_original("os", "fork")
"""gevent's own would bring up a loop in the new process, which needs none."""


def is_risky(body: bytes) -> bool:
    """Is this document large or packed, or does it have a very long tag?

    A tag of `LONG_TAG_BYTES` covers a block of half that size without a ``>``; looking for such a
    block is cheap, and errs on the safe side where text or a script is that long.
    """
    if len(body) > LARGE_BYTES or body.startswith(GZIP):
        return True
    block = LONG_TAG_BYTES // 2
    return any(
        body.find(b">", start, start + block) < 0
        for start in range(0, len(body) - block + 1, block)
    )


def is_long_style(reply: Reply) -> bool:
    """Is this a style sheet that may take long? It is read in Python."""
    if len(reply.body) <= LONG_STYLE_BYTES:
        return False
    kind = (reply.header("content-type") or "").lower()
    return not kind or "css" in kind


class IsolatedParser:
    """Parses in processes that live for one document."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._places = BoundedSemaphore(AT_ONCE)

    def __repr__(self) -> str:
        return f"<IsolatedParser {AT_ONCE - self._places.counter} at work>"

    def parse(self, job: Job, reply: Reply) -> Document:
        """The document, or one without facts: ``parse_timeout`` when it took too long, or its
        process died of it, or there was no room for one."""
        packed = self._try(lambda: _encode(parse_document(job, reply, self._config)))
        try:
            document = msgspec.msgpack.decode(packed, type=Document)
        except msgspec.DecodeError:  # it was too slow, or died
            return GIVEN_UP
        return document if self._config.store.bodies else self._with_facts(job, reply, document)

    def _with_facts(self, job: Job, reply: Reply, document: Document) -> Document:
        """Of a body that is not kept. In a process of their own: the document is safe by now."""
        from crawler.parse.body_facts import facts_of, is_asked, without_facts  # as in `parse`

        if not is_asked(job, reply):
            return document
        facts = self._try(lambda: facts_of(job, reply, document, self._config) or b"")
        try:
            msgspec.msgpack.decode(facts)
        except msgspec.DecodeError:
            facts = without_facts(job, document, "timeout")
        return msgspec.structs.replace(document, facts=facts)

    def _try(self, work: Callable[[], bytes]) -> bytes:
        """What a process makes of this work; nothing where there was no room for one."""
        with self._places:
            for pause_s in PAUSES_S:
                try:
                    return self._ask(work)
                except OSError:
                    sleep(pause_s)
        return b""

    def _ask(self, work: Callable[[], bytes]) -> bytes:
        """What it answers, or nothing. Raises OSError when there can be no other process now."""
        parent = os.getpid()
        listening, answering = os.pipe()
        with FileObject(listening, "rb") as pipe:
            try:
                child = fork_and_watch(fork=_fork)  # the loop reaps it
                if child == 0:
                    self._answer(parent, answering, work)
            finally:
                os.close(answering)
            try:
                handle = os.pidfd_open(child)
            except OSError:
                os.kill(child, signal.SIGKILL)  # the loop has not run: its number is still its own
                raise
            try:
                limit = WAITS * self._config.parse.max_seconds + START_S
                answer: bytes = with_timeout(limit, pipe.read, timeout_value=b"")
                return answer
            finally:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                os.close(handle)

    def _answer(self, parent: int, answering: int, work: Callable[[], bytes]) -> NoReturn:
        """Be the new process: do the work and write down what came of it."""
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            end_with_parent(parent)
            let_go(answering)
            limit_memory()
            limit_time(self._config.parse.max_seconds)
            answer = work()
            with open(answering, "wb") as pipe:
                pipe.write(answer)
        finally:
            os._exit(0)


def limit_time(seconds: float) -> None:
    """End this process when it has worked so long, whatever the clock on the wall says."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)


def limit_memory() -> None:
    """To `MEMORY_BYTES` more than now, or to what it may have at the most."""
    with open("/proc/self/statm") as sizes:
        now = int(sizes.read().split()[0]) * resource.getpagesize()
    wanted, (_, most) = now + MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)
    allowed = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(resource.RLIMIT_AS, (allowed, most))

"""Which documents are too risky to parse here, and where else are they parsed?

Some documents cost seconds in C code that no greenlet can interrupt. They get a process of their
own, so that killing it costs nothing but itself.
"""

from __future__ import annotations

import sys

import msgspec
from gevent import subprocess
from gevent.lock import BoundedSemaphore

from crawler.config import ParseConfig
from crawler.model import Document, Job, Reply

LARGE_BYTES = 2 * 1024 * 1024
LONG_TAG_BYTES = 64 * 1024
"""A tag so long may have 100,000 attributes: 10.8 s in libxml2, measured."""
AT_ONCE = 1
"""A page of 10 MB may take hundreds of MB as a tree, so a worker has one such process at a time."""
START_S = 5.0
"""What a new process may take to come up, beside the parsing itself."""

GIVEN_UP = Document(error="parse_timeout", truncated="parse")


def is_risky(body: bytes) -> bool:
    """Is this document large, or does it have a very long tag?

    A tag of `LONG_TAG_BYTES` covers a block of half that size without a ``>``; looking for such a
    block is cheap, and errs on the safe side where text or a script is that long.
    """
    if len(body) > LARGE_BYTES:
        return True
    block = LONG_TAG_BYTES // 2
    return any(
        body.find(b">", start, start + block) < 0
        for start in range(0, len(body) - block + 1, block)
    )


class DisposableParser:
    """Parses in processes that live for one document."""

    def __init__(self, config: ParseConfig, *, max_url_bytes: int) -> None:
        self._config = config
        self._max_url_bytes = max_url_bytes
        self._places = BoundedSemaphore(AT_ONCE)

    def __repr__(self) -> str:
        return f"<DisposableParser {AT_ONCE - self._places.counter} at work>"

    def parse(self, job: Job, reply: Reply) -> Document:
        """The document, or one without facts: ``parse_timeout`` when it took too long, or its
        process died of it."""
        with self._places:
            # Encoded only now: what waits for its place holds its body once.
            question = msgspec.msgpack.encode((job, reply, self._config, self._max_url_bytes))
            process = subprocess.Popen(
                [sys.executable, "-m", "crawler.parse"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            try:
                answer, _ = process.communicate(question, self._config.max_seconds + START_S)
            except subprocess.TimeoutExpired:
                return GIVEN_UP
            finally:
                process.kill()
                process.wait()
        if process.returncode != 0:
            return GIVEN_UP
        return msgspec.msgpack.decode(answer, type=Document)

"""Parses one document in a process of its own, which can be killed without loss.

stdin: a job, a reply with its body, the parse settings and the longest URL, as msgpack.
stdout: the document.
"""

from __future__ import annotations

import resource
import sys

import msgspec

from crawler.config import ParseConfig
from crawler.model import Job, Reply
from crawler.parse import parse

MEMORY_BYTES = 1024 * 1024 * 1024


def main() -> None:
    """Read, parse, write."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    job, reply, config, max_url_bytes = msgspec.msgpack.decode(
        sys.stdin.buffer.read(), type=tuple[Job, Reply, ParseConfig, int]
    )
    document = parse(job, reply, config, max_url_bytes=max_url_bytes)
    sys.stdout.buffer.write(msgspec.msgpack.encode(document))


if __name__ == "__main__":
    main()

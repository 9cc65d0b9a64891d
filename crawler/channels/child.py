"""What does a worker process do?

It reads jobs from its socket, works, and writes visits back, until the socket closes.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections import deque

import gevent
import msgspec
from gevent.event import Event

from crawler.channels.frames import Cell, Frames, is_list
from crawler.channels.outbox import GATHER_S, Outbox
from crawler.config import Config
from crawler.model import Answer, Document, Job, Question, Reply, Visit
from crawler.plain import log_plainly
from crawler.worker import Worker

BEAT_S = 0.1
OUTBOX_BYTES = 8 * 1024 * 1024


def serve(link_number: int, cell_number: int) -> None:
    """Work for the conductor at the other end of a socket; these are descriptors."""
    log_plainly()
    frames = Frames(socket.socket(fileno=link_number))
    frame = frames.read()
    if frame is None:  # the conductor has changed its mind
        os._exit(0)
    config = msgspec.msgpack.decode(frame, type=Config)
    Child(frames, Cell(cell_number), config).run()


class Child:
    """The worker's side of a channel."""

    def __init__(self, frames: Frames, cell: Cell, config: Config) -> None:
        self._frames = frames
        self._cell = cell
        self._outbox = Outbox()
        self._questions: deque[Question] = deque()
        self._filled = Event()
        self._room = Event()
        self._room.set()
        self._parsing = (0, 0.0)
        self._worker = Worker(
            config, self._deliver, self._note_parsing, may_start=cell.may_start, say=self._ask
        )

    def __repr__(self) -> str:
        return f"<Child {len(self._outbox)} visits to send, {self._worker!r}>"

    def run(self) -> None:
        """Until the conductor closes the socket; does not return."""
        gevent.spawn(self._send)
        gevent.spawn(self._beat)
        decode = msgspec.msgpack.Decoder(list[Job]).decode
        answers = msgspec.msgpack.Decoder(Answer)
        while (frame := self._frames.read()) is not None:
            if not is_list(frame):
                self._worker.answered(answers.decode(frame))
                continue
            for job in decode(frame):
                self._worker.put(job)
        self._worker.close()
        sys.stdout.flush()
        os._exit(0)

    def _deliver(self, visit: Visit) -> None:
        while self._outbox.bytes > OUTBOX_BYTES:  # all who wait wake at once
            self._room.wait()
        self._outbox.append(visit)
        if self._outbox.bytes > OUTBOX_BYTES:
            self._room.clear()
        self._filled.set()

    def _ask(self, question: Question) -> None:
        self._questions.append(question)
        self._filled.set()

    def _send(self) -> None:
        while True:
            self._filled.wait()
            gevent.sleep(GATHER_S)
            self._filled.clear()
            self._send_questions()
            while self._outbox:
                self._send_frame()
                if self._outbox.bytes <= OUTBOX_BYTES:
                    self._room.set()

    def _send_questions(self) -> None:
        try:
            while self._questions:
                self._frames.write(self._questions.popleft())
        except OSError:
            os._exit(0)

    def _send_frame(self) -> None:
        frame, weight = self._outbox.next_frame()
        try:
            self._frames.write(frame)
        except OSError:
            os._exit(0)
        except (ValueError, OverflowError):
            self._frames.write([_presentable(visit) for visit in frame])
        self._outbox.sent(weight)

    def _beat(self) -> None:
        while True:
            self._cell.write(time.monotonic(), *self._parsing)
            gevent.sleep(BEAT_S)

    def _note_parsing(self, job: Job | None) -> None:
        now = time.monotonic()
        self._parsing = (job.token, now) if job is not None else (0, 0.0)
        self._cell.write(now, *self._parsing)


def _presentable(visit: Visit) -> Visit:
    """A visit whose document cannot be written down goes without it; its place is kept."""
    try:
        msgspec.msgpack.encode(visit)
    except (ValueError, OverflowError):
        reply = Reply(
            status=visit.reply.status,
            error=visit.reply.error or "decode_error",
            error_detail="the document could not be written down",
            total_ms=visit.reply.total_ms,
        )
        return Visit(visit.job, reply, Document(), visit.started_at)
    return visit

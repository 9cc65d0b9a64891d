"""How does a worker ask the conductor what a page may ask for?

Questions go the way of its visits, answers come the way of its jobs; any channel that carries both
carries this. A channel that does not gives no `Say`, and then its workers show no page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gevent.event import AsyncResult

from crawler.model import Answer, Ask, Question, Refusal
from crawler.model.permits import PACE

PATIENCE_S: Final = 12.0
"""Longer than the conductor waits for a host; then whoever should answer is gone."""
Say = Callable[[Question], None]


class Asking:
    """What is asked and not answered yet."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._number = 0
        self._waiting: dict[int, AsyncResult[Answer]] = {}

    def __repr__(self) -> str:
        return f"<Asking {len(self._waiting)} questions>"

    def ask(self, token: int, url: str, kind: str, addresses: tuple[str, ...] = ()) -> Answer:
        """The answer, when there is one."""
        self._number += 1
        number = self._number
        waiting = self._waiting[number] = AsyncResult()
        try:
            self._say(Ask(token, number, url, kind, addresses))
            waiting.wait(PATIENCE_S)
            return waiting.value or Refusal(token, number, PACE)
        finally:
            self._waiting.pop(number, None)

    def tell(self, question: Question) -> None:
        """Something that wants no answer."""
        self._say(question)

    def answered(self, answer: Answer) -> None:
        """An answer has come."""
        waiting = self._waiting.get(answer.number)
        if waiting is not None:
            waiting.set(answer)

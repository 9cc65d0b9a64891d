"""Does anything else answer, when this does not?

A host that cannot be reached, or falls silent, may be down, or the network of this machine may be.
What answered before is asked again: a name is resolved, an address connected to, no more. So a
single dead host is told from a dead resolver or link, and blamed only for itself.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address
from time import monotonic
from typing import Any, Final, Generic, TypeVar

import gevent
from gevent import socket

from crawler.fetch.dns import Names
from crawler.fetch.failures import Doubtful, Failure
from crawler.fetch.gate import is_global
from crawler.model import NOTHING_ELSE, NOTHING_YET, Doubt
from crawler.policy import urls

KEPT: Final = 8
ASKED: Final = 3
ANSWER_S: Final = 3.0
"""What a witness may take to answer, at most."""
HOLDS_S: Final = 0.1
"""For how long it is taken to be alive after it has answered, at least."""

Place = TypeVar("Place", bound=tuple[Any, ...])


class Witnesses(Generic[Place]):
    """What answered lately: places, of which those with the same first part are one.

    reach: asks a place again; raises, or says False, where it is silent.
    """

    def __init__(self, reach: Callable[[Place], object]) -> None:
        self._reach = reach
        self._places: OrderedDict[Place, None] = OrderedDict()
        self._asking: gevent.Greenlet[..., bool] | None = None
        self._alive_at = self._dead_at = float("-inf")

    def __repr__(self) -> str:
        return f"<Witnesses {len(self._places)}>"

    def answered(self, place: Place) -> None:
        """This place answers."""
        if self._places and next(reversed(self._places)) == place:
            return
        self._places[place] = None
        self._places.move_to_end(place)
        if len(self._places) > KEPT:
            self._places.popitem(last=False)

    def heard(self) -> None:
        """One of them said something just now, so that none need be asked for a while."""
        self._alive_at = monotonic()

    def doubt(
        self, suspect: Place, began: float, answer_s: float, holds_s: float = HOLDS_S
    ) -> Doubt | None:
        """Why the failure of the suspect, which was tried since `began`, may not be its own; None
        when it is, or when there is nobody to ask.

        holds_s: how long ago the last sign of life may be.
        """
        if not self._places:
            return NOTHING_YET
        others = [place for place in reversed(self._places) if place[0] != suspect[0]][:ASKED]
        if not others:
            return None
        if self._dead_at < began and self._alive_at < monotonic() - holds_s:
            self._ask(others, min(answer_s, ANSWER_S))
        return NOTHING_ELSE if self._dead_at >= began else None

    def _ask(self, places: list[Place], answer_s: float) -> None:
        """Those who come at the same time share one answer."""
        if self._asking is None:
            self._asking = gevent.spawn(self._any_answers, places, answer_s)
        asking = self._asking
        alive = asking.get()
        if self._asking is asking:
            self._asking = None
            if alive:
                self._alive_at = monotonic()
            else:
                self._dead_at = monotonic()

    def _any_answers(self, places: list[Place], answer_s: float) -> bool:
        asked = [gevent.spawn(self._answers, place) for place in places]
        try:
            return any(one.value for one in gevent.iwait(asked, timeout=answer_s))
        finally:
            gevent.killall(asked, block=False)

    def _answers(self, place: Place) -> bool:
        try:
            return self._reach(place) is not False
        except Exception:  # whatever keeps it from answering, it does not answer
            return False


class Reachability:
    """What answered to this process, name by name and address by address.

    Addresses bear witness for their like: IPv4 or IPv6, public or not.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._named: Witnesses[tuple[str, str]] = Witnesses(
            lambda place: names.resolver_answers(place[1])
        )
        self._reached: dict[tuple[int, bool], Witnesses[tuple[str, int]]] = {}

    def __repr__(self) -> str:
        return f"<Reachability {self._named!r}, {self._reached!r}>"

    def resolved(self, host: str) -> None:
        """The name was resolved, and something was at its address."""
        if not urls.is_ip(host):
            self._named.answered((urls.registered_domain(host), host))

    def answered(self, ip: str, port: int) -> Witnesses[tuple[str, int]]:
        """The address answered a request for the first time on its connection; among whom it bears
        witness. To take a connection is not enough: who does no more would be asked often."""
        like = self._like(ip)
        like.answered((ip, port))
        return like

    def doubt_name(self, failure: Doubtful, host: str, began: float, answer_s: float) -> Doubtful:
        """The failure to resolve a name, with what others say of the resolver."""
        place = (urls.registered_domain(host), host)
        doubt = self._named.doubt(place, began, answer_s)
        if doubt:
            self._names.forget(host)  # it is asked for anew, and not only when its trouble is old
        return _told(failure, doubt)

    def doubt_address(
        self, failure: Doubtful, ip: str, port: int, began: float, answer_s: float
    ) -> Doubtful:
        """The failure to connect, with what others say of the network."""
        return _told(failure, self._like(ip).doubt((ip, port), began, answer_s))

    def doubt_silence(
        self, failure: Doubtful, ip: str, port: int, began: float, silent_s: float
    ) -> Failure:
        """The failure of a host that took a connection and fell silent, with what others say.

        While any of its like speaks, nobody is asked: slow hosts are many, dead networks few.
        """
        doubt = self._like(ip).doubt((ip, port), began, silent_s, holds_s=silent_s / 2)
        return _told(failure, doubt) if doubt == NOTHING_ELSE else failure

    def _like(self, ip: str) -> Witnesses[tuple[str, int]]:
        address = ip_address(ip.partition("%")[0])
        kind = (address.version, is_global(address))
        return self._reached.setdefault(kind, Witnesses(_knock))


def _told(failure: Doubtful, doubt: Doubt | None) -> Doubtful:
    return Doubtful(failure.word, failure.detail, doubt=doubt, try_again=failure.try_again)


def _knock(place: tuple[str, int]) -> bool:
    with socket.create_connection(place, ANSWER_S):
        return True

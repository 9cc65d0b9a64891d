"""At which addresses does a host answer?

Answers are kept: getaddrinfo tells no TTL, so a good answer counts for five minutes, a name that
does not exist for half a minute, a resolver's own trouble for five seconds. Greenlets that ask for
the same name at the same time share one question.
"""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from time import monotonic
from typing import Any, Final, Literal

import gevent
import msgspec
from gevent import get_hub, socket
from gevent.event import AsyncResult
from gevent.threadpool import ThreadPool

from crawler.fetch.deadlines import landed
from crawler.fetch.failures import Doubtful, Failure
from crawler.fetch.race import interleaved
from crawler.fetch.shortage import Shortage, starved

GOOD_S: Final = 300.0
ABSENT_S: Final = 30.0
TROUBLE_S: Final = 5.0
KEPT_NAMES: Final = 20_000
KEPT_ADDRESSES: Final = 256
"""Of one name. An answer over TCP has room for thousands, and each may be knocked at."""
THREADS: Final = 256
"""Lookups at once. A dead name holds its thread for as long as the system's resolver tries, so the
ten threads of gevent's own pool would let ten dead names stop all others."""

SILENCE_S: Final = 1.0
"""EAI_AGAIN after this much waiting means a silent resolver, before it a refusal (SERVFAIL)."""

Ask = Callable[[str], Sequence[str]]
"""Resolves a name to numeric addresses or raises gaierror; cooperative."""

_LABEL: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?|[A-Za-z0-9_-]{1,63}")
_ARES_TIMEOUT: Final = 12
_ARES_TROUBLE: Final = frozenset({2, 3, 5, 6, 11})  # FORMERR, SERVFAIL, NOTIMP, REFUSED, ...


def is_name(host: str) -> bool:
    """Whether DNS can be asked for this name (RFC 1035, section 2.3.4; underscores are found)."""
    bare = host.removesuffix(".")
    return 0 < len(bare) <= 253 and all(_LABEL.fullmatch(label) for label in bare.split("."))


class Resolved(msgspec.Struct, frozen=True):
    """What is known of a name.

    addresses: numeric, as ordered by the resolver, the families taking turns, and first the one
    that has taken a connection; empty when error is set.
    error: ``dns_fail`` or ``dns_timeout``, or None. detail: one line for people.
    until: when it is forgotten, on the monotonic clock.
    trouble: the resolver could not say, which is not to say that there is no such name.
    """

    addresses: tuple[str, ...]
    error: str | None
    detail: str
    until: float
    trouble: bool = False


class DnsStats(msgspec.Struct, frozen=True):
    """names: kept; asked: questions to the resolver; waiting: questions without answer yet."""

    names: int
    asked: int
    waiting: int


class Names:
    """Keeps what was answered; one for each process.

    ask: how a name is resolved.
    """

    def __init__(self, ask: Ask, *, kept: int = KEPT_NAMES) -> None:
        self._ask = ask
        self._max = kept
        self._known: OrderedDict[str, Resolved] = OrderedDict()
        self._flights: dict[str, AsyncResult[Resolved]] = {}
        self._asked = 0

    def __repr__(self) -> str:
        return f"<Names {len(self._known):,} known, {len(self._flights)} asked for>"

    def stats(self) -> DnsStats:
        return DnsStats(len(self._known), self._asked, len(self._flights))

    def addresses(self, host: str, timeout_s: float) -> tuple[str, ...]:
        """Numeric addresses of a host, at least one. Raises Failure (``dns_fail, dns_timeout``) or
        Shortage, which is not kept."""
        literal = _literal(host)
        if literal is not None:
            return (literal,)
        key = host.lower().removesuffix(".")
        answer = self._known.get(key)
        if answer is None or answer.until <= monotonic():
            answer = self._fresh(key, host, timeout_s)
        if answer.error is not None:
            kind = Doubtful if answer.trouble else Failure
            raise kind(answer.error, answer.detail, try_again=answer.trouble)
        return answer.addresses

    def knows(self, host: str) -> bool:
        """Whether nobody need be asked for this name."""
        answer = self._known.get(host.lower().removesuffix("."))
        return answer is not None and answer.until > monotonic()

    def forget(self, host: str) -> None:
        """Ask anew, and wait for no question that is on its way."""
        key = host.lower().removesuffix(".")
        self._known.pop(key, None)
        self._flights.pop(key, None)

    def prefer(self, host: str, ip: str) -> None:
        """This address of a host takes connections: it comes first from now on."""
        key = host.lower().removesuffix(".")
        answer = self._known.get(key)
        if answer is None or answer.addresses[:1] == (ip,) or ip not in answer.addresses:
            return
        others = [other for other in answer.addresses if other != ip]
        first = tuple(interleaved([ip, *others]))
        self._known[key] = msgspec.structs.replace(answer, addresses=first)

    def resolver_answers(self, host: str) -> bool:
        """Whether the resolver says anything of a name, and be it that there is none."""
        try:
            self._ask(host)
        except OSError as failure:
            return not _no_answer(failure, 0.0).trouble
        return True

    def _fresh(self, key: str, host: str, timeout_s: float) -> Resolved:
        if not is_name(host):
            raise Failure("dns_fail", f"{host!r} is not a host name")
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = AsyncResult()
            gevent.spawn(self._fly, key, host, flight)
        answered = flight.get() if landed(flight, timeout_s) else None
        if answered is None:
            raise Doubtful("dns_timeout", f"no answer for {host} within {timeout_s:g} s")
        return answered

    def _fly(self, key: str, host: str, flight: AsyncResult[Resolved]) -> None:
        self._asked += 1
        try:
            answer = self._question(host)
        except Exception as caught:
            flight.set_exception(caught)
            return
        finally:
            is_awaited = self._flights.get(key) is flight
            if is_awaited:
                del self._flights[key]
        if is_awaited:
            self._known[key] = answer
            self._known.move_to_end(key)
            if len(self._known) > self._max:
                self._known.popitem(last=False)
        flight.set(answer)

    def _question(self, host: str) -> Resolved:
        began = monotonic()
        try:
            found = interleaved(dict.fromkeys(self._ask(host)))[:KEPT_ADDRESSES]
        except (OSError, UnicodeError) as failure:
            if starved():
                raise Shortage("no file descriptor free") from failure
            return _no_answer(failure, monotonic() - began)
        if not found:
            return Resolved((), "dns_fail", "the name has no address", monotonic() + ABSENT_S)
        return Resolved(tuple(found), None, "", monotonic() + GOOD_S)


def _literal(host: str) -> str | None:
    if not (host[-1:].isdigit() or host.startswith("[")):
        return None
    try:
        return str(ip_address(host.removeprefix("[").removesuffix("]")))
    except ValueError:
        return None


def _no_answer(failure: Exception, waited_s: float) -> Resolved:
    code = failure.errno if isinstance(failure, OSError) else None
    again = code == socket.EAI_AGAIN
    silent = code == _ARES_TIMEOUT or (again and waited_s >= SILENCE_S)
    trouble = silent or again or code in _ARES_TROUBLE
    return Resolved(
        addresses=(),
        error="dns_timeout" if silent else "dns_fail",
        detail=str(failure.args[-1]) if failure.args else type(failure).__name__,
        until=monotonic() + (TROUBLE_S if trouble else ABSENT_S),
        trouble=trouble,
    )


def _addresses_of(found: Sequence[tuple[Any, ...]]) -> list[str]:
    return [str(entry[4][0]) for entry in found]


def by_threads() -> Ask:
    """The system's resolver, in threads of our own."""
    pool = ThreadPool(THREADS, idle_task_timeout=30)
    hub = get_hub()
    import _socket  # the unpatched getaddrinfo: it blocks a thread of the pool, not the hub

    quiet = (socket.gaierror, UnicodeError)
    hub.NOT_ERROR = (*hub.NOT_ERROR, *(kind for kind in quiet if kind not in hub.NOT_ERROR))

    def ask(host: str) -> list[str]:
        return _addresses_of(pool.apply(_socket.getaddrinfo, (host, None, 0, socket.SOCK_STREAM)))

    return ask


def by_ares(servers: Sequence[str] = (), udp_port: int | None = None) -> Ask:
    """c-ares inside the loop. servers: numeric addresses, none for the system's."""
    from gevent.resolver.ares import Resolver

    options: dict[str, Any] = {"udp_port": udp_port, "tcp_port": udp_port} if udp_port else {}
    if servers:
        options["servers"] = list(servers)
    return _by(Resolver(get_hub(), **options))


def _by(resolver: Any) -> Ask:
    def ask(host: str) -> list[str]:
        return _addresses_of(resolver.getaddrinfo(host, None, socket.AF_UNSPEC, socket.SOCK_STREAM))

    return ask


def asker(kind: Literal["thread", "ares"]) -> Ask:
    """The resolver of the configuration, or gevent's own where ``GEVENT_RESOLVER`` names one."""
    if os.environ.get("GEVENT_RESOLVER"):
        return _by(get_hub().resolver)
    return by_ares() if kind == "ares" else by_threads()

"""Which proxy does a request go through, and what is said to it?

An http proxy is asked for http by the whole address (RFC 9112, section 3.2.2) and by CONNECT for a
way to all else (RFC 9110, section 9.3.6), a SOCKS5 proxy by RFC 1928 and 1929. Names are resolved
by the proxy. What is said to a proxy is never said to a site.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

from crawler.config.proxy import DIRECT, ENVIRONMENT, Proxy, proxy_of
from crawler.fetch.failures import Failure
from crawler.fetch.route import Route

REST_S: Final = 60.0
"""How long a proxy rests that failed, where there are others."""
MAX_SAID: Final = 16 * 1024
"""Bytes that a proxy may say before it is through."""
Receive = Callable[[int], bytes]
Send = Callable[[bytes], object]
Read = Callable[[int], bytes]


class Turns:
    """Proxies that take turns; one that failed rests."""

    def __init__(self, proxies: Sequence[Proxy], now: Callable[[], float] = monotonic) -> None:
        self._proxies = list(proxies)
        self._now = now
        self._rests: dict[int, float] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._proxies)

    def __repr__(self) -> str:
        return f"<Turns of {len(self)} proxies>"

    def take(self) -> Proxy:
        """The next one that does not rest; where all do, the one that has rested longest."""
        count, now = len(self), self._now()
        places = [(self._next + step) % count for step in range(count)]
        awake = (place for place in places if self._rests.get(place, 0.0) <= now)
        place = next(awake, min(places, key=lambda each: self._rests.get(each, 0.0)))
        self._next = place + 1
        return self._proxies[place]

    def rest(self, proxy: Proxy) -> None:
        """It failed."""
        self._rests[self._proxies.index(proxy)] = self._now() + REST_S


class Choice:
    """Which proxies an address is asked through, as settings say."""

    def __init__(self, written: Sequence[str] = ()) -> None:
        self._environment = written == [ENVIRONMENT]
        given = [] if self._environment or written == [DIRECT] else written
        self._turns = Turns([proxy_of(text) for text in given])
        self._known: dict[str, Turns] = {}

    def __repr__(self) -> str:
        return f"<Choice {self._turns!r}>"

    def turns(self, route: Route) -> Turns:
        """The proxies for a way; none where it is direct. Raises Failure (``proxy_failed``) where
        the environment names what is none."""
        return self._of_environment(route) if self._environment else self._turns

    def _of_environment(self, route: Route) -> Turns:
        """By the names that all programs know: http_proxy, https_proxy, all_proxy, no_proxy."""
        from urllib import request as stock  # for those who ask for it

        place = f"{route.host}:{route.port}"
        known = stock.getproxies_environment()
        found = known.get(route.scheme) or known.get("all") or ""
        if stock.proxy_bypass_environment(place, known):  # type: ignore[attr-defined]
            found = ""
        if found not in self._known:
            try:
                self._known[found] = Turns([proxy_of(found)] if found else [])
            except ValueError as error:
                why = f"what the environment names for {route.scheme}: {error}"
                raise Failure("proxy_failed", why) from None
        return self._known[found]


def authorization(proxy: Proxy) -> bytes:
    """The header line that lets in at an http proxy; empty where it asks for none."""
    if not proxy.user:
        return b""
    pair = base64.b64encode(f"{proxy.user}:{proxy.password}".encode())
    return b"Proxy-Authorization: Basic " + pair + b"\r\n"


def open_way(proxy: Proxy, route: Route, send: Send, receive: Receive) -> None:
    """Have a proxy connect to where a way leads; afterwards what is sent goes there.

    Raises Failure: ``proxy_failed``, or what it says of the host.
    """
    if proxy.kind == "socks5":
        _open_socks(proxy, route, send, receive)
    else:
        _open_tunnel(proxy, route, send, receive)


def _open_tunnel(proxy: Proxy, route: Route, send: Send, receive: Receive) -> None:
    import h11  # for those who have a proxy

    place = f"{route.host}:{route.port}"
    line = f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n".encode("ascii")
    talk = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_SAID)
    talk.send(h11.Request(method="CONNECT", target=place, headers=[("Host", place)]))
    talk.send(h11.EndOfMessage())
    send(line + authorization(proxy) + b"\r\n")
    while True:
        try:
            event = talk.next_event()
        except h11.RemoteProtocolError as error:
            why = str(error).partition(":")[0]  # behind it stands what was said, perhaps to us
            raise refused(proxy, f"no answer of an http proxy ({why})") from None
        if event is h11.NEED_DATA:
            talk.receive_data(_more(proxy, receive))
        elif isinstance(event, h11.Response):
            break
    status = event.status_code
    if not 200 <= status <= 299:
        raise refused(proxy, _of_status(status))
    if talk.trailing_data[0]:
        raise refused(proxy, "said more than that the way is open")


def of_answer(proxy: Proxy, status: int) -> Failure | None:
    """The failure that an answer by a proxy's own is, not by the site's: it wants a password."""
    return refused(proxy, _of_status(status)) if status == 407 else None


def _of_status(status: int) -> str:
    return "asks for another user or password (407)" if status == 407 else f"answered {status}"


def _open_socks(proxy: Proxy, route: Route, send: Send, receive: Receive) -> None:
    from socksio import ProtocolError, SOCKSError, socks5  # for those who have a proxy

    methods = [socks5.SOCKS5AuthMethod.NO_AUTH_REQUIRED]
    if proxy.user:
        methods = [socks5.SOCKS5AuthMethod.USERNAME_PASSWORD]
    talk = socks5.SOCKS5Connection()

    def ask(request: object, read: Callable[[Read], bytes]) -> object:
        talk.send(request)
        send(talk.data_to_send())
        return talk.receive_data(read(lambda size: _exactly(size, proxy, receive)))

    try:
        chosen = ask(socks5.SOCKS5AuthMethodsRequest(methods), _two)
        if chosen.method not in methods:  # type: ignore[attr-defined]
            raise refused(proxy, "asks for a user and password" if not proxy.user else "takes none")
        if proxy.user:
            user, password = proxy.user.encode(), proxy.password.encode()
            answer = ask(socks5.SOCKS5UsernamePasswordRequest(user, password), _two)
            if not answer.success:  # type: ignore[attr-defined]
                raise refused(proxy, "asks for another user or password")
        command = socks5.SOCKS5Command.CONNECT
        host = route.host.removeprefix("[").removesuffix("]")
        asked = socks5.SOCKS5CommandRequest.from_address(command, (host, route.port))
        reply = ask(asked, _whole_reply)
    except (ProtocolError, SOCKSError, ValueError) as error:
        raise refused(proxy, f"no answer of a SOCKS5 proxy ({type(error).__name__})") from None
    code = reply.reply_code  # type: ignore[attr-defined]
    if code != socks5.SOCKS5ReplyCode.SUCCEEDED:
        raise _of_code(proxy, code.value[0])


def _two(read: Read) -> bytes:
    """The answer to methods (RFC 1928, section 3), or to a password (RFC 1929, section 2)."""
    return read(2)


def _whole_reply(read: Read) -> bytes:
    """The answer to a command (RFC 1928, section 6), whose length its fourth octet tells. Of a
    refusal no address is waited for, which some leave out."""
    head = read(4)
    kind = head[3]
    if head[1]:
        return head[:3] + _NO_ADDRESS
    if kind not in _LENGTHS:
        return head
    length = _LENGTHS[kind]
    if not length:
        head += read(1)
        length = head[-1]
    return head + read(length + 2)


_NO_ADDRESS: Final = b"\1" + bytes(6)
_LENGTHS: Final = {1: 4, 3: 0, 4: 16}
"""Octets of an address by its type; 0 where the first one tells."""
_WORDS: Final = {
    3: ("connect_refused", "the network cannot be reached"),
    4: ("connect_refused", "the host cannot be reached, or has no address"),
    5: ("connect_refused", "the host takes no connections"),
    6: ("connect_timeout", "the host did not answer in time"),
}
"""RFC 1928, section 6: what is the host's doing."""


def _of_code(proxy: Proxy, code: int) -> Failure:
    if code in _WORDS:
        word, why = _WORDS[code]
        return Failure(word, f"{proxy} says: {why}")
    return refused(proxy, f"refused the way (SOCKS reply {code})")


def _more(proxy: Proxy, receive: Receive) -> bytes:
    data = receive(MAX_SAID)
    if not data:
        raise refused(proxy, "closed the connection")
    return data


def _exactly(size: int, proxy: Proxy, receive: Receive) -> bytes:
    """So many bytes, in however many pieces they come."""
    data = b""
    while len(data) < size:
        more = receive(size - len(data))
        if not more:
            raise refused(proxy, "closed the connection")
        data += more
    return data


def refused(proxy: Proxy, why: str) -> Failure:
    """A proxy that does not let through."""
    return Failure("proxy_failed", f"{proxy}: {why}")

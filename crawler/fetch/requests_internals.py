"""How is a request, or a response, of requests made without what requests does for each?

The library parses and quotes each URL again, copies hooks, looks for cookies and puts headers into
dictionaries, which costs more than all else of a small fetch. So the attributes that it would set,
public and private, are set here, and nowhere else; a test holds them against those of requests.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from requests import PreparedRequest, Response
from requests.cookies import RequestsCookieJar
from requests.hooks import default_hooks
from requests.structures import CaseInsensitiveDict

from crawler.fetch.connect import Facts
from crawler.fetch.lenient_head import Head
from crawler.fetch.route import split

_NO_HOOKS: Final = default_hooks()


class SlimRequest(PreparedRequest):
    """A prepared request with what requests has no word for.

    route, authority, path: where the URL leads, what Host says, and what is requested; a URL that
    leads nowhere raises Failure.
    private_ok: the host was named by the person as their own.
    anew: an earlier try has failed, so what is known of the host's name is not relied upon.
    among: the addresses that may be connected to, None for any.
    headers: shared by requests; read, never changed.
    block: the header lines as bytes, each with its CRLF, without Host; spares formatting them.
    body: what is sent behind them; such a request goes out on a connection of its own, and once.
    facts: what the transport notes on its way.
    """

    hooks = _NO_HOOKS
    body: bytes | None = None
    _cookies = _body_position = None

    def __init__(
        self,
        method: str,
        url: str,
        headers: CaseInsensitiveDict[str | bytes],
        block: bytes,
        *,
        private_ok: bool = False,
        anew: bool = False,
        among: tuple[str, ...] | None = None,
        body: bytes | None = None,
    ) -> None:
        self.method = method
        self.url = url
        self.headers = headers
        self.route, self.authority, self.path = split(url)
        self.block = block
        self.facts = Facts()
        self.private_ok = private_ok
        self.anew = anew
        self.among = among
        if body is not None:
            self.body = body


class Raw(Protocol):
    """A body still to come."""

    def close(self) -> None:
        """Lets the connection go."""


class SlimResponse(Response):
    """A Response that builds its headers and cookies when somebody asks for them.

    exact_headers: names and values as bytes, in the order of arrival. facts: how it came.
    """

    _content: Any = False  # as in requests: not read yet
    _content_consumed = False
    _next = None
    encoding = None
    reason = ""

    def __init__(self, request: PreparedRequest, head: Head, raw: Raw, facts: Facts) -> None:
        self.status_code = head.status
        self.version = head.version
        self.exact_headers = head.headers
        self.facts = facts
        self.raw = raw
        self.url = request.url or ""
        self.request = request
        self.history = []

    def __getattr__(self, name: str) -> Any:
        if name == "headers":
            pairs = {n.decode("latin-1"): v.decode("latin-1") for n, v in self.exact_headers}
            self.headers = CaseInsensitiveDict(pairs)
            return self.headers
        if name == "cookies":
            self.cookies = RequestsCookieJar()
            return self.cookies
        raise AttributeError(name)

    def close(self) -> None:
        """Lets the connection go."""
        self.raw.close()

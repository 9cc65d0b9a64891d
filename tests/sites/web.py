"""Which pages does this story need?

    web.page("/", links=["/a", "/gone"])
    web.redirect("/a", "/b")
    web.raw("/b", status=503, headers={"Retry-After": "1"})
    crawl(web.url("/"))
    assert web.paths == ["/robots.txt", "/", "/a", ...]

Every host of the web has an address of its own in 127.0.0.0/8, all on one port; each is told its
pages in the same way: ``other = web.host("127.0.7.1")``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from gevent.event import Event
from gevent.ssl import SSLContext

from tests.sites.server import NOT_FOUND, Answer, Hit, Request, Server, html

Href = str | tuple[str, str]
"""Where a link points, or that and its anchor text."""


class Held:
    """An answer that waits until the test lets it go. asked: somebody has asked for it."""

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        self.asked = Event()
        self._answer = answer
        self._free = Event()

    def __call__(self, request: Request) -> Answer:
        """What is said once it is let go."""
        self.asked.set()
        self._free.wait()
        return self._answer(request)

    def let_go(self) -> None:
        """Answer."""
        self._free.set()


class Host:
    """One address of a web and what it answers; a path that was not told is a 404."""

    def __init__(self, address: str, port: int, log: list[Hit], scheme: str = "http") -> None:
        self.address = address
        self.scheme = scheme
        self.port = port
        self._whole_log = log
        self._answers: dict[str, Callable[[Request], Answer]] = {}

    def url(self, path: str = "/") -> str:
        """The absolute URL of a path."""
        return f"{self.scheme}://{self.address}:{self.port}{path}"

    @property
    def log(self) -> list[Hit]:
        """The requests this host answered, in the order of their end."""
        return [hit for hit in self._whole_log if hit.address == self.address]

    @property
    def paths(self) -> list[str]:
        """The paths this host was asked for, in the order of their answers."""
        return [hit.path for hit in self.log]

    def page(
        self,
        path: str,
        *,
        links: Sequence[Href] = (),
        title: str | None = None,
        body: str = "",
        head: str = "",
        wait_s: float = 0.0,
    ) -> None:
        """An HTML page with these links, then `body`; `head` goes into its head as it is."""
        name = escape(path if title is None else title)
        content = f"<h1>{name}</h1>\n" + "\n".join(map(_anchor, links)) + body
        whole = html(name, content).replace(b"</head>", head.encode() + b"</head>", 1)
        self.answer(path, Answer(body=whole, wait_s=wait_s))

    def held(self, path: str, **page: Any) -> Held:
        """A page as by `page`, which nobody gets before the test lets it go."""
        self.page(path, **page)
        waiting = Held(self._answers[path])
        self.decide(path, waiting)
        return waiting

    def redirect(self, path: str, target: str, *, status: int = 302) -> None:
        """A redirect to `target`, which is sent as it is."""
        self.answer(path, Answer(status=status, headers={"Location": target}))

    def robots(self, text: str) -> None:
        """The rules of this host; without them /robots.txt is a 404, which allows everything."""
        self.raw("/robots.txt", headers={"Content-Type": "text/plain"}, body=text)

    def raw(
        self,
        path: str,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        body: str | bytes = b"",
        wait_s: float = 0.0,
    ) -> None:
        """Exactly this answer, with the Content-Length that it has unless `headers` name one."""
        content = body.encode() if isinstance(body, str) else body
        self.answer(path, Answer(status, headers or {}, content, wait_s))

    def answer(self, path: str, *answers: Answer) -> None:
        """These answers in turn, one a request; the last one again and again."""
        waiting = list(answers)

        def next_one(_request: Request) -> Answer:
            return waiting.pop(0) if len(waiting) > 1 else waiting[0]

        self.decide(path, next_one)

    def decide(self, path: str, answer: Callable[[Request], Answer]) -> None:
        """Whatever the function says of the request."""
        self._answers[path] = answer

    def reply(self, request: Request) -> Answer:
        """What this host says to a request."""
        answer = self._answers.get(request.target)
        return NOT_FOUND if answer is None else answer(request)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url()}, {len(self._answers)} paths told>"


class Web(Host):
    """Its own first host, at 127.0.0.1, and any others of 127.0.0.0/8; over TLS with a context."""

    def __init__(self, context: SSLContext | None = None) -> None:
        self.whole_log: list[Hit] = []
        self._server = Server(self._reply, record=self.whole_log.append, context=context)
        port, scheme = self._server.listen("127.0.0.1"), "https" if context else "http"
        super().__init__("127.0.0.1", port, self.whole_log, scheme)
        self._hosts: dict[str, Host] = {self.address: self}

    def host(self, address: str) -> Host:
        """The host at an address, on the same port as all."""
        if address not in self._hosts:
            self._server.listen(address)
            self._hosts[address] = Host(address, self.port, self.whole_log, self.scheme)
        return self._hosts[address]

    def shut(self, host: Host) -> None:
        """Refuse connections to a host."""
        self._server.leave(host.address)

    def open(self, host: Host) -> None:
        """Take connections to a host again."""
        self._server.listen(host.address)

    @property
    def conversations(self) -> int:
        """Connections that are open."""
        return self._server.conversations

    def close(self) -> None:
        """Stop answering."""
        self._server.stop()

    def _reply(self, request: Request) -> Answer:
        return self._hosts[request.address].reply(request)


def _anchor(link: Href) -> str:
    href, text = (link, link) if isinstance(link, str) else link
    return f'<p><a href="{escape(href)}">{escape(text)}</a></p>'

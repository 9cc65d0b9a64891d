"""How does a site behave of which members alone see the pages?

A form with a token that is another each time, a session in a cookie, and a page that everybody sees
who is not logged in. What was sent is remembered, so that a test can look at it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email import message_from_bytes
from html import escape
from itertools import count
from urllib.parse import parse_qsl

from tests.sites.server import Answer, Request, html
from tests.sites.web import Host

USER, PASSWORD = "ann", "pass w\u00f6rd:&1"
SIGN_OUT = '<a href="/logout">Sign out</a>'


class Members:
    """A site behind a form.

    host: on which it is. pages: paths, each with what it links to. uses: pages that a session is
    good for, None for any number. cookie: attributes of the session's. sent: the forms that came.
    sessions: those that hold.
    """

    def __init__(
        self, host: Host, pages: Mapping[str, Sequence[str]], *, uses: int | None = None,
        cookie: str = "Path=/; HttpOnly", enctype: str = "",
    ) -> None:  # fmt: skip
        self.sent: list[dict[str, str]] = []
        self.sessions: dict[str, int] = {}
        self._host = host
        self._uses = uses
        self._cookie = cookie
        self._enctype = enctype
        self._numbers = count(1)
        self._tokens: set[str] = set()
        host.decide("/login", self.login)
        host.decide("/logout", self._logout)
        for path, links in pages.items():
            host.decide(path, self._page(links))

    def login(self, request: Request, *, action: str = "") -> Answer:
        """The page with the form, and what comes of it; action: where it leads."""
        if request.method != "POST":
            return self._form("Sign in", action)
        fields = fields_of(request)
        self.sent.append(fields)
        right = (fields.get("user"), fields.get("password")) == (USER, PASSWORD)
        if fields.get("token") not in self._tokens or "remember" not in fields:
            return Answer(403, body=html("No", "the form is too old"))
        self._tokens.discard(fields["token"])
        if not right:
            return self._form("Wrong name or password", action)
        session = f"s{next(self._numbers)}"
        self.sessions[session] = 0
        headers = {"Location": "/welcome", "Set-Cookie": f"session={session}; {self._cookie}"}
        return Answer(303, headers)

    def _form(self, told: str, action: str) -> Answer:
        token = f"t{next(self._numbers)}"
        self._tokens.add(token)
        how = f' enctype="{self._enctype}"' if self._enctype else ""
        how += f' action="{action}"' if action else ""
        form = f"""
            <form action="/search"><input name="q"><button>Search</button></form>
            <h1>{escape(told)}</h1><form method="post"{how}>
            <input type="hidden" name="token" value="{token}">
            <input name="user"><input type="password" name="password">
            <input type="checkbox" name="remember" checked><input type="checkbox" name="news">
            <button name="go" value="in">Sign in</button></form>
        """
        return Answer(body=html("Sign in", form))

    def knows(self, request: Request) -> bool:
        """Is somebody logged in, for this page at least?"""
        return self._session(request) is not None

    def _session(self, request: Request) -> str | None:
        cookies = dict(parse_qsl(request.headers.get("cookie", "").replace("; ", "&")))
        session = cookies.get("session", "")
        if session not in self.sessions:
            return None
        self.sessions[session] += 1
        if self._uses is not None and self.sessions[session] > self._uses:
            del self.sessions[session]
            return None
        return session

    def _page(self, links: Sequence[str]) -> object:
        anchors = "".join(f'<a href="{link}">{link}</a>' for link in links)

        def answer(request: Request) -> Answer:
            if not self.knows(request):
                return self.turned_away(request)
            return Answer(body=html(request.target, f"{SIGN_OUT} {anchors} for members"))

        return answer

    def turned_away(self, _request: Request) -> Answer:
        """What a page says to who is not logged in."""
        return Answer(body=html("Members only", '<a href="/login">Sign in</a> to see this'))

    def _logout(self, _request: Request) -> Answer:
        self.sessions.clear()
        return Answer(body=html("Bye", "Sign in"))


def fields_of(request: Request) -> dict[str, str]:
    """The fields of a form, in whichever way it was sent."""
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/"):
        return dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    whole = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + request.body)
    parts = whole.get_payload()
    assert isinstance(parts, list)
    return {
        str(part.get_param("name", header="content-disposition")): part.get_payload(
            decode=True
        ).decode()
        for part in parts
    }

"""Does the requests that is installed still keep what we set by hand?

These fail first when a new version of requests changes its objects.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from requests import PreparedRequest, Response, Session
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from crawler.fetch.requests_internals import SlimRequest, SlimResponse
from tests.fetch.stage import fetcher, ok, serving, stage
from tests.patience import PATIENT_S

MADE_WHEN_ASKED_FOR = {"headers", "cookies"}
SET_BY_SESSIONS = {"elapsed", "connection"}


def slim_request() -> SlimRequest:
    return SlimRequest("GET", "http://h.test/a", CaseInsensitiveDict(), b"")


def slim_response(request: PreparedRequest) -> SlimResponse:
    from crawler.fetch.lenient_head import Head

    class Nothing:
        def close(self) -> None:
            pass

    head = Head(200, "1.1", [(b"Content-Type", b"text/plain"), (b"Set-Cookie", b"a=b")])
    return SlimResponse(request, head, Nothing(), slim_request().facts)


def attributes(of: object) -> set[str]:
    """What is set on it, or on its class for all of its kind."""
    shared = {name for name, value in vars(type(of)).items() if not callable(value)}
    return set(vars(of)) | {name for name in shared if not name.startswith("__")}


def test_a_request_has_every_attribute_that_requests_sets() -> None:
    theirs, ours = vars(PreparedRequest()), attributes(slim_request())
    assert set(theirs) <= ours, "requests sets more"
    known = set(theirs) | {"route", "authority", "path", "block", "facts", "private_ok", "anew"}
    known |= {"among"}
    assert ours <= known, "requests no longer sets what we set"


def test_a_request_without_a_body_has_the_values_that_requests_gives_it() -> None:
    theirs = PreparedRequest()
    theirs.prepare("GET", "http://h.test/a", headers={})
    ours = slim_request()
    assert {name: getattr(ours, name) for name in vars(theirs) if name != "_cookies"} == {
        name: value for name, value in vars(theirs).items() if name != "_cookies"
    }


def test_a_response_has_every_attribute_that_requests_sets() -> None:
    theirs, ours = vars(Response()), attributes(slim_response(slim_request()))
    assert set(theirs) - MADE_WHEN_ASKED_FOR - SET_BY_SESSIONS <= ours, "requests sets more"
    known = set(theirs) | {"version", "exact_headers", "facts"}
    assert ours <= known, "requests no longer sets what we set"


@pytest.mark.parametrize("name", ["_content", "_content_consumed", "_next", "history", "encoding"])
def test_an_unread_response_begins_as_one_of_requests(name: str) -> None:
    assert getattr(slim_response(slim_request()), name) == getattr(Response(), name)


def test_headers_and_cookies_are_there_when_somebody_asks() -> None:
    answer = slim_response(slim_request())
    assert answer.headers["content-type"] == "text/plain"
    assert len(answer.cookies) == 0
    with pytest.raises(AttributeError):
        _ = answer.nothing_of_that_name


def test_a_session_of_requests_works_over_this_transport() -> None:
    """What the public face needs of the private attributes: content, text, iteration, redirects."""
    with stage(serving(ok(b"hello", b"Content-Type: text/plain; charset=utf-8"))) as server:
        one = fetcher(allow_private=("127.0.0.1",))
        adapter: BaseAdapter = one.session.get_adapter("http://h.test/")
        session = Session()
        session.mount("http://", adapter)
        answer = session.get(server.url(), timeout=PATIENT_S)
        streamed = session.get(server.url(), stream=True, timeout=PATIENT_S)
        pieces = list(streamed.iter_content(2))
        one.close()
    assert (answer.status_code, answer.ok, answer.text, answer.content) == (
        200,
        True,
        "hello",
        b"hello",
    )
    assert answer.elapsed > timedelta(0)
    assert b"".join(pieces) == b"hello"
    assert answer.request.url == server.url()


def test_a_session_of_requests_follows_redirects_over_this_transport() -> None:
    moved = b"HTTP/1.1 301 M\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"
    with stage(serving(moved, ok(b"there"))) as server:
        one = fetcher(allow_private=("127.0.0.1",))
        session = Session()
        session.mount("http://", one.session.get_adapter("http://h.test/"))
        answer = session.get(server.url("/a"), timeout=PATIENT_S)
        one.close()
    assert (answer.url, answer.content, len(answer.history)) == (server.url("/b"), b"there", 1)

"""Whatever a server writes into Location: what may come of it?"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fetch.stage import Recorded, Stage, fetch, stage

LOCATIONS = st.binary(max_size=60).map(
    lambda text: text.translate(None, delete=b"\r\n\0")
) | st.sampled_from(
    [b"/b", b"//h.test/", b"http://[", b"https://u:p@h.test/#f", b"javascript:1", b"data:,", b"?q"]
)
SAID: dict[str, bytes] = {"location": b"", "status": b"301"}


@pytest.fixture(scope="module")
def server() -> Iterator[Stage]:
    def play(connection: Recorded) -> None:
        while connection.request():
            connection.say(
                b"HTTP/1.1 %s M\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n"
                % (SAID["status"], SAID["location"])
            )

    with stage(play) as running:
        yield running


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(LOCATIONS, st.sampled_from([b"301", b"302", b"303", b"307", b"308"]))
def test_a_location_is_an_address_that_can_be_asked_for_or_says_why_not(
    server: Stage, location: bytes, status: bytes
) -> None:
    SAID.update(location=location, status=status)
    reply = fetch(server.url())
    assert reply.error in (None, "bad_redirect", "proto_error")
    if reply.error is not None:
        assert reply.redirect is None
        return
    assert reply.status == int(status)
    if reply.redirect is None:
        assert not location.strip()  # case 74: an empty Location is no redirect
        return
    parts = urlsplit(reply.redirect.url)
    assert parts.scheme in ("http", "https")
    assert (parts.username, parts.password, parts.fragment) == (None, None, "")
    assert reply.redirect.url.isascii()
    assert reply.redirect.refusal in (None, "url_too_long", "blocked_port")

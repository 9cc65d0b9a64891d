"""Which addresses are refused, and does truly no packet reach them?"""

from __future__ import annotations

import pytest

from crawler.fetch.gate import Gate
from crawler.model import Job
from tests.fetch.stage import fetcher, ok, serving, stage

PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]
REFUSED = [
    # HOSTILE.md section 2 (SSRF) and the IANA special-purpose registries
    "127.0.0.1", "127.8.9.10", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "0.0.0.0", "0.1.2.3", "100.64.0.1", "169.254.169.254", "192.0.0.8", "192.0.2.1",
    "192.88.99.1", "198.18.0.1", "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.250",
    "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1",
    "fd00:ec2::254", "ff02::1", "100::1", "2001:db8::1", "3fff::1", "5f00::1", "2001::1",
    # IPv4 inside IPv6: mapped, compatible, translated, NAT64, 6to4, ISATAP, Teredo
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:10.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "2002:7f00:1::1",
    "2002:a9fe:a9fe::1", "2606:4700::5efe:10.0.0.1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "not an address", "",
]  # fmt: skip


@pytest.mark.parametrize("ip", PUBLIC)
def test_a_public_address_is_open(ip: str) -> None:
    assert Gate().refusal(ip, "h.test", private_ok=False) is None


@pytest.mark.parametrize("ip", REFUSED)
def test_an_address_that_is_not_public_is_refused(ip: str) -> None:
    assert Gate().refusal(ip, "h.test", private_ok=False) == "blocked_addr"


OWN = ["127.0.0.1", "10.1.2.3", "192.168.1.1", "172.20.0.1", "::1", "fd00::1", "::ffff:127.0.0.1"]


@pytest.mark.parametrize("ip", REFUSED + PUBLIC)
def test_an_own_host_opens_private_and_loopback_only(ip: str) -> None:
    opened = {*OWN, *PUBLIC, "127.8.9.10", "172.16.0.1", "172.31.255.255", "0.0.0.0", "::",
              "fc00::1", "fd00:ec2::254"}  # fmt: skip
    expected = None if ip in opened else "blocked_addr"
    assert Gate().refusal(ip, "h.test", private_ok=True) == expected


@pytest.mark.parametrize(
    ("allow", "ip", "host", "refusal"),
    [
        ("intra.test", "10.0.0.1", "intra.test", None),
        ("Intra.Test.", "10.0.0.1", "intra.test.", None),
        ("intra.test", "100.64.0.1", "intra.test", None),
        ("intra.test", "10.0.0.1", "evil.test", "blocked_addr"),
        ("intra.test", "10.0.0.1", "x.intra.test", "blocked_addr"),
        # link-local and multicast are never opened by a name
        ("intra.test", "169.254.169.254", "intra.test", "blocked_addr"),
        ("intra.test", "::ffff:169.254.169.254", "intra.test", "blocked_addr"),
        ("intra.test", "64:ff9b::a9fe:a9fe", "intra.test", "blocked_addr"),
        ("intra.test", "224.0.0.1", "intra.test", "blocked_addr"),
        ("intra.test", "fe80::1", "intra.test", "blocked_addr"),
        ("10.0.0.0/8", "10.9.9.9", "any.test", None),
        ("10.0.0.0/8", "::ffff:10.9.9.9", "any.test", None),
        ("10.0.0.0/8", "11.0.0.1", "any.test", None),
        ("10.0.0.0/8", "192.168.0.1", "any.test", "blocked_addr"),
        ("169.254.1.2", "169.254.1.2", "any.test", None),
        ("169.254.0.0/16", "169.254.169.254", "any.test", None),
        ("[fe80::1]", "fe80::1", "any.test", None),
        ("fd00::/8", "fd12::1", "any.test", None),
    ],
)
def test_what_is_allowed_is_open_and_no_more(
    allow: str, ip: str, host: str, refusal: str | None
) -> None:
    assert Gate([allow]).refusal(ip, host, private_ok=False) == refusal


@pytest.mark.parametrize(
    "spelling",
    ["2130706433", "127.1", "0", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]", "localhost"],
)
def test_no_spelling_of_loopback_gets_a_packet_out(spelling: str) -> None:
    """Section 0, number 16; these are what getaddrinfo makes of the texts."""
    with stage(serving(ok(b"secret"))) as server:
        one = fetcher()
        reply = one.fetch(Job(1, 1, f"http://{spelling}:{server.port}/"))
        assert (reply.status, reply.error) == (None, "blocked_addr"), reply.error_detail
    assert server.connections == 0


def test_a_name_that_is_pointed_elsewhere_later_is_judged_anew() -> None:
    """Case 8: allowed at first, then at loopback; the second answer is judged like the first."""
    answers = iter([["127.0.0.2"], ["127.0.0.1"]])
    with stage(serving(ok(b"x")), host="127.0.0.1") as server:
        one = fetcher(allow_private=("127.0.0.2",), ask=lambda host: next(answers))
        url = f"http://a.test:{server.port}/"
        assert one.fetch(Job(1, 1, url)).error == "connect_refused"
        one._names._known.clear()  # five minutes later
        assert one.fetch(Job(1, 1, url)).error == "blocked_addr"
    assert server.connections == 0


def test_a_blocked_address_among_others_is_passed_over() -> None:
    with stage(serving(ok(b"x")), host="127.0.0.3") as server:
        one = fetcher(
            allow_private=("127.0.0.3",), ask=lambda host: ["169.254.169.254", "127.0.0.3"]
        )
        reply = one.fetch(Job(1, 1, f"http://a.test:{server.port}/"))
    assert (reply.status, reply.ip) == (200, "127.0.0.3")


def test_a_kept_connection_opens_nothing_for_a_job_that_may_not() -> None:
    with stage(serving(ok(b"x"))) as server:
        one = fetcher()
        assert one.fetch(Job(1, 1, server.url(), private_ok=True)).status == 200
        assert one.fetch(Job(1, 1, server.url())).error == "blocked_addr"
        assert one.fetch(Job(1, 1, server.url(), private_ok=True)).status == 200
    assert server.connections == 1
    assert len(server.requests) == 2

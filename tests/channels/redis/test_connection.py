"""Is an engine spoken with as it should be, and nothing secret told of it?"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trustme

from crawler.channels.redis import acl
from crawler.channels.redis.address import Address, address_of
from crawler.channels.redis.connection import Away, Link, Refused, look_at
from crawler.errors import UsageError
from tests import engines
from tests.engines import KINDS, Engine
from tests.sites.skip import ROOT

SECRET = "tops:ecret/@"
WRITTEN = "tops%3Aecret%2F%40"


@pytest.fixture(params=KINDS)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with engines.serve(request.param) as served:
        yield served


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("redis://a.test", Address("a.test")),
        ("redis://a.test:7000/3", Address("a.test", 7000, db=3)),
        (f"redis://u:{WRITTEN}@[::1]", Address("::1", user="u", password=SECRET)),
        ("redis://:pass@a.test", Address("a.test", password="pass")),
        ("unix:///run/r.sock?db=2", Address("", path="/run/r.sock", db=2)),
        (
            "rediss://a.test?ssl_ca_certs=/ca.pem",
            Address("a.test", tls=True, files={"ssl_ca_certs": "/ca.pem"}),
        ),
    ],
)
def test_an_address_is_read(written: str, address: Address) -> None:
    assert address_of(written, {}) == address
    assert address_of("", {"CRAWLER_REDIS": written}) == address


def test_an_address_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(f"redis://u:{WRITTEN}@a.test\n\n")
    asked = Address("a.test", user="u", password=SECRET)
    assert address_of(str(file), {}) == asked
    assert address_of("", {"CRAWLER_REDIS": str(file)}) == asked


@pytest.mark.parametrize(
    "written",
    [
        f"redis://u:{SECRET}@a.test:port",
        f"http://u:{WRITTEN}@a.test",
        f"redis://u:{WRITTEN}@a.test/x",
        f"redis://u:{WRITTEN}@",
        f"redis://u:{WRITTEN}@a.test?what=1",
        f"redis://u:{WRITTEN}@a.test?what",
        f"redis://u:{WRITTEN}@[a.test",
        "unix://",
        "/nowhere",
        "",
    ],
)
def test_what_is_no_address_is_refused_without_being_repeated(written: str) -> None:
    with pytest.raises(UsageError) as refusal:
        address_of(written, {})
    assert "ecret" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_an_address_shows_no_password() -> None:
    address = Address("a.test", user="u", password="secret")
    assert (str(address), repr(address)) == ("redis at a.test:6379", "<redis at a.test:6379>")


def test_questions_are_answered(engine: Engine) -> None:
    with closing(Link(engine.address())) as link:
        assert look_at(link).limit_bytes == 0
        assert link.ask("SET", "k", b"\xff\x00") == b"OK"
        assert link.ask_all([("GET", "k"), ("INCR", "k"), ("EXISTS", "k")])[::2] == [b"\xff\x00", 1]
        assert link.together(("SET", "n", 1), ("INCR", "n")) == [b"OK", 2]


def test_who_waits_longer_than_an_answer_may_take_is_answered_all_the_same(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crawler.channels.redis.connection.ANSWER_S", 0.2)
    with closing(Link(engine.address())) as link:
        assert link.ask("XREAD", "BLOCK", 600, "STREAMS", "s", "0", wait_s=0.6) is None


def test_an_error_tells_its_first_word_and_nothing_of_what_was_sent(engine: Engine) -> None:
    with closing(Link(engine.address())) as link:
        link.ask("SET", "k", "text")
        with pytest.raises(Refused) as refusal:
            link.together(("SET", "j", "secret"), ("HSET", "k", "f", "secret"))
        assert refusal.value.code == "WRONGTYPE"
        with pytest.raises(Refused) as refusal:
            link.together(("SET", "secret"), ("GET", "k"))
        assert str(refusal.value) == f"redis at 127.0.0.1:{engine.port} answers ERR"
        assert link.ask("GET", "k") == b"text"  # the connection is as good as before


def test_an_engine_that_is_gone_is_away_and_comes_back(engine: Engine) -> None:
    with closing(Link(engine.address())) as link:
        link.ask("PING")
        engine.kill()
        with pytest.raises(Away):
            link.ask("PING")
        with pytest.raises(Away, match="cannot be reached: Connection refused"):
            link.ask("PING")
        engine.start()
        assert link.ask("PING") == b"PONG"


def test_an_engine_that_is_silent_is_away(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crawler.channels.redis.connection.ANSWER_S", 0.2)
    with closing(Link(engine.address())) as link:
        with pytest.raises(Away, match="gives no answer"):
            link.ask("XREAD", "BLOCK", 5000, "STREAMS", "s", "0")
        assert link.ask("PING") == b"PONG"


def test_a_wrong_password_is_one_line_that_tells_nothing(engine: Engine) -> None:
    engine.ask("CONFIG", "SET", "requirepass", "right")
    for address in (engine.address(), engine.address(password="guess")):
        with closing(Link(address)) as link, pytest.raises(UsageError) as refusal:
            look_at(link)
        assert "wrong user or password" in str(refusal.value)
        assert "guess" not in str(refusal.value)
    assert engine.ask("PING", password="right") == b"PONG"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("maxmemory", "100mb", "maxmemory-policy", "allkeys-lru"), "set it to noeviction"),
        (("maxmemory", "1mb"), "maxmemory is too small; set it to 64mb or more"),
    ],
)
def test_an_engine_that_would_lose_what_is_on_its_way_is_refused(
    options: tuple[str, ...], told: str
) -> None:
    with (
        engines.serve("redis", *options) as engine,
        closing(Link(engine.address())) as link,
        pytest.raises(UsageError, match=told),
    ):
        look_at(link)


def test_tls_is_spoken_and_an_unknown_authority_refused(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    server = authority.issue_cert("127.0.0.1")
    server.private_key_pem.write_to_path(tmp_path / "key.pem")
    server.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    files = ("cert-file", "cert.pem", "key-file", "key.pem", "ca-cert-file", "ca.pem")
    paths = [str(tmp_path / one) if one.endswith(".pem") else f"tls-{one}" for one in files]
    port = engines.free_port()
    with engines.serve("redis", "tls-port", str(port), "tls-auth-clients", "no", *paths):
        url = f"rediss://127.0.0.1:{port}"
        with closing(Link(address_of(f"{url}?ssl_ca_certs={tmp_path}/ca.pem", {}))) as link:
            assert look_at(link).kind == "redis"
        with closing(Link(address_of(url, {}))) as link, pytest.raises(UsageError) as refusal:
            look_at(link)
    assert "write ?ssl_ca_certs=FILE" in str(refusal.value)


ALLOWED = [
    ("GET", "crawler:n:session"),
    ("XREAD", "STREAMS", "crawler:n:1:jobs:w", "0"),
    ("HSET", "crawler:n:1:beats", "w", "x"),
    ("HDEL", "crawler:n:1:beats", "w"),
    ("XADD", "crawler:n:1:visits:w", "1-0", "v", "x"),
    ("XINFO", "STREAM", "crawler:n:1:visits:w"),
    ("EXPIRE", "crawler:n:1:visits:w", 60),
]
FORBIDDEN = [
    ("SET", "crawler:n:session", "x"),
    ("HSET", "crawler:n:session", "w", "x"),
    ("XADD", "crawler:n:1:jobs:w", "1-0", "j", "x"),
    ("XTRIM", "crawler:n:1:visits:w", "MAXLEN", 0),
    ("DEL", "crawler:n:1:visits:w"),
    ("GET", "others"),
    ("KEYS", "*"),
    ("SCAN", "0"),
    ("CONFIG", "GET", "*"),
    ("FLUSHALL",),
    ("EVAL", "return 1", "0"),
    ("ACL", "LIST"),
    ("MONITOR",),
]


def test_the_acl_lets_workers_do_what_they_do_and_nothing_else(engine: Engine) -> None:
    for line in acl.lines("PASSWORD"):
        assert engine.ask(*line.split()) == b"OK"
    for command in ALLOWED:
        engine.ask(*command, user="crawler-worker", password="PASSWORD")
    for command in FORBIDDEN:
        with pytest.raises(Refused) as refusal:
            engine.ask(*command, user="crawler-worker", password="PASSWORD")
        assert refusal.value.code == "NOPERM", command


def test_the_acl_lets_conductors_look_at_the_engine_and_at_no_others_keys(engine: Engine) -> None:
    for line in acl.lines("PASSWORD"):
        engine.ask(*line.split())
    address = engine.address("crawler-conductor", "PASSWORD")
    with closing(Link(address)) as link:
        look_at(link)
        link.ask("SET", "crawler:n:session", "x", "NX", "EX", 20)
        link.ask("MEMORY", "USAGE", "crawler:n:1:beats", "SAMPLES", 0)
        link.ask("HSCAN", "crawler:n:1:beats", 0, "COUNT", 10)
        link.ask("HSTRLEN", "crawler:n:1:beats", "w")
        for command in (("GET", "others"), ("FLUSHALL",), ("KEYS", "*")):
            with pytest.raises(Refused):
                link.ask(*command)


def test_without_the_library_one_line_names_it() -> None:
    program = (
        "import sys; sys.modules['redis'] = None\n"
        "from crawler.channels.redis.address import Address\n"
        "from crawler.channels.redis.connection import Link\n"
        "from crawler.errors import UsageError\n"
        "try: Link(Address('a.test'))\n"
        "except UsageError as error: print(error)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "--redis: needs more: pip install 'crawler[redis]'\n"

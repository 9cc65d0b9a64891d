"""Do we read what curl and browsers read?"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from crawler.model import Reply
from tests.fetch.stage import QUICK, fetch, stage, whole
from tests.sites.skip import require_corpus

FORTY_TWO = b"x" * 42


def test_content_lengths_mean_what_browsers_take_them_to_mean() -> None:
    cases = json.loads((require_corpus("wpt-fetch") / "content-lengths.json").read_text())
    assert len(cases) == 28
    for case in cases:
        answer = b"HTTP/1.1 200 OK\r\n" + case["input"].encode() + b"\r\n\r\n" + FORTY_TWO
        with stage(whole(answer)) as server:
            reply = fetch(server.url())
        if case["output"] is None:
            assert (reply.status, reply.error) == (None, "proto_error"), case
        else:
            assert (reply.error, len(reply.body)) == (None, case["output"]), case


# number: status, error, truncated; written from curl's own verdict (its <errorcode>), and with a
# reason wherever this crawler means to differ.
CURL = {
    36: (200, "proto_error", "disconnect"),
    178: (200, None, None),  # curl refuses; case 49: a negative length reads to close
    207: (200, "conn_closed", "disconnect"),
    221: (200, "decode_error", None),
    # 223 and 315 announce more than they send.
    223: (200, "decode_error", "disconnect"),
    249: (304, None, None),
    262: (200, None, None),  # curl refuses; case 63: NUL is sanitised
    266: (200, None, None),
    315: (200, "decode_error", "disconnect"),
    334: (204, None, None),
    365: (200, None, None),
    373: (200, None, None),
    415: (None, "proto_error", None),
    418: (None, "proto_error", None),
    1154: (None, "proto_error", None),
    1164: (None, "proto_error", None),
    1172: (None, "proto_error", None),
    1174: (None, "proto_error", None),
    1266: (None, "proto_error", None),
    1267: (None, "proto_error", None),
    1274: (200, None, None),
    1416: (200, "proto_error", "disconnect"),
    1417: (200, None, None),
    1430: (None, "proto_error", None),
    1480: (None, "proto_error", None),
    1482: (200, None, None),
    1483: (200, None, None),
    1493: (200, None, None),
    1495: (None, "proto_error", None),
    1496: (None, "proto_error", None),
    1518: (302, "bad_redirect", None),
    1546: (None, "proto_error", None),
    1677: (200, None, None),
    1722: (None, "proto_error", None),
    1723: (None, "proto_error", None),
    2106: (200, None, None),  # curl refuses; a trailer is read past, never used
}


@pytest.mark.parametrize("number", CURL)
def test_an_answer_of_curls_suite_ends_as_curl_says(number: int) -> None:
    path = require_corpus("curl-test-data") / "tests" / "data" / f"test{number}"
    with stage(whole(_reply_of(path))) as server:
        reply: Reply = fetch(server.url(), config=QUICK)
    assert (reply.status, reply.error, reply.truncated) == CURL[number], reply.error_detail


def _reply_of(path: Path) -> bytes:
    """The bytes that curl's test server would send."""
    text = path.read_text(encoding="latin-1")
    found = re.search(r"<data([^>]*)>\n(.*?)</data>", text, re.DOTALL)
    assert found is not None
    attributes, data = found[1], found[2]
    if "nonewline" in attributes:
        data = data.removesuffix("\n")
    if "crlf=" in attributes:
        head, blank, body = data.partition("\n\n")
        data = (head + blank).replace("\n", "\r\n") + body
    data = data.replace("%CR", "\r").replace("%TESTNUMBER", str(path.name)[4:])
    data = re.sub(r"%hex\[(.*?)\]hex%", lambda m: _unhex(m[1]), data, flags=re.DOTALL)
    data = re.sub(r"%repeat\[(\d+) x (.*?)\]%", lambda m: int(m[1]) * _unhex(m[2]), data)
    return data.encode("latin-1")


def _unhex(text: str) -> str:
    return re.sub(r"%([0-9A-Fa-f]{2})", lambda byte: chr(int(byte[1], 16)), text)


COMPRESSED = {
    "html-gzip.bin": "gzip",
    "html-br.bin": "br",
    "html-rawdeflate.bin": "deflate",
    "html-zlibdeflate.bin": "deflate",
    "html-zstd-static-content-size.bin": "zstd",
    "html-zstd-static-no-content-size.bin": "zstd",
    "html-zstd-streaming-no-content-size.bin": "zstd",
    "html-gzip-deflate.bin": "gzip, deflate",
}


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_compressed_page_of_scrapys_samples_is_read(name: str) -> None:
    reply = _served(name, COMPRESSED[name])
    assert (reply.error, reply.truncated) == (None, None), reply.error_detail
    assert b"<html" in reply.body[:200].lower()


@pytest.mark.parametrize(
    ("name", "coding"),
    [
        ("bomb-br.bin", "br"),
        ("bomb-deflate.bin", "deflate"),
        ("bomb-gzip.bin", "gzip"),
        ("bomb-zstd.bin", "zstd"),
    ],
)
def test_a_bomb_of_scrapys_samples_stops_at_the_cap(name: str, coding: str) -> None:
    reply = _served(name, coding)
    assert (reply.error, reply.truncated) == ("too_large", "length")
    assert len(reply.body) == QUICK.max_body_bytes


def test_three_codings_are_refused() -> None:
    assert _served("html-gzip-deflate-gzip.bin", "gzip, deflate, gzip").error == "decode_error"


def _served(name: str, coding: str) -> Reply:
    folder = require_corpus("scrapy-sample-data") / "tests" / "sample_data" / "compressed"
    data = (folder / name).read_bytes()
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(data)}\r\n\r\n"
    with stage(whole(head.encode() + data)) as server:
        return fetch(server.url())

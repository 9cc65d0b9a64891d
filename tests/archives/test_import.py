"""Archives of ours and of others become a part of a crawl."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from tests.archives.making import answer, packed, page, question, record, response
from tests.archives.site import LATIN, PACKED, publish
from tests.crawls import LINKS, check_whole, config, crawl, let_a_day_pass, rows
from tests.patience import PATIENT_S
from tests.sites.server import Answer, Request
from tests.sites.skip import require_program
from tests.sites.web import Web
from tests.terminal import Terminal

PAGES = """
    SELECT url, status, error, content_type, title, description, h1, lang, canonical, meta_robots,
        word_count, text_hash, body_bytes, fetched_at, document_at, changed_at, etag,
        last_modified, outlinks, document_status, partial, challenge, visits, first_seen_at
    FROM pages
    WHERE status IS NOT NULL
    ORDER BY url
"""
TEXTS = """
    SELECT bodies.sha256, bodies.content_type, bodies.charset, texts.text
    FROM bodies
    LEFT JOIN texts ON texts.body_id = bodies.id
    ORDER BY 1, 2, 3
"""
VISITS = """
    SELECT urls.url, visits.kind, method, started_at, visits.status, error, ip, http_version,
        body_bytes, truncated, content_type, charset, etag, last_modified, not_modified, title,
        canonical, challenge, changed, target.url, headers
    FROM visits
    JOIN urls ON urls.id = visits.url_id
    LEFT JOIN urls AS target ON target.id = visits.redirect_to_id
    WHERE visits.status IS NOT NULL
    ORDER BY visits.id
"""
QUEUED = "SELECT count(*) FROM urls WHERE state = 'queued'"
SITEMAPS = """
    SELECT sitemaps.url, urls.url, lastmod
    FROM sitemap_entries
    JOIN urls AS sitemaps ON sitemaps.id = sitemap_id
    JOIN urls ON urls.id = url_id
    ORDER BY 1, 2
"""


def told(database: Path, query: str) -> list[tuple[Any, ...]]:
    """Rows, with what is JSON read."""
    return [
        tuple(json.loads(cell) if str(cell).startswith('{"') else cell for cell in row)
        for row in rows(database, query)
    ]


@pytest.fixture
def bring(crawler: Terminal) -> Any:
    """Import archives of these bytes into ``data/in.db``, without the analysis."""

    def brought(*archives: bytes, code: int = 0, suffix: str = ".warc.gz") -> Path:
        names = []
        for number, data in enumerate(archives):
            name = f"in{number}{suffix}"
            (crawler.folder / name).write_bytes(data)
            names.append(name)
        ran = crawler("import", *names, "--no-analyse", "--db", "in.db")
        assert ran.code == code, ran.err
        brought.err = ran.err  # type: ignore[attr-defined]
        return crawler.folder / "in.db"

    return brought


@pytest.mark.parametrize("format", ["warc", "wacz"])
def test_what_was_taken_along_comes_back_equal(
    format: str, crawler: Terminal, crawled: Path
) -> None:
    assert crawler("export", format, "--db", str(crawled), "--out", f"a.{format}").code == 0
    ran = crawler("import", f"a.{format}", "--no-analyse", "--db", "back.db")
    assert ran.code == 0, ran.err
    back = crawler.folder / "back.db"
    for query in (PAGES, LINKS, TEXTS, VISITS, SITEMAPS):
        assert told(back, query) == told(crawled, query)
    check_whole(back)


def test_parts_of_an_archive_come_back_as_one(crawler: Terminal, crawled: Path) -> None:
    crawler("export", "warc", "--db", str(crawled), "--max-size", "9k", "--out", "parts")
    parts = [str(one) for one in sorted((crawler.folder / "parts").glob("*.warc.gz"))]
    assert crawler("import", *parts, "--no-analyse", "--db", "back.db").code == 0
    for query in (PAGES, LINKS, TEXTS):
        assert told(crawler.folder / "back.db", query) == told(crawled, query)


def test_an_archive_that_was_brought_twice_is_there_once(crawler: Terminal, crawled: Path) -> None:
    crawler("export", "warc", "--db", str(crawled), "--out", "a.warc.gz")
    first = crawler("import", "a.warc.gz", "--no-analyse", "--db", "back.db")
    before = told(crawler.folder / "back.db", VISITS)
    second = crawler("import", "a.warc.gz", "--no-analyse", "--db", "back.db")
    assert told(crawler.folder / "back.db", VISITS) == before
    assert f"{len(before)} answers of 1 file" in first.err
    assert f"0 answers of 1 file, {len(before)} there already" in second.err
    # What changed since the run before is asked of runs, and one without a visit knows nothing.
    assert rows(crawler.folder / "back.db", "SELECT count(*) FROM runs") == [(1,)]


def test_nothing_is_asked_for(crawler: Terminal) -> None:
    web = Web()
    publish(web)
    crawl(crawler.folder / "a.db", web.url(), settings=config())
    asked = len(web.whole_log)
    crawler("export", "warc", "--db", "a.db", "--out", "a.warc.gz")
    assert crawler("import", "a.warc.gz", "--db", "b.db").code == 0
    assert len(web.whole_log) == asked
    web.close()
    assert rows(crawler.folder / "b.db", "SELECT count(*) FROM urls WHERE state = 'queued'") == [
        (0,)
    ]


def test_an_import_is_a_run_that_tells_so(bring: Any) -> None:
    database = bring(packed(response("http://a.example/", "Front")))
    assert rows(database, "SELECT via, state, pages, seeds_file FROM runs") == [
        ("import", "finished", 1, "in0.warc.gz")
    ]
    assert rows(database, "SELECT url, state, via FROM urls") == [
        ("http://a.example/", "done", "archive")
    ]
    assert rows(database, "SELECT started_at FROM visits") == [("2019-05-06T07:08:09.000Z",)]


def test_what_was_brought_is_searched_and_audited(crawler: Terminal) -> None:
    body = page("Needle", "<a href='/gone'>gone</a>")
    gone = record("response", "http://a.example/gone", answer(b"", status="404 Not Found"))
    (crawler.folder / "in.warc.gz").write_bytes(
        packed(record("response", "http://a.example/", answer(body)), gone)
    )
    assert crawler("import", "in.warc.gz", "--db", "in.db").code == 0
    assert "http://a.example/" in crawler("search", "needle", "--db", "in.db").out
    broken = crawler("query", "broken_links", "--db", "in.db", "--csv").out
    assert "http://a.example/gone" in broken
    assert crawler("audit", "--db", "in.db").code == 0


def test_a_crawl_that_is_begun_visits_what_its_seeds_cover(crawler: Terminal) -> None:
    web = Web()
    web.page("/", links=["/a"], title="Now")
    web.page("/a", title="A")
    here, elsewhere = web.url(), "http://other.example/"
    link = f"<a href='{web.url('/a')}'>a</a>"
    old = record("response", here, answer(page("Then", link)))
    (crawler.folder / "in.warc.gz").write_bytes(packed(old, response(elsewhere, "Other")))
    assert crawler("import", "in.warc.gz", "--no-analyse", "--db", "in.db").code == 0
    database = crawler.folder / "in.db"
    crawl(database, here, settings=config())
    assert rows(database, "SELECT url, title, visits FROM pages ORDER BY id") == [
        (here, "Now", 2),
        (elsewhere, "Other", 1),
        (web.url("/a"), "A", 1),
    ]
    assert {hit.host for hit in web.whole_log} == {here.removeprefix("http://").rstrip("/")}
    assert rows(database, "SELECT state, reason FROM urls WHERE url = ?", elsewhere) == [
        ("skipped", "scope")
    ]
    check_whole(database)
    web.close()


def test_an_import_leaves_what_a_crawl_has_queued(crawler: Terminal) -> None:
    web = Web()
    web.page("/", links=["/a", "/b"])
    web.page("/a", title="Now")
    web.page("/b", title="B")
    database = crawler.folder / "in.db"
    crawl(database, web.url(), settings=config(run={"max_pages": 1}))
    old = response(web.url("/a"), "Then")
    (crawler.folder / "in.warc.gz").write_bytes(packed(old))
    assert crawler("import", "in.warc.gz", "--no-analyse", "--db", "in.db").code == 0
    query = "SELECT state FROM urls WHERE url = ?"
    assert rows(database, query, web.url("/a")) == [("queued",)]
    crawl(database, web.url(), settings=config())
    assert rows(database, "SELECT title, visits FROM pages WHERE url = ?", web.url("/a")) == [
        ("Now", 2)
    ]
    check_whole(database)
    web.close()


def test_what_is_older_than_what_is_there_is_history(crawler: Terminal) -> None:
    web = Web()
    web.page("/", title="Now", links=["/new"])
    database = crawler.folder / "in.db"
    crawl(database, web.url(), settings=config())
    web.close()
    pages, links = rows(database, PAGES), rows(database, LINKS)
    old = record("response", web.url(), answer(page("Then", "<a href='/old'>old</a>")))
    (crawler.folder / "in.warc.gz").write_bytes(packed(old))
    assert crawler("import", "in.warc.gz", "--no-analyse", "--db", "in.db").code == 0
    assert (rows(database, PAGES), rows(database, LINKS)) == (pages, links)
    titles = rows(
        database, "SELECT title FROM visits WHERE kind = 'page' ORDER BY started_at LIMIT 1"
    )
    assert titles == [("Then",)]
    check_whole(database)


# What others write


def test_an_archive_of_wgets_is_read(crawler: Terminal) -> None:
    wget = require_program("wget", "apt-get install wget")
    web = Web()
    web.page("/", links=["/packed", "/latin", "/moved", "/gone", "/deep"], title="Front")
    web.raw("/packed", headers={"Content-Encoding": "gzip"}, body=gzip.compress(PACKED))
    web.raw("/latin", headers={"Content-Type": "text/html; charset=iso-8859-1"}, body=LATIN)
    web.redirect("/moved", "/deep")
    web.page("/deep", title="Deep")
    subprocess.run(
        [
            *(str(wget), "--quiet", "--recursive", "--level=3", "--no-proxy", "--delete-after"),
            *("--tries=1", "--timeout=20", "--compression=gzip", "--warc-file=site", web.url()),
        ],
        cwd=crawler.folder,
        timeout=120,
        check=False,  # 8: the site has a page that is gone
    )
    crawl(crawler.folder / "ours.db", web.url(), settings=config())
    web.close()
    ran = crawler("import", "site.warc.gz", "--no-analyse", "--db", "in.db")
    assert ran.code == 0, ran.err
    query = "SELECT url, status, title, text_hash FROM pages ORDER BY url"
    ours = rows(crawler.folder / "ours.db", query)
    assert rows(crawler.folder / "in.db", query) == ours
    assert rows(crawler.folder / "in.db", LINKS) == rows(crawler.folder / "ours.db", LINKS)
    assert {status for _, status, *_ in ours} == {200, 302, 404}


def test_records_of_common_crawl_are_read(bring: Any) -> None:
    """As in CC-MAIN: a request, an answer that was unpacked, metadata; times of seconds."""
    body = page("Common", "<a href='/b'>b</a>")
    head = answer(
        body, headers={"X-Crawler-Content-Encoding": "gzip", "X-Crawler-Content-Length": "99"}
    )
    url = "https://a.example/path"
    more = {
        "WARC-IP-Address": "192.0.2.7",
        "WARC-Payload-Digest": "sha1:" + base64.b32encode(hashlib.sha1(body).digest()).decode(),
        "WARC-Identified-Payload-Type": "text/html",
        "WARC-Concurrent-To": "<urn:uuid:00000000-0000-4000-8000-000000000002>",
    }
    database = bring(
        packed(
            record(
                "warcinfo", "", b"isPartOf: CC-MAIN\r\n", content_type="application/warc-fields"
            ),
            record("request", url, question("GET", "/path"), number=2),
            record("response", url, head, number=3, more=more),
            record("metadata", url, b"fetchTimeMs: 5\r\n", content_type="application/warc-fields"),
        )
    )
    assert rows(database, "SELECT url, title, status FROM pages") == [(url, "Common", 200)]
    [(headers, ip, size)] = told(database, "SELECT headers, ip, body_bytes FROM visits")
    assert headers["content-encoding"] == "gzip"
    assert headers["content-length"] == "99"
    assert (ip, size) == ("192.0.2.7", len(body))


def test_texts_of_common_crawl_are_no_pages(bring: Any) -> None:
    wet = record("conversion", "http://a.example/", b"plain words", content_type="text/plain")
    database = bring(packed(wet, response("http://a.example/b", "B")))
    assert rows(database, "SELECT url FROM pages") == [("http://a.example/b",)]
    assert "1 that hold no answer to a GET" in bring.err


def in_chunks(body: bytes) -> bytes:
    """As RFC 9112, section 7.1 has it."""
    return b"5\r\n" + body[:5] + b"\r\n%x\r\n" % len(body[5:]) + body[5:] + b"\r\n0\r\n\r\n"


CODINGS = {
    "as it was sent": (gzip.compress(page("Coded")), {"Content-Encoding": "gzip"}),
    "unpacked, and the head left": (page("Coded"), {"Content-Encoding": "gzip"}),
    "in chunks": (in_chunks(page("Coded")), {"Transfer-Encoding": "chunked"}),
    "put together, and the head left": (page("Coded"), {"Transfer-Encoding": "chunked"}),
    "unpacked, with the length of what was sent": (
        page("Coded"), {"Content-Encoding": "gzip", "Content-Length": "12"},
    ),
    "moved aside": (page("Coded"), {"X-Archive-Orig-Content-Encoding": "br"}),
}  # fmt: skip


@pytest.mark.parametrize("how", CODINGS)
def test_a_body_is_read_however_the_archive_holds_it(how: str, bring: Any) -> None:
    body, headers = CODINGS[how]
    kept = answer(body, headers=headers)
    database = bring(packed(record("response", "http://a.example/", kept)))
    assert rows(database, "SELECT title, status, error FROM pages") == [("Coded", 200, None)]
    [(digest,)] = rows(database, "SELECT sha256 FROM bodies")
    assert digest == hashlib.sha256(page("Coded")).hexdigest()


@pytest.mark.parametrize("suffix", [".warc", ".warc.gz"])
def test_records_need_not_be_packed_one_by_one(suffix: str, bring: Any) -> None:
    whole = response("http://a.example/", "A") + response("http://a.example/b", "B")
    data = whole if suffix == ".warc" else gzip.compress(whole)
    database = bring(data, suffix=suffix)
    assert rows(database, "SELECT title FROM pages ORDER BY id") == [("A",), ("B",)]


METHODS = [
    # what the request says, where it stands, what becomes of the answer: kinds and titles
    ("GET", "before", [("page", "Answered")]),
    ("GET", "behind", [("page", "Answered")]),
    ("POST", "before", []),
    ("POST", "behind", []),
    ("HEAD", "before", [("check", None)]),
    ("HEAD", "behind", [("check", None)]),
]


@pytest.mark.parametrize(("method", "place", "kept"), METHODS)
def test_only_what_was_asked_for_with_get_is_a_page(
    method: str, place: str, kept: list[tuple[str, str | None]], bring: Any
) -> None:
    url, body = "http://a.example/", b"" if method == "HEAD" else page("Answered")
    first = "<urn:uuid:00000000-0000-4000-8000-000000000001>"
    asked = record("request", url, question(method), number=2, more={"WARC-Concurrent-To": first})
    given = record(
        "response",
        url,
        answer(body, headers={"Content-Length": "70"}) if method == "HEAD" else answer(body),
    )
    order = (asked, given) if place == "before" else (given, asked)
    database = bring(packed(*order, response("http://a.example/next", "Next", number=3)))
    visits = rows(database, "SELECT kind, title FROM visits ORDER BY id")
    assert visits == [*kept, ("page", "Next")]


def digests(body: bytes) -> dict[str, str]:
    """As archives write the digest of a payload."""
    sha1, sha256 = hashlib.sha1(body).digest(), hashlib.sha256(body).digest()
    return {
        "sha1, Base32": "sha1:" + base64.b32encode(sha1).decode(),
        "sha1, digits": "sha1:" + sha1.hex(),
        "sha256, Base32": "sha256:" + base64.b32encode(sha256).decode(),
        "sha256, digits": "sha256:" + sha256.hex(),
        "md5": "md5:" + hashlib.md5(body).hexdigest(),
    }


@pytest.mark.parametrize("how", digests(b""))
def test_a_revisit_has_the_body_of_what_it_repeats(how: str, bring: Any) -> None:
    body = page("Twice")
    digest = {"WARC-Payload-Digest": digests(body)[how]}
    profile = {"WARC-Profile": "http://netpreserve.org/warc/1.0/revisit/identical-payload-digest"}
    first = record("response", "http://a.example/", answer(body), more=digest)
    again = record(
        *("revisit", "http://a.example/again", answer(b"", headers={"X-Second": "yes"})),
        at="2020-01-01T00:00:00Z",
        more=digest | profile,
    )
    database = bring(packed(first, again))
    assert rows(database, "SELECT url, title, status FROM pages ORDER BY id") == [
        ("http://a.example/", "Twice", 200),
        ("http://a.example/again", "Twice", 200),
    ]
    assert rows(database, "SELECT count(*) FROM bodies") == [(1,)]
    headers = told(database, "SELECT headers FROM visits ORDER BY id DESC LIMIT 1")
    assert headers[0][0]["x-second"] == "yes"


def revisit(digest: str) -> bytes:
    """A record of http://a.example/again, which answered the same as another address."""
    more = {
        "WARC-Payload-Digest": digest,
        "WARC-Profile": "http://netpreserve.org/warc/1.0/revisit/identical-payload-digest",
    }
    return record(
        "revisit", "http://a.example/again", answer(b""), at="2020-01-01T00:00:00Z", more=more
    )


AGAIN = "SELECT title FROM pages WHERE url = 'http://a.example/again'"


@pytest.mark.parametrize("place", ["before", "between", "alone"])
def test_a_digest_that_is_not_that_of_its_body_is_told_and_gives_no_revisit_its_body(
    place: str, bring: Any
) -> None:
    """Whoever writes an archive may say that its page has the digest of another's."""
    body = page("Ours")
    digest = digests(body)["sha1, Base32"]
    said = {"WARC-Payload-Digest": digest}
    claimed = packed(record("response", "http://b.example/", answer(page("Theirs")), more=said))
    first = packed(record("response", "http://a.example/", answer(body), more=said))
    again = packed(revisit(digest))
    order = {"before": [claimed, first + again], "between": [first, claimed, again]}
    database = bring(*order.get(place, [claimed, again]))
    assert rows(database, AGAIN) == ([] if place == "alone" else [("Ours",)])
    theirs = "SELECT title FROM pages WHERE url = 'http://b.example/'"
    assert rows(database, theirs) == [("Theirs",)]
    assert bring.err.count("its digest is not that of what it holds") == 1
    assert "1 with a digest that is not theirs" in bring.err
    assert "not readable" not in bring.err


@pytest.mark.parametrize("taken_for_payload", ["in chunks", "packed", "plain"])
def test_a_digest_is_of_whatever_its_writer_takes_for_the_payload(
    taken_for_payload: str, bring: Any
) -> None:
    plain = page("Twice")
    coded = gzip.compress(plain)
    forms = {"in chunks": in_chunks(coded), "packed": coded, "plain": plain}
    digest = digests(forms[taken_for_payload])["sha1, Base32"]
    headers = {"Content-Encoding": "gzip", "Transfer-Encoding": "chunked"}
    sent = answer(in_chunks(coded), headers=headers)
    first = record(
        "response", "http://a.example/", sent, more={"WARC-Payload-Digest": digest.lower()}
    )
    database = bring(packed(first, revisit(digest)))
    assert rows(database, AGAIN) == [("Twice",)]
    assert "digest" not in bring.err


def test_a_digest_of_more_than_is_kept_is_not_called_false(bring: Any) -> None:
    """Where a body was cut, by us or by who archived it, nobody knows what it is the digest of."""
    large = bytes(11 << 20)
    coded = answer(gzip.compress(large), headers={"Content-Encoding": "gzip"})
    cut = {"WARC-Truncated": "length"}
    said = {"WARC-Payload-Digest": digests(large)["sha1, Base32"]}
    bring(
        packed(
            record("response", "http://a.example/", coded, more=said),
            record("response", "http://a.example/cut", answer(page("Cut")), more=said | cut),
        )
    )
    assert "digest" not in bring.err


def test_a_revisit_is_found_by_when_its_original_was_kept(bring: Any) -> None:
    """In an archive that came before, of which no digest is known any more."""
    bring(packed(response("http://a.example/", "Twice")))
    refers = {
        "WARC-Refers-To-Target-URI": "http://a.example/",
        "WARC-Refers-To-Date": "2019-05-06T07:08:09Z",
    }
    again = record(
        "revisit", "http://a.example/b", answer(b""), at="2021-01-01T00:00:00Z", more=refers
    )
    database = bring(packed(again))
    assert rows(database, "SELECT title FROM pages ORDER BY id") == [("Twice",), ("Twice",)]


def test_a_revisit_of_what_is_not_there_is_counted(bring: Any) -> None:
    digest = {"WARC-Payload-Digest": digests(b"nowhere")["sha1, Base32"]}
    database = bring(packed(record("revisit", "http://a.example/", answer(b""), more=digest)))
    assert rows(database, "SELECT count(*) FROM visits") == [(0,)]
    assert "1 without the answer that they say is the same" in bring.err


def test_a_304_confirms_what_is_there_and_nothing_else(bring: Any) -> None:
    same = answer(b"", status="304 Not Modified", headers={"ETag": '"1"'})
    unmodified = {"WARC-Profile": "http://netpreserve.org/warc/1.0/revisit/server-not-modified"}
    database = bring(
        packed(
            response("http://a.example/", "Held"),
            record(
                "revisit", "http://a.example/", same, at="2020-01-01T00:00:00Z", more=unmodified
            ),
            record("response", "http://a.example/nowhere", same),
        )
    )
    assert rows(database, "SELECT url, title, status, visits FROM pages") == [
        ("http://a.example/", "Held", 200, 2)
    ]
    assert rows(database, "SELECT not_modified FROM visits ORDER BY id") == [(0,), (1,)]


def tagged(body: bytes, content_type: str) -> Callable[[Request], Answer]:
    """What is not sent again to whoever has something that is called so."""
    headers = {"ETag": '"1"', "Content-Type": content_type}

    def answer_of(request: Request) -> Answer:
        if "if-none-match" in request.headers:
            return Answer(304, {"ETag": '"1"'})
        return Answer(200, headers, body)

    return answer_of


def test_an_archive_never_answers_for_a_server(bring: Any, web: Web) -> None:
    """Whoever wrote it may have put a validator of the server's to what the server never said."""
    tag = {"ETag": '"1"'}
    web.decide("/", tagged(page("True", "<img src=/a.png>"), "text/html"))
    web.decide("/a.png", tagged(b"\x89PNG\r\n\x1a\ntrue", "image/png"))
    picture = answer(b"\x89PNG\r\n\x1a\nfalse", headers=tag | {"Content-Type": "image/png"})
    database = bring(
        packed(
            record("response", web.url("/"), answer(page("False"), headers=tag)),
            record("response", web.url("/a.png"), picture),
        )
    )
    crawl(database, web.url("/"), settings=config(assets={"mode": "fetch"}))
    assert rows(database, "SELECT title, status FROM pages") == [("True", 200)]
    last = "SELECT status, not_modified FROM visits WHERE run_id = 2 AND kind IN ('page', 'asset')"
    assert rows(database, last) == [(200, 0), (200, 0)]


@pytest.mark.parametrize(
    ("written", "ip"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("\x1b[2Ja.test", None),
        ("", None),
    ],
)
def test_who_answered_is_an_address_or_not_known(written: str, ip: str | None, bring: Any) -> None:
    database = bring(packed(response("http://a.example/", "A", more={"WARC-IP-Address": written})))
    assert rows(database, "SELECT ip FROM visits") == [(ip,)]


CUT = {"length": "too_large", "time": "timeout_total", "disconnect": "conn_closed"}


@pytest.mark.parametrize("word", CUT)
def test_a_body_that_was_cut_does_not_look_whole(word: str, bring: Any) -> None:
    cut = response("http://a.example/", "Cut", more={"WARC-Truncated": word})
    database = bring(packed(cut))
    assert rows(database, "SELECT title, error, partial FROM pages") == [("Cut", CUT[word], word)]


def test_less_than_was_announced_is_not_whole(bring: Any) -> None:
    short = answer(page("Short"), headers={"Content-Length": "5000"})
    database = bring(packed(record("response", "http://a.example/", short)))
    assert rows(database, "SELECT error, partial FROM pages") == [("conn_closed", "disconnect")]


def test_robots_txt_rules_nobody_and_queues_nothing(bring: Any) -> None:
    rules = b"User-agent: *\nDisallow: /\nSitemap: http://a.example/map.xml\n"
    robots = answer(rules, headers={"Content-Type": "text/plain"})
    database = bring(
        packed(
            record("response", "http://a.example/robots.txt", robots),
            response("http://a.example/", "Front"),
        )
    )
    assert rows(database, "SELECT kind FROM visits ORDER BY id") == [("robots",), ("page",)]
    assert rows(database, "SELECT robots_fetched_at, robots_body FROM origins") == [(None, None)]
    assert rows(database, QUEUED) == [(0,)]


def test_a_sitemap_is_read_as_one(bring: Any) -> None:
    listed = b"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'><url><loc>http://a.example/x</loc></url></urlset>"
    xml = answer(listed, headers={"Content-Type": "application/xml"})
    database = bring(packed(record("response", "http://a.example/sitemap.xml", xml)))
    assert told(database, SITEMAPS) == [
        ("http://a.example/sitemap.xml", "http://a.example/x", None)
    ]
    assert rows(database, "SELECT count(*) FROM pages") == [(0,)]


ASSETS = {
    "image/png": "asset",
    "text/css; charset=utf-8": "asset",
    "Text/JavaScript": "asset",
    "application/javascript": "asset",
    "font/woff2": "asset",
    "video/mp4": "asset",
    "text/html": "page",
    "application/pdf": "page",
    "application/json": "page",
    "text/plain": "page",
}


@pytest.mark.parametrize("media_type", ASSETS)
def test_what_pages_need_to_look_right_are_no_pages(media_type: str, bring: Any) -> None:
    kept = answer(b"some bytes", headers={"Content-Type": media_type})
    database = bring(packed(record("response", "http://a.example/x", kept)))
    kind = ASSETS[media_type]
    assert rows(database, "SELECT kind FROM visits") == [(kind,)]
    assert rows(database, "SELECT kind, state, status FROM urls") == [(kind, "done", 200)]
    assert rows(database, "SELECT count(*) FROM pages") == [(int(kind == "page"),)]
    check_whole(database)


def test_what_was_fetched_for_pages_comes_back_equal(crawler: Terminal) -> None:
    web = Web()
    publish(web)
    web.raw("/style.css", headers={"Content-Type": "text/css"}, body="b{background:url(/x.png)}")
    web.decide(
        "/x.png",
        lambda asked: Answer(
            304 if "if-none-match" in asked.headers else 200,
            headers={"Content-Type": "image/png", "ETag": '"1"'},
            body=b"" if "if-none-match" in asked.headers else b"a picture",
        ),
    )
    for _ in range(2):
        crawl(crawler.folder / "a.db", web.url(), settings=config(assets={"mode": "fetch"}))
        let_a_day_pass(crawler.folder / "a.db")
    web.close()
    asked = "SELECT count(*) FROM visits WHERE kind = 'asset' AND status = 304"
    assert rows(crawler.folder / "a.db", asked) == [(1,)]
    assert crawler("export", "warc", "--db", "a.db", "--out", "a.warc.gz").code == 0
    words = ("--set", "assets.mode=fetch", "--set", "robots.sitemaps=false")
    assert crawler("import", "a.warc.gz", "--no-analyse", "--db", "b.db", *words).code == 0
    for query in (PAGES, LINKS, TEXTS, VISITS):
        assert told(crawler.folder / "b.db", query) == told(crawler.folder / "a.db", query)
    assert rows(crawler.folder / "b.db", QUEUED) == [(0,)]


def test_a_resource_without_http_is_a_page_of_its_type(bring: Any) -> None:
    made = record("resource", "http://a.example/", page("Made"), content_type="text/html")
    database = bring(
        packed(made, record("resource", "urn:text:x", b"x", content_type="text/plain"))
    )
    assert rows(database, "SELECT url, title FROM pages") == [("http://a.example/", "Made")]


def test_redirects_lead_from_page_to_page(bring: Any) -> None:
    moved = answer(b"", status="301 Moved", headers={"Location": "/new"})
    database = bring(
        packed(
            record("response", "http://a.example/old", moved),
            response("http://a.example/new", "New"),
        )
    )
    leads = "SELECT target.url FROM visits JOIN urls AS target ON target.id = redirect_to_id"
    assert rows(database, leads) == [("http://a.example/new",)]
    assert rows(database, QUEUED) == [(0,)]


def test_a_failure_of_the_server_is_no_page_that_waits(bring: Any) -> None:
    busy = answer(b"busy", status="503 Busy", headers={"Retry-After": "60"})
    database = bring(packed(record("response", "http://a.example/", busy)))
    assert rows(database, "SELECT state, reason, status FROM urls") == [("failed", "http_503", 503)]


def test_a_stopped_import_goes_on(crawler: Terminal) -> None:
    many = [
        response(f"http://a.example/{number}", f"T{number}", number=number)
        for number in range(3000)
    ]
    (crawler.folder / "in.warc.gz").write_bytes(packed(*many))
    with crawler.start("import", "in.warc.gz", "--no-analyse", "--db", "in.db") as process:
        database = crawler.folder / "in.db"
        os.setpriority(os.PRIO_PROCESS, process.pid, 19)  # so that it is not over before we look
        while _stored(database) < 200:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENT_S)
    assert process.returncode == 130, err
    assert b"the same command again goes on" in err
    assert 200 <= _stored(database) < 3000
    check_whole(database)
    assert rows(database, "SELECT state, finish_reason FROM runs") == [("interrupted", "signal")]
    ran = crawler("import", "in.warc.gz", "--no-analyse", "--db", "in.db")
    assert ran.code == 0, ran.err
    assert rows(database, "SELECT count(*), count(DISTINCT url) FROM pages") == [(3000, 3000)]
    assert rows(database, "SELECT count(*) FROM visits") == [(3000,)]


def test_a_killed_import_goes_on(crawler: Terminal) -> None:
    many = [
        response(f"http://a.example/{number}", f"T{number}", number=number)
        for number in range(2000)
    ]
    (crawler.folder / "in.warc.gz").write_bytes(packed(*many))
    database = crawler.folder / "in.db"
    with crawler.start("import", "in.warc.gz", "--no-analyse", "--db", "in.db") as process:
        os.setpriority(os.PRIO_PROCESS, process.pid, 19)  # so that it is not over before we look
        while _stored(database) < 200:
            assert process.poll() is None
        process.kill()
        process.wait()
    check_whole(database)
    assert crawler("import", "in.warc.gz", "--no-analyse", "--db", "in.db").code == 0
    assert rows(database, "SELECT count(*) FROM visits") == [(2000,)]
    assert rows(database, "SELECT state, finish_reason FROM runs ORDER BY id") == [
        ("interrupted", "killed"),
        ("finished", "finished"),
    ]


def many(count: int) -> bytes:
    """An archive of so many pages."""
    return packed(*(response(f"http://a.example/{n}", f"T{n}", number=n) for n in range(count)))


def _stored(database: Path) -> int:
    from crawler.errors import CrawlError
    from crawler.store.database import SQLiteError

    try:
        return int(rows(database, "SELECT count(*) FROM visits")[0][0])
    except (CrawlError, SQLiteError):
        return 0


def test_a_wacz_file_brings_all_its_archives(bring: Any, tmp_path: Path) -> None:
    made = tmp_path / "two.wacz"
    with ZipFile(made, "w") as package:
        package.writestr("datapackage.json", "{}")
        package.writestr("archive/a.warc.gz", packed(response("http://a.example/", "A")))
        package.writestr("archive/b.warc", response("http://b.example/", "B"))
    database = bring(made.read_bytes(), suffix=".wacz")
    assert rows(database, "SELECT title FROM pages ORDER BY id") == [("A",), ("B",)]

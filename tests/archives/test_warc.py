"""A crawl as a WARC file, read back by warcio."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from warcio.archiveiterator import ArchiveIterator

from crawler.errors import UsageError
from crawler.exports import warc_records
from crawler.exports.warc import size_of
from crawler.exports.warc_records import Answer, as_stored
from tests.archives.site import LATIN, MAX_BODY, PACKED, SAME
from tests.crawls import rows
from tests.patience import PATIENT_S
from tests.terminal import Terminal

ASIDE = "X-Archive-Orig-"


class Record:
    """A record as warcio reads it."""

    def __init__(self, found: Any) -> None:
        self.type = found.rec_type
        self.headers = found.rec_headers
        self.http = found.http_headers
        self.payload = found.raw_stream.read()
        checker = found.digest_checker
        assert checker.passed is not False, checker.problems

    def __getitem__(self, name: str) -> str | None:
        value: str | None = self.headers.get_header(name)
        return value

    @property
    def path(self) -> str:
        parts = urlsplit(self["WARC-Target-URI"] or "")
        return parts.path + (f"?{parts.query}" if parts.query else "")


def read(archive: Path) -> Iterator[Record]:
    """Every record, its digests checked."""
    with archive.open("rb") as stream:
        for found in ArchiveIterator(stream, check_digests=True):
            yield Record(found)


@pytest.fixture(scope="module")
def archive(crawled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The crawl, taken along."""
    made = tmp_path_factory.mktemp("archive") / "site.warc.gz"
    ran = Terminal(made.parent)("export", "warc", "--db", str(crawled), "--out", str(made))
    assert ran.code == 0, ran.err
    return made


@pytest.fixture(scope="module")
def records(archive: Path) -> list[Record]:
    return list(read(archive))


def answers(records: list[Record], path: str) -> list[Record]:
    return [one for one in records if one.type in ("response", "revisit") and one.path == path]


def test_every_answer_is_there_once_in_its_order(records: list[Record], crawled: Path) -> None:
    visits = rows(
        crawled,
        """
        SELECT urls.url, visits.started_at, visits.status
        FROM visits
        JOIN urls ON urls.id = visits.url_id
        WHERE visits.status IS NOT NULL AND visits.kind <> 'check'
        ORDER BY visits.id
        """,
    )
    told = [
        (one["WARC-Target-URI"], one["WARC-Date"], int(one.http.get_statuscode()))
        for one in records
        if one.type in ("response", "revisit")
    ]
    assert told == visits
    assert len(told) > 40


def test_a_body_is_byte_for_byte_what_was_stored(records: list[Record], crawled: Path) -> None:
    stored = {
        digest: zlib.decompress(body)
        for digest, body in rows(crawled, "SELECT sha256, body FROM bodies")
    }
    held = {
        base64.b32decode((one["WARC-Payload-Digest"] or "").partition(":")[2]).hex(): one.payload
        for one in records
        if one.type == "response" and one.payload
    }
    assert held == stored


def test_a_record_is_a_gzip_member_of_its_own(archive: Path, records: list[Record]) -> None:
    data, members = archive.read_bytes(), 0
    while data:
        packer = zlib.decompressobj(31)
        assert packer.decompress(data).startswith(b"WARC/1.1\r\n")
        data, members = packer.unused_data, members + 1
    assert members == len(records)


def test_the_first_record_says_what_is_not_as_it_was_sent(records: list[Record]) -> None:
    first, *others = records
    said = first.payload.decode()
    assert first.type == "warcinfo"
    assert "format: WARC File Format 1.1\r\n" in said
    assert "robots: obey\r\n" in said
    assert "Requests are made again" in said
    assert {one["WARC-Warcinfo-ID"] for one in others} == {first["WARC-Record-ID"]}


CODED = {
    "/gzip": {"content-encoding": "gzip"},
    "/br": {"content-encoding": "br"},
    "/deflate": {"content-encoding": "deflate"},
    "/chunks": {"transfer-encoding": "chunked"},
    "/gzip-chunks": {"transfer-encoding": "chunked", "content-encoding": "gzip"},
}


@pytest.mark.parametrize("path", CODED)
def test_a_coding_that_is_no_longer_there_is_moved_aside(path: str, records: list[Record]) -> None:
    first = answers(records, path)[0]
    for name, value in CODED[path].items():
        assert first.http.get_header(ASIDE + name) == value
        assert first.http.get_header(name) is None
    assert first.http.get_header("content-length") == str(len(first.payload))
    assert first.payload.startswith(b"<!doctype html>")


def test_what_could_not_be_unpacked_keeps_its_coding(records: list[Record]) -> None:
    broken = answers(records, "/broken")[0]
    assert broken.payload == b"this was never packed"
    assert broken.http.get_header("content-encoding") == "gzip"
    assert broken["WARC-Truncated"] == "unspecified"


def test_bytes_are_kept_in_their_own_charset(records: list[Record]) -> None:
    assert answers(records, "/latin")[0].payload == LATIN


def test_a_header_that_came_twice_is_there_twice(records: list[Record]) -> None:
    headers = answers(records, "/twice")[0].http.headers
    assert [value for name, value in headers if name == "x-twice"] == ["one", "two"]


def test_the_same_payload_is_written_once(records: list[Record]) -> None:
    same = [one for path in ("/same", "/again") for one in answers(records, path)]
    written = [one for one in same if one.type == "response"]
    again = [one for one in same if one.type == "revisit"]
    assert [one.payload for one in written] == [SAME]
    assert len(again) == 3
    for one in again:
        assert one["WARC-Profile"] == warc_records.SAME_PAYLOAD
        assert one["WARC-Refers-To-Target-URI"] == written[0]["WARC-Target-URI"]
        assert one["WARC-Refers-To-Date"] == written[0]["WARC-Date"]
        assert one["WARC-Payload-Digest"] == written[0]["WARC-Payload-Digest"]
        assert one.http.get_header("content-length") == str(len(SAME))


def test_a_304_is_a_revisit_that_the_server_confirmed(records: list[Record]) -> None:
    first, second = answers(records, "/note")
    assert (first.type, second.type) == ("response", "revisit")
    assert second["WARC-Profile"] == warc_records.NOT_MODIFIED
    assert second.http.get_statuscode() == "304"
    assert second.http.get_header("etag") == '"v1"'


def test_a_body_that_was_cut_says_so(records: list[Record]) -> None:
    first, second = answers(records, "/long")
    assert (first["WARC-Truncated"], second["WARC-Truncated"]) == ("length", "length")
    assert len(first.payload) == MAX_BODY
    assert first.http.get_header("content-length") == str(MAX_BODY)
    assert int(first.http.get_header(ASIDE + "content-length")) > MAX_BODY


def test_redirects_and_robots_txt_are_there(records: list[Record]) -> None:
    [moved, _] = answers(records, "/moved")
    assert moved.http.get_header("location") == "/deep#part"
    assert moved.http.get_statuscode() == "301"
    [robots, _] = answers(records, "/robots.txt")
    assert b"Disallow: /private" in robots.payload
    assert robots["X-Crawler-Kind"] == "robots"


def test_each_answer_has_its_address_and_its_request(records: list[Record]) -> None:
    told = [one for one in records if one.type in ("response", "revisit")]
    asked = {one["WARC-Concurrent-To"]: one for one in records if one.type == "request"}
    assert {one["WARC-IP-Address"] for one in told} == {"127.0.0.1"}
    assert set(asked) == {one["WARC-Record-ID"] for one in told}
    cafe = asked[answers(records, "/caf%C3%A9?b=2&a=1")[0]["WARC-Record-ID"]]
    assert cafe.http.statusline == "/caf%C3%A9?b=2&a=1 HTTP/1.1"
    assert cafe.http.protocol == "GET"
    assert (cafe.http.get_header("user-agent") or "").startswith("crawler/")
    assert cafe.http.get_header("host") == urlsplit(cafe["WARC-Target-URI"] or "").netloc


def test_one_run_can_be_taken_along(crawler: Terminal, crawled: Path) -> None:
    ran = crawler("export", "warc", "--db", str(crawled), "--run", "2", "--out", "2.warc.gz")
    assert ran.code == 0
    [[unchanged]] = rows(crawled, "SELECT count(*) FROM visits WHERE run_id = 2 AND status = 304")
    assert unchanged
    told = f"Without bodies, which the archive of an earlier run has (304): {unchanged} answer"
    assert told in ran.err
    whole = crawler("export", "warc", "--db", str(crawled), "--out", "all.warc.gz")
    assert "of an earlier run" not in whole.err
    dates = {
        one["WARC-Date"] for one in read(crawler.folder / "2.warc.gz") if one.type != "warcinfo"
    }
    assert dates == {
        at for (at,) in rows(crawled, "SELECT started_at FROM visits WHERE run_id = 2")
    }


def test_pages_under_a_condition_can_be_taken_along(crawler: Terminal, crawled: Path) -> None:
    ran = crawler(
        *("export", "warc", "--db", str(crawled), "--where", "status = 410", "--out", "g.warc.gz")
    )
    assert ran.code == 0, ran.err
    paths = {one.path for one in read(crawler.folder / "g.warc.gz") if one.type != "warcinfo"}
    assert paths == {"/gone"}


def test_pages_bring_along_what_they_need_to_look_right(crawler: Terminal) -> None:
    from tests.archives.site import publish
    from tests.crawls import config, crawl
    from tests.sites.web import Web

    web = Web()
    publish(web)
    crawl(crawler.folder / "a.db", web.url(), settings=config(assets={"mode": "fetch"}))
    web.close()
    ran = crawler(
        *("export", "warc", "--db", "a.db", "--where", "title = 'Front'", "--out", "f.warc.gz")
    )
    assert ran.code == 0, ran.err
    told = [one for one in read(crawler.folder / "f.warc.gz") if one.type == "response"]
    assert {one.path for one in told} == {"/", "/style.css", "/picture.png"}


def test_files_of_a_size_are_whole_each_and_hold_all_together(
    crawler: Terminal, crawled: Path, records: list[Record]
) -> None:
    ran = crawler("export", "warc", "--db", str(crawled), "--max-size", "9k", "--out", "parts")
    assert ran.code == 0, ran.err
    parts = sorted((crawler.folder / "parts").glob("*.warc.gz"))
    assert [part.name for part in parts][:2] == ["site-00000.warc.gz", "site-00001.warc.gz"]
    assert len(parts) > 3
    assert all(part.stat().st_size <= 9000 for part in parts)
    held = [one for part in parts for one in read(part)]
    firsts = [one for one in held if one.type == "warcinfo"]
    assert [one["WARC-Filename"] for one in firsts] == [part.name for part in parts]
    told = [(one["WARC-Target-URI"], one["WARC-Date"], one.type) for one in held]
    whole = [(one["WARC-Target-URI"], one["WARC-Date"], one.type) for one in records]
    assert [one for one in told if one[2] != "warcinfo"] == whole[1:]


def test_an_archive_goes_to_a_pipe(crawler: Terminal, crawled: Path, archive: Path) -> None:
    with crawler.start("export", "warc", "--db", str(crawled)) as process:
        out, _ = process.communicate(timeout=PATIENT_S)
    (crawler.folder / "piped.warc.gz").write_bytes(out)
    assert len(list(read(crawler.folder / "piped.warc.gz"))) == len(list(read(archive)))


def test_bodies_that_were_not_kept_are_told(crawler: Terminal, crawled: Path) -> None:
    from tests.crawls import config, crawl
    from tests.sites.web import Web

    web = Web()
    web.page("/", title="Not kept")
    web.robots("User-agent: *\n")
    database = crawler.folder / "lean.db"
    crawl(database, web.url(), settings=config(store={"bodies": False}))
    web.close()
    ran = crawler("export", "warc", "--db", str(database), "--out", "lean.warc.gz")
    assert "Without bodies, which the crawl did not keep: 1 answer" in ran.err
    [front] = answers(list(read(crawler.folder / "lean.warc.gz")), "/")
    assert front["WARC-Truncated"] == "unspecified"
    assert front.http.get_header("content-length") == "0"


def test_checks_and_visits_without_an_answer_are_told(crawler: Terminal) -> None:
    from tests.crawls import config, crawl
    from tests.sites.web import Web

    web = Web()
    web.page("/", links=["http://127.0.0.77:1/nobody"], body='<img src="/p.png">')
    database = crawler.folder / "checked.db"
    settings = config(
        scope={"check": ["assets", "external"], "allow_private": ["127.0.0.0/8"]}, pace={"tries": 1}
    )
    crawl(database, web.url(), settings=settings)
    web.close()
    ran = crawler("export", "warc", "--db", str(database), "--out", "checked.warc.gz")
    [(checks, silent)] = rows(
        database,
        "SELECT count(*) FILTER (WHERE kind = 'check' AND status IS NOT NULL),"
        " count(*) FILTER (WHERE status IS NULL) FROM visits",
    )
    assert checks
    assert f"Not in it, as they brought no document: {checks} check" in ran.err
    assert (f"for want of an answer: {silent} visit" in ran.err) == (silent > 0)
    told = {one["X-Crawler-Kind"] for one in read(crawler.folder / "checked.warc.gz")}
    assert "check" not in told


SIZES = {
    "500M": 500_000_000,
    "1G": 10**9,
    "1 GiB": 2**30,
    "1.5k": 1500,
    "2000": 2000,
    "3mb": 3 * 10**6,
}


@pytest.mark.parametrize("written", SIZES)
def test_a_size_is_read_as_people_write_it(written: str) -> None:
    assert size_of(written) == SIZES[written]


@pytest.mark.parametrize("written", ["", "0", "-1G", "big", "1X", "999", "1e9"])
def test_what_is_no_size_of_a_file_is_refused(written: str) -> None:
    with pytest.raises(UsageError, match="write 500M or 1G"):
        size_of(written)


HEAD = [("server", "x"), ("content-encoding", "gzip"), ("content-length", "9")]
CHUNKED = [("transfer-encoding", "chunked")]
STORED = [
    # as sent, body, unpacked: as it is written
    (
        HEAD,
        b"hello",
        True,
        [HEAD[0], (ASIDE + HEAD[1][0], "gzip"), (ASIDE + HEAD[2][0], "9"), ("content-length", "5")],
    ),
    ([("content-length", "5")], b"hello", False, [("content-length", "5")]),
    (CHUNKED, b"hello", False, [(ASIDE + CHUNKED[0][0], "chunked"), ("content-length", "5")]),
    # until the connection closes (RFC 9112, section 6.3): the record knows how long it is
    ([("server", "x")], b"hello", False, [("server", "x")]),
]


@pytest.mark.parametrize(("sent", "body", "unpacked", "written"), STORED)
def test_lengths_are_of_what_is_there(
    sent: list[tuple[str, str]], body: bytes, unpacked: bool, written: list[tuple[str, str]]
) -> None:
    answer = Answer(
        url="http://a.example/", date="", kind="page", method="GET", status=200,
        http_version=None, headers=sent, ip=None, body=body, size=None, sha256=None,
        expects_body=True, is_decoded=unpacked, truncated=None, media_type=None,
    )  # fmt: skip
    assert as_stored(answer) == written


def test_no_header_can_begin_another_line() -> None:
    answer = Answer(
        url="http://a.example/", date="", kind="page", method="GET", status=200,
        http_version="1.1", headers=[("x", "a\r\nSet-Cookie: b")], ip=None, body=None, size=None,
        sha256=None, expects_body=False, is_decoded=False, truncated=None, media_type=None,
    )  # fmt: skip
    assert warc_records.head(answer) == b"HTTP/1.1 200 OK\r\nx: a  Set-Cookie: b\r\n\r\n"


def test_packed_pages_are_held_unpacked(records: list[Record]) -> None:
    assert answers(records, "/gzip")[0].payload == PACKED


def test_the_database_may_be_one_of_before_there_were_imports(
    crawler: Terminal, crawled: Path
) -> None:
    import shutil
    import sqlite3
    from contextlib import closing

    old = crawler.folder / "old.db"
    shutil.copy(crawled, old)
    with closing(sqlite3.connect(old)) as connection:
        views = connection.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall()
        for (name,) in views:
            connection.execute(f'DROP VIEW "{name}"')
        connection.execute("ALTER TABLE runs DROP COLUMN via")
        connection.commit()
    ran = crawler("export", "warc", "--db", str(old), "--out", "old.warc.gz")
    assert ran.code == 0, ran.err
    assert len(list(read(crawler.folder / "old.warc.gz"))) > 40

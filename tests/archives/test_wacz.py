"""A crawl as a WACZ file, held against the specification (https://specs.webrecorder.net/wacz/)."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import pytest
from warcio.archiveiterator import ArchiveIterator

from tests.crawls import rows
from tests.patience import PATIENT_S
from tests.terminal import Terminal


@pytest.fixture(scope="module")
def package(crawled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The crawl, taken along."""
    made = tmp_path_factory.mktemp("package") / "site.wacz"
    ran = Terminal(made.parent)("export", "wacz", "--db", str(crawled), "--out", str(made))
    assert ran.code == 0, ran.err
    return made


@pytest.fixture(scope="module")
def held(package: Path) -> dict[str, bytes]:
    """Its files."""
    with ZipFile(package) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist()}


def index(held: dict[str, bytes]) -> list[tuple[str, str, dict[str, Any]]]:
    lines = gzip.decompress(held["indexes/index.cdx.gz"]).decode().splitlines()
    return [(*line.split(" ", 2)[:2], json.loads(line.split(" ", 2)[2])) for line in lines]  # type: ignore[misc]


def test_it_lists_all_its_files_with_their_digests(held: dict[str, bytes]) -> None:
    package = json.loads(held["datapackage.json"])
    assert package["profile"] == "data-package"
    assert package["wacz_version"] == "1.1.1"
    listed = {one["path"]: (one["hash"], one["bytes"]) for one in package["resources"]}
    there = {
        name: (f"sha256:{hashlib.sha256(data).hexdigest()}", len(data))
        for name, data in held.items()
        if not name.startswith("datapackage")
    }
    assert listed == there
    signed = json.loads(held["datapackage-digest.json"])
    digest = hashlib.sha256(held["datapackage.json"]).hexdigest()
    assert signed == {"path": "datapackage.json", "hash": f"sha256:{digest}"}


def test_what_is_read_from_the_middle_is_not_packed_again(package: Path) -> None:
    with ZipFile(package) as opened:
        how = {one.filename: one.compress_type for one in opened.infolist()}
    assert how["archive/data.warc.gz"] == how["indexes/index.cdx.gz"] == ZIP_STORED


def test_each_file_begins_where_its_list_says(package: Path) -> None:
    """Readers that find no extra field in the list look for none in the file."""
    data = package.read_bytes()
    with ZipFile(package) as opened:
        for one in opened.infolist():
            extra = int.from_bytes(data[one.header_offset + 28 : one.header_offset + 30], "little")
            assert bool(one.extra) == bool(extra)


def test_the_index_is_in_order_and_leads_to_each_answer(
    held: dict[str, bytes], crawled: Path
) -> None:
    found = index(held)
    assert [one[:2] for one in found] == sorted(one[:2] for one in found)
    data = held["archive/data.warc.gz"]
    for _, timestamp, fields in found:
        place = int(fields["offset"])
        part = io.BytesIO(data[place : place + int(fields["length"])])
        [record] = list(ArchiveIterator(part))
        assert record.rec_headers.get_header("WARC-Target-URI") == fields["url"]
        assert record.http_headers.get_statuscode() == fields["status"]
        date = "".join(c for c in record.rec_headers.get_header("WARC-Date") if c.isdigit())
        assert date.startswith(timestamp)
        assert (fields["mime"] == "warc/revisit") == (record.rec_type == "revisit")
        assert fields.get("digest") == record.rec_headers.get_header("WARC-Payload-Digest")
        assert fields["filename"] == "data.warc.gz"
    [(answered,)] = rows(
        crawled, "SELECT count(*) FROM visits WHERE status IS NOT NULL AND kind <> 'check'"
    )
    assert len(found) == answered


def test_pages_have_their_titles_and_texts(held: dict[str, bytes], crawled: Path) -> None:
    head, *pages = [json.loads(line) for line in held["pages/pages.jsonl"].splitlines()]
    assert head == {"format": "json-pages-1.0", "id": "pages", "title": "Pages", "hasText": True}
    told = {page["url"]: (page["title"], page.get("text", "")) for page in pages}
    stored = rows(
        crawled,
        """
        SELECT pages.url, coalesce(pages.title, pages.url), coalesce(texts.text, '')
        FROM pages
        LEFT JOIN texts ON texts.body_id = pages.body_id
        WHERE pages.status = 200 AND pages.content_type = 'text/html'
        """,
    )
    # Of a page that a 304 confirmed, the last answer is the one before.
    assert told == {url: (title, text) for url, title, text in stored}
    assert len({page["id"] for page in pages}) == len(pages) > 10
    assert all(page["ts"] for page in pages)
    front = json.loads(held["datapackage.json"])["mainPageUrl"]
    assert front == pages[0]["url"]


def test_it_goes_to_a_pipe(crawler: Terminal, crawled: Path, held: dict[str, bytes]) -> None:
    with crawler.start("export", "wacz", "--db", str(crawled)) as process:
        out, _ = process.communicate(timeout=PATIENT_S)
    with ZipFile(io.BytesIO(out)) as opened:
        assert opened.testzip() is None
        assert set(opened.namelist()) == set(held)
        assert opened.read("pages/pages.jsonl") == held["pages/pages.jsonl"]

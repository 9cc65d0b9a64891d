"""Is every line of a seeds file read as the person meant it, and none lost?"""

from __future__ import annotations

import gzip
import os
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest
from gevent.monkey import get_original

from crawler.errors import UsageError
from crawler.loader import MAX_LINE, default_database, read_seeds

Written = Callable[[bytes], str]

close = get_original("os", "close")
"""At once. gevent's own waits until the loop has something else to do, which may be never."""


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes a seeds file and gives its path."""

    def write(content: bytes) -> str:
        path = tmp_path / "seeds.txt"
        path.write_bytes(content)
        return str(path)

    return write


@pytest.fixture
def stdin() -> Iterator[int]:
    """The end of a pipe whose other end is the standard input."""
    saved = os.dup(0)
    reading, writing = os.pipe()
    os.dup2(reading, 0)
    close(reading)
    yield writing
    os.dup2(saved, 0)
    close(saved)


def found(source: str) -> list[tuple[int, str]]:
    """The seeds that can be crawled: line and URL."""
    return [(seed.line, seed.target.url) for seed in read_seeds(source) if seed.error is None]


def refusal(source: str) -> str:
    """The one line with which a source is refused, before anything of it is used."""
    with pytest.raises(UsageError) as caught:
        read_seeds(source)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_blank_lines_comments_and_a_byte_order_mark_are_no_seeds(written: Written) -> None:
    path = written(b"\xef\xbb\xbfhttp://a.example/\n\n# a comment\n  http://b.example/  # mine\n")
    assert found(path) == [(1, "http://a.example/"), (4, "http://b.example/")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_kind_of_line_end_counts_lines(written: Written, end: bytes) -> None:
    path = written(end.join([b"http://a.example/", b"", b"http://b.example/"]))
    assert found(path) == [(1, "http://a.example/"), (3, "http://b.example/")]


def test_a_line_end_cut_by_a_chunk_is_one_line_end(written: Written) -> None:
    lines = b"".join(b"http://a.example/%05d\r\n" % number for number in range(20_000))
    assert [line for line, _ in found(written(lines))] == list(range(1, 20_001))


def test_a_bad_line_is_told_by_its_number_and_the_rest_is_read(written: Written) -> None:
    seeds = list(read_seeds(written(b"http://a.example/\nftp://b.example/\nhttp://[\nc.example\n")))
    assert [(seed.line, seed.error is None) for seed in seeds] == [
        (1, True),
        (2, False),
        (3, False),
        (4, True),
    ]


def test_bytes_that_are_not_utf8_spoil_only_their_line(written: Written) -> None:
    path = written(b"http://a.example/\n\xff\xfe\xe9 latin\nhttp://b.example/\n")
    assert [line for line, _ in found(path)] == [1, 3]


@pytest.mark.parametrize("beginning", [b"http://a.example/", b" "])
def test_an_overlong_line_is_an_error_and_no_more(written: Written, beginning: bytes) -> None:
    path = written(beginning.ljust(MAX_LINE + 1, b" ") + b"x\nhttp://b.example/\n")
    first, second = read_seeds(path)
    assert first.error == "the line is longer than 65,536 characters"
    assert (second.line, second.target.url) == (2, "http://b.example/")


def test_an_overlong_comment_is_a_comment(written: Written) -> None:
    path = written(b"#".ljust(3 * MAX_LINE, b"x") + b"\nhttp://b.example/\n")
    assert found(path) == [(2, "http://b.example/")]


def test_a_file_is_never_held_whole(written: Written) -> None:
    path = written(b"x" * 8_000_000 + b"\n" + b"http://a.example/\n" * 20_000)
    tracemalloc.start()
    count = sum(1 for _ in read_seeds(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_001
    assert peak < 4_000_000


def test_what_is_no_seeds_file_is_refused_in_one_line(tmp_path: Path, written: Written) -> None:
    assert refusal(str(tmp_path / "none.txt")) == (
        f"{tmp_path / 'none.txt'}: no such file; write one address a line into it; "
        "config/seeds.txt is an example"
    )
    assert refusal(str(tmp_path)) == f"{tmp_path}: cannot be read: Is a directory"
    path = written(b"")
    assert refusal(path) == f"{path}: no seeds in it; write one address a line"
    assert "no seeds in it" in refusal(written(b"\n# only a comment\n\n"))
    assert "is not a text file" in refusal(written(b"\x7fELF\x02\x01\x01\x00\x00"))
    assert "save it as UTF-8" in refusal(written("http://a.example/\n".encode("utf-16")))
    assert "a\0b: cannot be read" in refusal("a\0b")


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ("https://example.org/a", "https://example.org/a"),
        ("HTTP://example.org", "http://example.org/"),
        ("example.org", "https://example.org/"),
        ("www.example.org:8080/a?b", "https://www.example.org:8080/a?b"),
    ],
)
def test_an_address_in_place_of_a_file_is_a_seed(source: str, url: str) -> None:
    assert found(source) == [(1, url)]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("http://", "http://: not an address"),
        ("http://example.org:25/", "http://example.org:25/: this port is never connected to"),
        ("http://a b.example/", "http://a b.example/: not an address"),
    ],
)
def test_an_address_in_place_of_a_file_has_to_be_one(source: str, message: str) -> None:
    assert refusal(source) == message


def test_files_and_addresses_are_read_one_after_the_other(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text(f"http://{name}.example/\n")
    seeds = read_seeds(str(tmp_path / "a.txt"), "http://x.example/", str(tmp_path / "b.txt"))
    assert [(seed.line, seed.target.url) for seed in seeds] == [
        (1, "http://a.example/"),
        (2, "http://x.example/"),
        (1, "http://b.example/"),
    ]


@pytest.mark.parametrize(
    ("sources", "name"),
    [
        (("lists/places.txt",), "places.db"),
        (("-",), "stdin.db"),
        (("https://www.example.org:8080/a", "b.txt"), "www.example.org.db"),
        (("https://www.example.org:443/",), "www.example.org.db"),
        (("http://127.0.0.1:8000/",), "127.0.0.1.db"),
        (("http://[::1]:80/",), "::1.db"),
        (("http://b\u00fccher.example/",), "xn--bcher-kva.example.db"),
    ],
)
def test_a_database_is_named_by_the_first_source(sources: tuple[str, ...], name: str) -> None:
    assert default_database(sources, Path("data")) == Path("data") / name


@pytest.mark.parametrize(
    ("line", "url"),
    [
        (b"http://m\xfcnchen.example/", "http://xn--mnchen-3ya.example/"),
        (b"http://a.example/stra\xdfe", "http://a.example/stra%C3%9Fe"),
        (b"http://a.example/\x93x\x94", "http://a.example/%E2%80%9Cx%E2%80%9D"),
    ],
)
def test_a_line_that_is_no_utf8_is_read_as_windows_1252(
    written: Written, line: bytes, url: str
) -> None:
    path = written("http://\u00e9.example/\n".encode() + line + b"\n")
    assert [place for _, place in found(path)] == ["http://xn--9ca.example/", url]


def test_the_column_of_a_table_that_holds_addresses_is_read(tmp_path: Path) -> None:
    rows = [b"name,url,note"]
    rows += [b'"Place, %d",http://h.example/%d,"a\nnote"' % (n, n) for n in range(5000)]
    (tmp_path / "places.csv").write_bytes(b"\n".join(rows))
    seeds = read_seeds(str(tmp_path / "places.csv"))
    assert seeds.notices == [
        f'{tmp_path}/places.csv is a table: the addresses are taken from its column "url"'
    ]
    assert [seed.target.url for seed in seeds] == [f"http://h.example/{n}" for n in range(5000)]


def test_a_quote_that_is_never_closed_loses_no_row_before_it(tmp_path: Path) -> None:
    text = 'url,note\nhttp://a.example/,x\nhttp://b.example/,y\nhttp://c.example/,"z\n'
    (tmp_path / "places.csv").write_text(text)
    seeds = read_seeds(str(tmp_path / "places.csv"))
    assert [seed.target.url for seed in seeds] == [
        "http://a.example/",
        "http://b.example/",
        "http://c.example/",
    ]


@pytest.mark.parametrize("name", ["places.csv", "places.txt"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("note", ['5" disk', 'a "b', '"a"b', '"a ""b"" c"', '"a,;\t""', '"x\ny\t"'])
def test_a_quote_within_a_cell_loses_no_row_behind_it(
    tmp_path: Path, name: str, mark: str, note: str
) -> None:
    notes = ["x"] * 8 + [note] + ["y"] * 200 + [note, "z"]
    if note.startswith('"a,'):  # it is open, and closed by the next
        notes = ["x"] * 8 + [note] + ["y"] * 20_000
    rows = [f"http://h.example/{number}{mark}{note}" for number, note in enumerate(notes)]
    (tmp_path / name).write_text("\n".join([f"url{mark}note", *rows, ""]))
    seeds = read_seeds(str(tmp_path / name))
    found = [seed.target.url for seed in seeds]
    assert found == [f"http://h.example/{number}" for number in range(len(notes))]


def test_a_table_without_addresses_says_so(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("name,age\nAnn,12\n")
    assert refusal(str(tmp_path / "people.csv")) == (
        f"{tmp_path}/people.csv: no column of it holds addresses; write one address a line"
    )


SITEMAP = b"""<?xml version="1.0" encoding="%s"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
<url><loc>http://h.example/a?x=1&amp;y=2</loc><lastmod>2026-01-01</lastmod></url>
<url><loc> http://h.example/\xe4 </loc></url></urlset>"""


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_sitemap_is_a_list_of_seeds(written: Written, pack: Callable[[bytes], bytes]) -> None:
    """https://www.sitemaps.org/protocol.html; as it stands on a disk, packed or not."""
    seeds = read_seeds(written(pack(SITEMAP % b"iso-8859-1")))
    found = ["http://h.example/a?x=1&y=2", "http://h.example/%C3%A4"]
    assert [(seed.line, seed.target.url) for seed in seeds] == list(enumerate(found, 1))
    assert any("is a sitemap" in notice for notice in seeds.notices)


@pytest.mark.parametrize("text", [b"<html><body>http://h.example/", b"<a>", gzip.compress(b"x")])
def test_what_is_no_list_is_refused_in_one_line(written: Written, text: bytes) -> None:
    assert refusal(written(text)).endswith("lists no addresses; write one address a line")


def test_a_look_ahead_takes_nothing_away(written: Written) -> None:
    urls = [f"http://h.example/{n}" for n in range(5000)]
    seeds = read_seeds(written("\n".join(urls).encode()))
    assert next(seeds).target.url == urls[0]
    assert [seed.target.url for seed in seeds.beginning(3000)][:3000] == urls[1:3001]
    assert [seed.target.url for seed in seeds] == urls[1:]


def test_the_standard_input_is_read_while_others_work(stdin: int) -> None:
    ticks: list[float] = []

    def write() -> None:
        for text in (b"http://a.exam", b"ple/\nhttp://b.example/\n"):
            gevent.sleep(0.05)
            os.write(stdin, text)
        close(stdin)

    def tick() -> None:
        while True:
            ticks.append(0.0)
            gevent.sleep(0.01)

    writing, ticking = gevent.spawn(write), gevent.spawn(tick)
    try:
        assert found("-") == [(1, "http://a.example/"), (2, "http://b.example/")]
    finally:
        gevent.killall([writing, ticking])
    assert len(ticks) >= 2


def test_an_empty_standard_input_is_refused(stdin: int) -> None:
    close(stdin)
    assert refusal("-") == "standard input: no seeds in it; write one address a line"

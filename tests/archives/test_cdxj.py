"""The index of an archive."""

from __future__ import annotations

import gzip
import io
import json
import random

import pytest

from crawler.exports import cdxj
from crawler.exports.cdxj import Sorter, surt, write_blocks

SURTS = {
    # as the Python package surt 0.3.1 of the Internet Archive has them
    "http://example.com/": "com,example)/",
    "https://www.example.com/": "com,example)/",
    "http://www2.example.com:8080/A//b/?B=2&a=1&a": "com,example:8080)/a/b?a&a=1&b=2",
    "https://example.com./x%20y%2525": "com,example)/x%20y%25",
    "http://example.com/?": "com,example)/",
    "http://example.com/a?b=%41%C3%A9&&": "com,example)/a?&&b=a%c3%a9",
    "http://192.168.1.1/x": "1,1,168,192)/x",
    "http://[2001:db8::1]:8080/x": "2001:db8::1:8080)/x",
    "http://xn--bcher-kva.example/%C3%BC": "example,xn--bcher-kva)/%c3%bc",
    "http://example.com/a/b/": "com,example)/a/b",
    "http://example.com/~a(b)'!*$,;:@": "com,example)/~a(b)'!*$,;:@",
    "http://example.com/a%2Fb": "com,example)/a/b",
    "http://www.com/": "com)/",
    "http://example.com/a%00b": "com,example)/a%00b",
    "http://example.com/%E3%81%82?q=%E3%81%82+x": "com,example)/%e3%81%82?q=%e3%81%82+x",
    "http://example.com/a?b=1&b=1=2&b=1": "com,example)/a?b=1&b=1&b=1=2",
}


@pytest.mark.parametrize("url", SURTS)
def test_an_address_is_spelt_as_archives_sort_it(url: str) -> None:
    assert surt(url) == SURTS[url]


def test_a_line_has_the_moment_in_digits_and_the_address_as_it_was() -> None:
    line = cdxj.line("http://www.a.example/B", "2026-11-29T02:20:13.224Z", {"status": "200"})
    key, timestamp, fields = line.split(" ", 2)
    assert (key, timestamp) == ("example,a)/b", "20261129022013")
    assert json.loads(fields) == {"url": "http://www.a.example/B", "status": "200"}
    assert line.endswith("\n")


@pytest.mark.parametrize("at_once", [1, 300, 10_000_000])
def test_lines_come_in_order_however_few_fit_into_memory(at_once: int) -> None:
    lines = [f'com,example)/{at:05d} 20260101000000 {{"n": {at}}}\n' for at in range(2500)]
    mixed = random.Random(1).sample(lines, len(lines))
    with Sorter(at_once) as sorter:
        for line in mixed:
            sorter.add(line)
        assert list(sorter.lines()) == lines


def test_blocks_are_found_by_the_index_of_blocks() -> None:
    lines = [
        f'com,example)/{number:05d} 20260101000000 {{"n": {number}}}\n' for number in range(2500)
    ]
    out = io.BytesIO()
    head, *index = write_blocks(lines, out, name="index.cdx.gz")
    assert head == '!meta 0 {"format": "cdxj-gzip-1.0", "filename": "index.cdx.gz"}\n'
    read: list[str] = []
    for told in index:
        key, _, fields = told.partition(" {")
        place = json.loads("{" + fields)
        block = out.getvalue()[place["offset"] : place["offset"] + place["length"]]
        found = gzip.decompress(block).decode().splitlines(keepends=True)
        assert found[0].startswith(key + " {")
        read += found
    assert read == lines
    assert len(index) == 3

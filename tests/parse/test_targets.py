"""What was read in other documents must not change what this one says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.parse import targets
from crawler.parse.elements import Survey
from crawler.parse.targets import REMEMBERED_BYTES, Targets
from crawler.policy.urls import ORDINARY, Resolver, UrlRules

BASES = (
    "http://h.test/d/p.html",
    "http://h.test/d/q.html?x=1",
    "http://h.test/d/",
    "http://h.test/",
    "https://h.test/d/p.html",
    "http://h.test:8080/d/e/",
    "http://h.test",
    "mailto:somebody@h.test",
    "nonsense",
)
PARTS = (
    *("a", "x.html", "..", ".", "/", "//o.test", "http://o.test/", "HTTP:", "http:", "?", "q=1"),
    *("#", "#s", "s t", " ", "\t", "\n", "%20", "\u00e9", ":", "\\", "[", "mailto:x", "99999"),
)


def places(read: Targets, hrefs: list[str]) -> tuple[list[int], list[str | None]]:
    survey = Survey()
    for href in hrefs:
        survey.add("a", href)
    return read.places(survey.texts, survey.fragments, plain=survey.plain)


@settings(max_examples=400)
@given(
    st.lists(
        st.tuples(st.sampled_from(BASES), st.lists(st.lists(st.sampled_from(PARTS)).map("".join))),
        max_size=6,
    )
)
def test_addresses_are_those_of_the_url_parser_whatever_was_read_before(
    documents: list[tuple[str, list[str]]],
) -> None:
    for base, hrefs in documents:
        exact = Resolver(base)
        read = Targets(base, ORDINARY)
        indexes, fragments = places(read, hrefs)
        assert set(indexes) == set(range(len(read.found))), "an address that nothing links to"
        found = [read.found[index] for index in indexes]
        expected = [exact.resolve(href) for href in hrefs]
        assert found == [target for target, _ in expected]
        assert (fragments or [None] * len(hrefs)) == [fragment for _, fragment in expected]


@pytest.mark.parametrize(("charset", "query"), [("utf-8", "%C3%A9"), ("windows-1252", "%E9")])
def test_a_query_is_remembered_by_the_encoding_of_its_page(charset: str, query: str) -> None:
    for _ in range(2):
        read = Targets("http://h.test/d/p.html", ORDINARY, charset)
        read.place("s?q=\u00e9")
        assert [target.url for target in read.found] == [f"http://h.test/d/s?q={query}"]


def test_a_limit_on_addresses_is_remembered_with_them() -> None:
    for limit, refusal in ((2083, None), (20, "url_too_long"), (2083, None)):
        read = Targets("http://h.test/", UrlRules(limit))
        read.place("/a-long-path-of-a-page")
        assert [target.refusal for target in read.found] == [refusal]


@pytest.mark.parametrize("folder", ["d", "d" * 1900])
def test_memory_of_addresses_is_bounded(folder: str) -> None:
    for number in range(60):
        read = Targets(f"http://h.test/{folder}/{number}/", ORDINARY)
        places(read, [f"{number}-{at}" for at in range(1000)])
    known = [part for places in targets._memory._known.values() for part in places.values()]
    kept = sum(len(text) + len(found.url) for part in known for text, (_, found) in part.items())
    assert 0 < kept <= REMEMBERED_BYTES + 1000 * 2000


def test_what_cannot_be_remembered_drives_nothing_out() -> None:
    before = targets._memory._bytes
    read = Targets("http://h.test/z/p.html", ORDINARY)
    places(read, [f"?page={number}" for number in range(500)])
    assert targets._memory._bytes - before < 1000

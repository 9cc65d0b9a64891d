"""What does a line of a seeds file mean?"""

from __future__ import annotations

import pytest

from crawler.policy.seeds import over_http, read_line

HALF = "not an address: write http:// or https:// before the host"


@pytest.mark.parametrize("line", ["", "   ", "\t", "# a comment", "  # another", "\ufeff", "\r\n"])
def test_blank_lines_and_comments_are_no_seeds(line: str) -> None:
    assert read_line(1, line) is None


@pytest.mark.parametrize(
    ("line", "url", "assumed"),
    [
        ("https://example.org/a", "https://example.org/a", False),
        ("http://example.org", "http://example.org/", False),
        ("HTTP://EXAMPLE.org/A", "http://example.org/A", False),
        ("  https://example.org/  ", "https://example.org/", False),
        ("\ufeffhttps://example.org/", "https://example.org/", False),
        ("https://example.org/ # the home page", "https://example.org/", False),
        ("https://example.org/\t# the home page", "https://example.org/", False),
        ("https://example.org/#part", "https://example.org/", False),
        ("https://user:secret@example.org/", "https://example.org/", False),
        # without a scheme, https comes first
        ("example.org", "https://example.org/", True),
        ("example.org/a?b=c", "https://example.org/a?b=c", True),
        ("example.org:8080/a", "https://example.org:8080/a", True),
        ("localhost:8080", "https://localhost:8080/", True),
        ("//example.org/a", "https://example.org/a", True),
        ("127.0.0.1", "https://127.0.0.1/", True),
        ("[::1]:8080", "https://[::1]:8080/", True),
        ("bücher.example", "https://xn--bcher-kva.example/", True),
        # what programs and letters put around an address
        ('"https://example.org/a"', "https://example.org/a", False),
        ('"https://example.org/a",', "https://example.org/a", False),
        ("'example.org'", "https://example.org/", True),
        ("<https://example.org/a>", "https://example.org/a", False),
        ("\u201chttps://example.org/a\u201d", "https://example.org/a", False),
        ("\u00abhttps://example.org/a\u00bb;", "https://example.org/a", False),
        ('"https://example.org/a"  # mine', "https://example.org/a", False),
        ("\u200bhttps://example.org/", "https://example.org/", False),
        ("\u200e\u00a0https://example.org/\u200b\u2060", "https://example.org/", False),
        ("\u200bexample.org", "https://example.org/", True),
        # and what belongs to it
        ("https://example.org/a,", "https://example.org/a,", False),
        ("https://example.org/(a)", "https://example.org/(a)", False),
        ("http.example.org/", "https://http.example.org/", True),
        ("tps.example.org/", "https://tps.example.org/", True),
    ],
)
def test_a_line_names_an_address(line: str, url: str, assumed: bool) -> None:
    seed = read_line(7, line)
    assert seed is not None
    assert (seed.line, seed.target.url, seed.scheme_assumed, seed.error) == (7, url, assumed, None)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("ftp://example.org/", "only http and https addresses can be crawled"),
        ("mailto:me@example.org", "only http and https addresses can be crawled"),
        ("javascript:alert(1)", "only http and https addresses can be crawled"),
        ("https://", "not an address"),
        ("https://exa mple.org/", "not an address"),
        ("https://example.org:99999/", "not an address"),
        ("https://example.org:25/", "this port is never connected to"),
        ("https://example.org/" + "a" * 3000, "the address is too long"),
        (
            "https://example.org/ https://example.com/",
            "more than one word; write one address a line",
        ),
        ("two words", "not an address"),
        ("http//example.org", HALF),
        ("https//example.org/a", HALF),
        ("http/example.org", HALF),
        ("ttp//example.org", HALF),
        ("http;//example.org", HALF),
        ("www,example,org", "not an address"),
        ("https://exam'ple.org/", "not an address"),
        ("https://example.org$/", "not an address"),
        ("hxxp://example.org/", "only http and https addresses can be crawled"),
    ],
)
def test_a_line_that_cannot_be_crawled_says_why(line: str, error: str) -> None:
    seed = read_line(1, line)
    assert seed is not None
    assert seed.error == error
    assert not seed.scheme_assumed


def test_what_was_written_is_kept_as_text_that_any_database_takes() -> None:
    seed = read_line(1, "https://example.org/\0\ud800")
    assert seed is not None
    assert "\0" not in seed.text
    seed.text.encode()


@pytest.mark.parametrize(
    ("secure", "plain"),
    [
        ("example.org/a", "http://example.org/a"),
        ("example.org:8443", "http://example.org:8443/"),
        ("https.example.org", "http://https.example.org/"),
    ],
)
def test_an_address_without_a_scheme_has_a_form_over_http(secure: str, plain: str) -> None:
    seed = read_line(1, secure)
    assert seed is not None
    assert over_http(seed.target).url == plain


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("http://ann:secret@h.test/a", "http://***@h.test/a"),
        ("HTTPS://ann@h.test", "HTTPS://***@h.test"),
        ("//ann:se@cret@h.test/@x", "//***@h.test/@x"),
        ("http:\\\\ann:secret@h.test", "http:\\\\***@h.test"),
        ("http://h.test/@ann?q=a@b", "http://h.test/@ann?q=a@b"),
        ("h.test/@ann", "h.test/@ann"),
        ("http://ann:secret@h .test/a", "http://***@h .test/a"),
        ("ann:secret@h.test/a", "***@h.test/a"),
        ("ftp://ann:secret@h.test/a", "ftp://***@h.test/a"),
        ("https://ann:se/secret@h.test/a", "https://***@h.test/a"),
        ("https://ann:se#secret?@h.test/a", "https://***@h.test/a"),
        ("mailto:ann@h.test", "mailto:ann@h.test"),
        ("http://h.test:0x/@ann?q=a@b", "http://***@b"),
        ("h h.test/@ann", "h h.test/@ann"),
        ("https://h.test/a https://h.test/@ann", "https://h.test/a https://h.test/@ann"),
        (":" * 100_000, ":" * 100_000),
    ],
)
def test_no_password_is_kept(line: str, text: str) -> None:
    seed = read_line(1, line)
    assert seed is not None
    assert seed.text == text
    assert "secret" not in seed.target.url

"""Does each URL have a file of its own, on every system?"""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.policy.file_names import MAX_PATH, file_of

MARKED = r"~[a-z2-7]{16}"


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("https://example.org/", "example.org/index.md"),
        ("https://example.org/a/b.html", "example.org/a/b.html.md"),
        ("https://example.org/a/", "example.org/a/index.md"),
        ("http://example.org/", "example.org,http/index.md"),
        ("https://example.org:8443/a", "example.org,8443/a.md"),
        ("http://[2001:db8::1]:80/a", "[2001-db8--1],http,80/a.md"),
        ("https://[2001:db8::1]/a", "[2001-db8--1]/a.md"),
    ],
)
def test_a_plain_address_is_its_file(url: str, file: str) -> None:
    assert file_of(url, ".md") == file


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("About", f"About{MARKED}"),
        ("a?id=1", f"a_id=1{MARKED}"),
        ("?id=1", f"index_id=1{MARKED}"),
        ("index", f"index{MARKED}"),
        ("con", f"con{MARKED}"),
        ("com1.html", f"_com1.html{MARKED}"),
        ("NUL.txt?a=1", f"_NUL.txt_a=1{MARKED}"),
        ("lpt\u00b9.x/c", f"_lpt\u00b9.x{MARKED}/c"),
        ("nul", f"nul{MARKED}"),
        ("a.", f"a{MARKED}"),
        (".htaccess", f"htaccess{MARKED}"),
        ("..%2f..%2fetc", f"etc{MARKED}"),
        ("a%00b", f"a_b{MARKED}"),
        ("gr%C3%BC%C3%9F", f"gr\u00fc\u00df{MARKED}"),
        ("a:b*c%22d", f"a_b_c_d{MARKED}"),
        ("a~b", f"a_b{MARKED}"),
        ("x" * 300, f"x{{83}}{MARKED}"),
        ("b.md/c", f"b.md{MARKED}/c"),
        ("A/c", f"A{MARKED}/c"),
        ("a//c", f"a/_{MARKED}/c"),
        ("/".join("abcdefgh" for _ in range(40)) + "/last", f"last{MARKED}"),
    ],
)
def test_what_no_system_or_not_every_one_takes_is_marked(path: str, pattern: str) -> None:
    """Names of Windows and what it forbids: learn.microsoft.com, Naming Files, Paths."""
    made = file_of(f"https://example.org/{path}", ".md")
    assert re.fullmatch(rf"example\.org/{pattern}\.md", made)
    assert not PureWindowsPath(made).is_reserved()
    assert not any(PureWindowsPath(part).is_reserved() for part in made.split("/"))


PATHS = st.text('aAbB.~%2F/?=:*|<>"\\ \u00e4-_conidx', max_size=40)


def alike(path: str) -> str:
    """What is the same name somewhere."""
    return unicodedata.normalize("NFD", path).casefold()


@given(PATHS, PATHS)
def test_no_two_addresses_share_a_file_or_need_a_file_where_a_folder_is(one: str, two: str) -> None:
    files = [file_of(f"https://example.org/{path}", ".md") for path in (one, two)]
    if one == two:
        assert files[0] == files[1]
        return
    first, second = map(alike, files)
    assert first != second
    assert not first.startswith(f"{second}/")
    assert not second.startswith(f"{first}/")


@given(st.text(max_size=300))
def test_every_name_can_be_anywhere(path: str) -> None:
    made = file_of(f"https://example.org/{path}", ".md")
    assert len(made) <= MAX_PATH
    assert not PurePosixPath(made).is_absolute()
    assert not PureWindowsPath(made).is_reserved()
    for part in made.split("/"):
        assert part.strip(". ") == part
        assert part
        assert len(part.encode()) <= 143
        assert not re.search(r'[<>:"|?*\\\x00-\x1f]', part)

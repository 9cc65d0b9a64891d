"""Which media type do the headers of an answer name?"""

from __future__ import annotations

import json

import pytest

from crawler.parse.content_type import MediaType, extracted, parsed
from tests.parse import page
from tests.sites.skip import require_corpus


def written(media: MediaType | None) -> str | None:
    """As https://mimesniff.spec.whatwg.org/#serializing-a-mime-type has it."""
    if media is None:
        return None
    parts = [media.essence]
    for name, value in media.parameters.items():
        plain = value and all(char.isalnum() or char in "!#$%&'*+-.^_`|~" for char in value)
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        parts.append(f"{name}={value}" if plain else f'{name}="{escaped}"')
    return ";".join(parts)


def test_headers_mean_what_the_web_platform_tests_say() -> None:
    cases = json.loads((require_corpus("wpt-fetch") / "content-types.json").read_text())
    assert len(cases) == 16
    for case in cases:
        # as headers of their own, and as one
        for values in (case["input"], [", ".join(case["input"])]):
            found = extracted(values)
            assert written(found) == case["mimeType"], case
            headers = tuple(("Content-Type", value) for value in values)
            document = page.parsed(b"<p>\xe4", None, headers=headers)
            assert document.content_type == case["documentContentType"]
            if case["encoding"]:
                assert document.charset == case["encoding"].lower()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # https://mimesniff.spec.whatwg.org/#parsing-a-mime-type
        ("text/html", "text/html"),
        (" Text/HTML ; Charset=GBK\t", "text/html;charset=GBK"),
        ("text/html;charset=gbk;charset=utf-8", "text/html;charset=gbk"),
        ("text/html;x=1;charset = gbk", "text/html;x=1"),
        ("text/html;charset= gbk", 'text/html;charset=" gbk"'),
        ("text/html; charset", "text/html"),
        ("text/html;charset=;x=y", "text/html;x=y"),
        ('text/html;charset="gbk"x;y=z', "text/html;charset=gbk;y=z"),
        ('text/html;charset="g\\b\\k', "text/html;charset=gbk"),
        ('text/html;x="charset=koi8-r;";charset=gbk', 'text/html;x="charset=koi8-r;";charset=gbk'),
        ("text/html;;;;charset=gbk", "text/html;charset=gbk"),
        ("text/html;charset=\u0100;x=y", "text/html;x=y"),
        ("x/x;bad name=1;a=b", "x/x;a=b"),
        ("*/*", "*/*"),
        ("text/html charset=gbk", None),
        ("text", None),
        ("/html", None),
        ("text/", None),
        ("te xt/html", None),
        ("text/ht@ml", None),
        ("", None),
    ],
)
def test_a_media_type_is_read_as_the_standard_reads_it(text: str, expected: str | None) -> None:
    assert written(parsed(text)) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["text/html, text/html"], "text/html"),
        (["text/html;charset=gbk, text/html"], "text/html;charset=gbk"),
        ([";charset=gbk, text/html"], "text/html"),
        (["text/html", "nonsense"], "text/html"),
        (
            ["text/html;charset=gbk", "text/html;charset=koi8-r", "text/html"],
            "text/html;charset=koi8-r",
        ),
        (['text/html;x="a,b";charset=gbk'], 'text/html;x="a,b";charset=gbk'),
        (['text/html;x="a\\",text/plain'], 'text/html;x="a\\",text/plain"'),
        ([], None),
        ([",,"], None),
    ],
)
def test_of_several_types_the_last_counts(values: list[str], expected: str | None) -> None:
    assert written(extracted(values)) == expected

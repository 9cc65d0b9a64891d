"""What of a visitor's cookies is kept with what was visited?"""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.conductor.visitor import Visitor
from crawler.config import load
from crawler.model import Document, Job, Need, Rendering, Reply, Visit
from crawler.policy import urls
from crawler.policy.sites import Sites


@pytest.mark.parametrize(
    "said", ["cookies = true", 'bearer = "t0ken"', 'headers = { Cookie = "sid=s3cret" }']
)
def test_cookies_that_are_set_for_what_a_page_asks_for_are_not_kept_with_it(
    tmp_path: Path, said: str
) -> None:
    written = tmp_path / "sites.toml"
    written.write_text(f'[site."https://shop.example"]\n{said}\n')
    config = load(written, [])
    home, other = "https://shop.example/api", "https://other.example/api"
    needs = tuple(
        Need(
            urls.resolve(url, rules=urls.UNLIMITED)[0], "XHR", "GET", "",
            headers=(("Set-Cookie", "sid=s3cret; path=/"), ("Server", "x")),
        )
        for url in (home, other)
    )  # fmt: skip
    shown = Rendering(Document(), 0, needs=needs)
    visit = Visit(Job(1, 1, "https://shop.example/"), Reply(), Document(), "", rendering=shown)
    taken, _ = Visitor(config, Sites(config), 0.0).takes(visit, 0.0)
    assert taken.rendering is not None
    assert [dict(need.headers)["Set-Cookie"] for need in taken.rendering.needs] == [
        "sid=***; path=/",
        "sid=s3cret; path=/",
    ]

"""Which URLs belong to a crawl?"""

from __future__ import annotations

import pytest

from crawler.config import Config, ScopeConfig
from crawler.errors import UsageError
from crawler.policy import urls
from crawler.policy.scope import MAX_FOLDERS, Judge, Standing, judging, scope_keys, seed_key


def judge(seeds: list[str], **scope: object) -> Judge:
    config = ScopeConfig(**scope)  # type: ignore[arg-type]  # passed on
    keys = {seed_key(seed, config.mode) for seed in seeds}
    return Judge(config, keys.__contains__)


@pytest.mark.parametrize(
    ("mode", "seed", "inside", "outside"),
    [
        (
            "page",
            "https://example.org/a",
            ["https://example.org/a"],
            ["https://example.org/", "https://example.org/a?x", "http://example.org/a"],
        ),
        (
            "prefix",
            "https://example.org/docs/index.html",
            [
                "https://example.org/docs/",
                "https://example.org/docs/a/b",
                "http://www.example.org/docs/a",
            ],
            ["https://example.org/", "https://example.org/docs", "https://example.org/docs2/a"],
        ),
        # a folder without its slash looks like a page: what counts is the folder it lies in
        ("prefix", "https://example.org/docs", ["https://example.org/other"], ["https://b.org/"]),
        (
            "host",
            "https://www.example.org/a",
            ["http://example.org/", "https://www.example.org/b"],
            [
                "https://example.org:8443/",
                "http://example.org:443/",
                "https://sub.example.org/",
                "https://example.com/",
                "https://wwwexample.org/",
            ],
        ),
        (
            "domain",
            "https://shop.example.co.uk/",
            ["https://example.co.uk/", "http://a.b.example.co.uk/x"],
            ["https://other.co.uk/", "https://example.uk/"],
        ),
        # the private part of the public suffix list: every github.io is its own
        ("domain", "https://a.github.io/", ["https://a.github.io/x"], ["https://b.github.io/"]),
        ("any", "https://example.org/", ["https://anything.net/"], []),
        # a port that is not the scheme's own belongs to the site
        (
            "host",
            "http://127.0.0.1:8000/",
            ["http://127.0.0.1:8000/a", "https://127.0.0.1:8000/"],
            ["http://127.0.0.1:8001/", "http://127.0.0.1/", "http://127.0.0.2:8000/"],
        ),
        (
            "prefix",
            "http://127.0.0.1:8000/a/",
            ["http://127.0.0.1:8000/a/b"],
            ["http://127.0.0.1:8001/a/b", "http://127.0.0.1/a/b", "http://127.0.0.1:8000/"],
        ),
        (
            "domain",
            "http://a.example.org:8000/",
            ["http://b.example.org:8000/"],
            ["http://a.example.org:8001/", "http://example.org/"],
        ),
        ("host", "http://[::1]:8000/", ["http://[::1]:8000/a"], ["http://[::1]/"]),
    ],
)
def test_the_mode_says_what_a_seed_covers(
    mode: str, seed: str, inside: list[str], outside: list[str]
) -> None:
    judged = judge([seed], mode=mode)
    assert [url for url in inside if not judged.in_scope(url)] == []
    assert [url for url in outside if judged.in_scope(url)] == []
    assert judged.in_scope(seed)


def test_a_path_of_a_thousand_folders_has_few_keys() -> None:
    url = "https://example.org/" + "a/" * 1000
    assert len(scope_keys(url, "prefix")) == MAX_FOLDERS
    assert judge([url], mode="prefix").in_scope(url)
    assert judge(["https://example.org/a/"], mode="prefix").in_scope(url)


@pytest.mark.parametrize("mode", ["page", "prefix", "host", "domain"])
def test_a_seeds_key_is_among_the_keys_of_what_it_covers(mode: str) -> None:
    seed = "https://www.example.org/a/b"
    assert seed_key(seed, mode) in scope_keys(seed, mode)


def verdict(
    judged: Judge, url: str, kind: str = "a", depth: int = 1, *, nofollow: bool = False
) -> tuple[Standing, str | None]:
    target, _ = urls.resolve(url)
    found = judged.verdict(target, kind, depth, nofollow=nofollow)
    return found.standing, found.reason


@pytest.mark.parametrize(
    ("url", "kind", "depth", "nofollow", "standing", "reason"),
    [
        ("https://example.org/b", "a", 1, False, Standing.ACCEPTED, None),
        ("https://example.org/b", "canonical", 1, False, Standing.ACCEPTED, None),
        ("https://other.org/", "a", 1, False, Standing.REFUSED, "scope"),
        ("https://example.org/b", "a", 51, False, Standing.DEEP, "depth"),
        ("https://example.org/b", "a", 1, True, Standing.NOFOLLOW, "nofollow"),
        ("https://example.org/b", "img", 1, False, Standing.RECORDED, "not_followed"),
        ("https://example.org/b", "form", 1, False, Standing.RECORDED, "not_followed"),
        ("mailto:a@example.org", "a", 1, False, Standing.REFUSED, "scheme"),
        ("https://example.org:25/", "a", 1, False, Standing.REFUSED, "blocked_port"),
        ("https://other.org/", "seed", 0, False, Standing.ACCEPTED, None),
    ],
)
def test_a_link_gives_its_target_a_verdict(
    url: str, kind: str, depth: int, nofollow: bool, standing: Standing, reason: str | None
) -> None:
    judged = judge(["https://example.org/"])
    assert verdict(judged, url, kind, depth, nofollow=nofollow) == (standing, reason)


@pytest.mark.parametrize(
    ("url", "kind", "fetch_kind", "standing", "reason"),
    [
        # wherever it is, however deep, and whatever pages have to match
        ("https://other.org/b", "img", "page", Standing.ASSET, None),
        ("https://other.org/b", "font", "page", Standing.ASSET, None),
        ("https://other.org/b", "redirect", "asset", Standing.ASSET, None),
        ("https://other.org/no", "img", "page", Standing.REFUSED, "excluded"),
        ("data:,x", "img", "page", Standing.REFUSED, "scheme"),
        # what is no part of a page, is what it was
        ("https://example.org/b", "link", "page", Standing.RECORDED, None),
        ("https://example.org/b", "hint", "page", Standing.RECORDED, "not_followed"),
        ("https://example.org/b", "form", "page", Standing.RECORDED, "not_followed"),
        ("https://other.org/b", "a", "page", Standing.REFUSED, "scope"),
    ],
)
def test_parts_of_pages_have_a_standing_of_their_own_where_they_are_kept(
    url: str, kind: str, fetch_kind: str, standing: Standing, reason: str | None
) -> None:
    asked = ScopeConfig(include=("/only/",), exclude=("/no",), max_depth=3)
    judged = Judge(asked, {"example.org"}.__contains__, assets="fetch")
    target, _ = urls.resolve(url)
    found = judged.verdict(target, kind, 9, fetch_kind=fetch_kind)
    assert (found.standing, found.reason) == (standing, reason)


def test_better_standings_are_greater() -> None:
    order = [
        Standing.RECORDED, Standing.NOFOLLOW, Standing.REFUSED, Standing.DEEP, Standing.ASSET,
        Standing.SITEMAP,
        Standing.ECHO,
        Standing.ACCEPTED,
    ]  # fmt: skip
    assert order == sorted(Standing)


def test_nofollow_can_be_followed_when_the_person_says_so() -> None:
    judged = judge(["https://example.org/"], follow_nofollow=True)
    assert verdict(judged, "https://example.org/b", nofollow=True)[0] == Standing.ACCEPTED


def test_exclude_wins_over_include_and_over_seeds() -> None:
    seed = "https://example.org/"
    judged = judge([seed], include=("/blog/",), exclude=(r"\.pdf$", "^https://example.org/$"))
    assert verdict(judged, "https://example.org/blog/a") == (Standing.ACCEPTED, None)
    assert verdict(judged, "https://example.org/shop/a") == (Standing.REFUSED, "excluded")
    assert verdict(judged, "https://example.org/blog/a.pdf") == (Standing.REFUSED, "excluded")
    assert verdict(judged, seed, "seed", 0) == (Standing.REFUSED, "excluded")


def test_seeds_need_not_match_include() -> None:
    judged = judge(["https://example.org/"], include=("/blog/",))
    assert verdict(judged, "https://example.org/", "seed", 0) == (Standing.ACCEPTED, None)


def test_each_expression_stands_for_itself() -> None:
    # flags in the middle of a joined expression are an error, and groups would be renumbered
    judged = judge(
        ["https://example.org/"],
        exclude=(r"(a)(b)x", r"(?i)/PRIVATE", r"/(?P<n>\d+)/x/", "(?P<n>q)z"),
    )
    refused = (Standing.REFUSED, "excluded")
    assert verdict(judged, "https://example.org/private") == refused
    assert verdict(judged, "https://example.org/12/x/") == refused
    assert verdict(judged, "https://example.org/12/13/") == (Standing.ACCEPTED, None)


def test_a_broken_expression_is_named_with_its_key() -> None:
    with pytest.raises(UsageError, match=r"^scope\.exclude: '\(' is not a regular expression: "):
        judge([], exclude=("(",))


def test_checks_are_asked_for_by_what_is_not_fetched() -> None:
    judged = judge(["https://example.org/"], check=("assets", "external"))
    target, _ = urls.resolve("https://other.org/")
    assert judged.verdict(target, "a", 1).check
    assert judged.verdict(target, "img", 1).check
    assert not judged.verdict(target, "form", 1).check


def test_endless_series_are_traps_but_never_seeds() -> None:
    url = "https://example.org/" + "a/b/" * 20
    judged = judge([url])
    assert verdict(judged, url) == (Standing.REFUSED, "trap")
    assert verdict(judged, url, "seed", 0) == (Standing.ACCEPTED, None)
    assert verdict(judge([url], traps=False), url) == (Standing.ACCEPTED, None)


def test_what_decides_verdicts_is_told_from_what_does_not() -> None:
    calm = judging(Config())
    assert judging(Config(scope=ScopeConfig(max_depth=3))) != calm
    assert judging(Config(scope=ScopeConfig(exclude=("x",)))) != calm
    assert judging(Config()) == calm

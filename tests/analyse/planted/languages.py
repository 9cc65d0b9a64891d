"""Series and languages that are wrong, and some that only look so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.analyse.site import Site
from tests.crawls import config

NOT_JUDGED: dict[str, str] = {}
SETTINGS = config(pace={"tries": 1})


def plant_series(site: Site) -> None:
    """Pages that follow each other."""

    def page(path: str, anchors: bool = True, **more: Any) -> None:
        """A page with its rel=next and prev, and anchors to both."""
        links = {kind: more.pop(kind) for kind in ("next", "prev") if kind in more}
        head = "".join(f"<link rel={kind} href='{href}'>" for kind, href in links.items())
        body = "".join(f"<a href='{href}'>{kind}</a>" for kind, href in links.items())
        head += more.pop("head", "")
        site.page(path, head=head, body=body if anchors else "", **more)

    page("/a/1", next="/a/2", spared=["series_sequence", "series_multiple", "series_loop"])
    page("/a/2", next="/a/3", prev="/a/1", spared=["series_bad_status", "series_not_in_anchor"])
    page("/a/3", prev="/a/2", spared=["series_unlinked", "series_nonindexable"])
    gone = site.url("/gone")
    page("/b/1", next="/gone", planted=[("series_bad_status", gone)])
    site.host.redirect("/moved", "/a/1", status=301)
    page("/b/2", next="/moved", planted=[("series_bad_status", site.url("/moved"))])
    page("/c/1", anchors=False, next="/c/2", planted=[
        ("series_unlinked", site.url("/c/2")),
        ("series_not_in_anchor", site.url("/c/2"))])  # fmt: skip
    page("/c/2", linked=False, prev="/c/1")
    for here, there in (("1", "2"), ("2", "3"), ("3", "1")):
        before = {"2": "1", "3": "2", "1": "3"}[here]
        page(f"/loop/{here}", next=f"/loop/{there}", prev=f"/loop/{before}",
             planted=["series_loop"])  # fmt: skip
    page("/into-loop", next="/loop/1", spared=["series_loop"],
         planted=[("series_sequence", site.url("/loop/1"))])  # fmt: skip
    page("/d/1", next="/d/2", planted=[("series_sequence", site.url("/d/2"))])
    page("/d/2")
    page("/e/1", next="/e/2", head="<link rel=next href='/e/3'>", planted=[
        ("series_multiple", "next"), ("series_not_in_anchor", site.url("/e/3"))])  # fmt: skip
    page("/e/2", prev="/e/1", head="<link rel=prev href='/e/1'>", spared=["series_multiple"])
    page("/e/3", prev="/e/1")
    page("/f/1", next="/f/2", robots="noindex", planted=["series_nonindexable"])
    page("/f/2", prev="/f/1", canonical="/f/1", planted=["series_nonindexable"])
    page("/f/alone", robots="noindex", spared=["series_nonindexable"])


class Group:
    """Pages in several languages that name each other."""

    def __init__(self, site: Site, folder: str, *codes: str) -> None:
        self.site = site
        self.pages = {code: f"/{folder}/{code}" for code in codes}

    def head(self, changed: Mapping[str, str | None] | None = None, more: str = "") -> str:
        """What each of them has in its head, or one of them changed."""
        named = {code: self.site.url(path) for code, path in self.pages.items()}
        named["x-default"] = named[next(iter(named))]
        links = {**named, **(changed or {})}
        return "".join(alternate(code, href) for code, href in links.items() if href) + more

    def page(self, code: str, head: str | None = None, **more: Any) -> None:
        """One of them; ``lang`` is that of its html element."""
        lang = more.pop("lang", code)
        site, path = self.site, self.pages[code]
        canonical = more.pop("canonical", site.url(path))
        robots = more.pop("robots", "all")
        body = more.pop("body", "")
        html = (
            f"<!doctype html><html{f' lang={lang}' if lang is not None else ''}><head>"
            f"<meta charset=utf-8><title>{path}</title><meta name=robots content={robots}>"
            f"<link rel=canonical href='{canonical}'>{self.head() if head is None else head}"
            f"</head><body><h1>{path}</h1>{body}</body></html>"
        )
        site.page(path, html=html, **more)


def alternate(code: str, href: str) -> str:
    """A page in another language."""
    return f"<link rel=alternate hreflang='{code}' href='{href}'>"


def plant_targets(site: Site) -> None:
    """Alternates that are not there, or should not be named."""
    good = Group(site, "good", "en", "de", "zh-hant-tw")
    good.page("en", spared=[
        *("hreflang_bad_status", "hreflang_noindex", "hreflang_noncanonical"),
        *("hreflang_no_return", "hreflang_return_differs", "hreflang_no_self"),
        *("hreflang_not_own_canonical", "hreflang_code_invalid", "hreflang_duplicate_code"),
        *("hreflang_duplicate_url", "hreflang_no_default", "hreflang_relative"),
        *("hreflang_outside_head", "hreflang_unlinked", "hreflang_sources_differ"),
        *("hreflang_group_incomplete", "lang_missing", "lang_invalid", "lang_differs"),
    ])  # fmt: skip
    good.page("de")
    good.page("zh-hant-tw", lang="zh-Hant-TW", spared=["lang_differs", "lang_invalid"])
    gone = Group(site, "gone", "en", "de")
    gone.page("en", planted=[("hreflang_bad_status", site.url("/gone/de"))])
    moved = Group(site, "moved", "en", "de")
    moved.page("en", planted=[("hreflang_bad_status", site.url("/moved/de"))])
    site.host.redirect("/moved/de", "/good/de", status=301)
    hidden = Group(site, "hidden", "en", "de")
    hidden.page("en", planted=[("hreflang_noindex", site.url("/hidden/de"))])
    hidden.page("de", robots="noindex", planted=[("hreflang_noindex", site.url("/hidden/de"))])
    other = Group(site, "other", "en", "de")
    de = ("hreflang_noncanonical", site.url("/other/de"))
    other.page("en", planted=[de])
    other.page("de", canonical=site.url("/good/de"), planted=["hreflang_not_own_canonical", de])
    copied = Group(site, "copied", "en", "de")
    copied.page("en")
    copied.page("de")
    copy = Group(site, "copy", "de")
    copy.page("de", head=copied.head(), canonical=site.url("/copied/de"),
              planted=[("hreflang_no_return", site.url(p)) for p in copied.pages.values()],
              spared=["hreflang_not_own_canonical", "hreflang_no_self"])  # fmt: skip
    unlinked = Group(site, "unlinked", "en", "de")
    unlinked.page("en", planted=[("hreflang_unlinked", site.url("/unlinked/de"))])
    unlinked.page("de", linked=False, planted=[("hreflang_unlinked", site.url("/unlinked/de"))])
    away = Group(site, "away", "en")
    away.page("en", head=away.head({"de": "http://198.51.100.7/"}),
              planted=[("hreflang_group_incomplete", "http://198.51.100.7/")])  # fmt: skip


def plant_sets(site: Site) -> None:
    """Sets that do not agree, or name wrong codes."""
    lonely = Group(site, "lonely", "en", "de")
    de, en = site.url("/lonely/de"), site.url("/lonely/en")
    lonely.page("en", planted=[("hreflang_no_return", de), ("hreflang_group_incomplete", de)])
    lonely.page("de", head=alternate("de", de) + alternate("x-default", de))
    silent = Group(site, "silent", "en", "de")
    silent.page("en", planted=[("hreflang_no_return", site.url("/silent/de"))],
                spared=["hreflang_group_incomplete"])  # fmt: skip
    silent.page("de", head="")
    renamed = Group(site, "renamed", "en", "de")
    de, en = site.url("/renamed/de"), site.url("/renamed/en")
    renamed.page("en", planted=[
        ("hreflang_return_differs", de), ("hreflang_group_incomplete", de)])  # fmt: skip
    renamed.page("de", head=renamed.head({"en": None, "en-gb": en}),
                 planted=[("hreflang_group_incomplete", en)])  # fmt: skip
    selfless = Group(site, "selfless", "en", "de")
    de, en = site.url("/selfless/de"), site.url("/selfless/en")
    selfless.page("en", planted=[("hreflang_group_incomplete", de)])
    selfless.page("de", head=selfless.head({"de": None}), planted=[
        "hreflang_no_self", ("hreflang_group_incomplete", en)])  # fmt: skip
    for code in ("en-uk", "eng", "de-eu", "xx", "en_GB", "es-419", ""):
        group = Group(site, f"code-{code}", "en")
        group.page("en", head=group.head({code: site.url(f"/code-{code}/en"), "en": None}),
                   planted=[("hreflang_code_invalid", code)])  # fmt: skip
    valid = Group(site, "valid", "en-gb", "pt-BR", "sr-Latn-RS")
    for code in valid.pages:
        valid.page(code, spared=["hreflang_code_invalid"])
    twice = Group(site, "twice", "en", "de")
    more = alternate("DE", site.url("/twice/en"))
    for code in twice.pages:
        twice.page(code, head=twice.head(more=more), planted=[
            ("hreflang_duplicate_code", "de"),
            ("hreflang_duplicate_url", site.url("/twice/en"))])  # fmt: skip
    default = Group(site, "default", "en", "de")
    for code in default.pages:
        default.page(code, head=default.head({"x-default": None}), planted=["hreflang_no_default"])
    relative = Group(site, "relative", "en")
    relative.page("en", head=relative.head({"en": "/relative/en"}),
                  planted=[("hreflang_relative", site.url("/relative/en"))])  # fmt: skip
    late = Group(site, "late", "en")
    late.page("en", head="", body=late.head(),
              planted=[("hreflang_outside_head", site.url("/late/en"))])  # fmt: skip


def plant_sources(site: Site) -> None:
    """Headers beside HTML, and the language of the page itself."""
    both = Group(site, "both", "en")
    own = site.url("/both/en")
    same = f"<{own}>; rel=alternate; hreflang=en, <{own}>; rel=alternate; hreflang=x-default"
    both.page("en", headers={"Link": same}, spared=["hreflang_sources_differ"])
    differ = Group(site, "differ", "en")
    differ.page("en", headers={"Link": f"<{own}>; rel=alternate; hreflang=de"},
                planted=["hreflang_sources_differ"])  # fmt: skip
    Group(site, "no-lang", "en").page("en", lang=None, planted=["lang_missing"])
    Group(site, "empty-lang", "en").page("en", lang="''", planted=["lang_missing"])
    hidden = site.url("/no-lang-noindex/en")
    Group(site, "no-lang-noindex", "en").page("en", lang=None, robots="noindex",
                                              planted=[("hreflang_noindex", hidden)],
                                              spared=["lang_missing"])  # fmt: skip
    for number, lang in enumerate(("en_GB", "en-UK", "xx", "deu-")):
        site.page(f"/lang/{number}", html=f"<!doctype html><html lang='{lang}'><title>x</title>"
                  f"<p>{number}", planted=["lang_invalid"])  # fmt: skip
    valid_tags = ("EN-gb", "es-419", "zh-Hans-CN", "de-1996", "ast", "i-klingon")
    for number, lang in enumerate(valid_tags):
        site.page(f"/tag/{number}", html=f"<!doctype html><html lang='{lang}'><title>x</title>"
                  f"<p>{number}", spared=["lang_invalid"])  # fmt: skip
    Group(site, "german", "en").page("en", lang="de", planted=["lang_differs"])
    Group(site, "british", "en").page("en", lang="en-GB", spared=["lang_differs"])

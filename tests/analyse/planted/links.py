"""Links that are wrong, and some that only look so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.analyse.site import Planted, Site
from tests.crawls import config
from tests.sites.server import Answer

NOT_JUDGED = {"inlinks_dropped": "no earlier run that came to its end was audited"}
SETTINGS = config(robots={"sitemaps": True}, pace={"tries": 1})
AWAY = "http://198.51.100.7"
HOME = '<a href="/">Home of the lights</a>'


class Linked:
    """A site where every page leads home, and two pages lead to every page."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._paths: list[str] = []

    def page(self, path: str, body: str = "", *, home: bool = True, **more: Any) -> None:
        """A page that the front page and the map lead to, unless ``mapped`` is false."""
        if more.pop("mapped", True) and more.get("linked", True):
            self._paths.append(path)
        self.site.page(path, body=(HOME if home else "") + body, **more)

    def finish(self, planted: Iterable[Planted] = (), spared: Iterable[str] = ()) -> None:
        """The map, which only the front page leads to."""
        links = "".join(f'<p><a href="{path}">About {path}</a></p>' for path in self._paths)
        links += '<a href="/map">This map</a>'
        self.site.page("/map", body=HOME + links, planted=["one_inlink", *planted], spared=spared)


def plant_inlinks(site: Site) -> None:
    """Pages to which too little leads."""
    pages = Linked(site)
    page = pages.page
    urls = "".join(
        f"<url><loc>{site.url(path)}</loc></url>"
        for path in ("/alone", "/behind", "/unfollowed", "/well")
    )
    site.host.raw("/map.xml", headers={"Content-Type": "application/xml"},
                  body=f"<urlset>{urls}</urlset>")  # fmt: skip
    site.host.robots(f"User-agent: *\nAllow: /\nSitemap: {site.url('/map.xml')}\n")
    page("/alone", linked=False, planted=["no_inlinks", "link_score_starved"])
    site.host.redirect("/moved", "/behind", status=301)
    page("/behind", linked=False, spared=["no_inlinks", "link_score_starved"])
    page("/leads", "<a href='/moved'>moved</a>")
    page("/well", spared=["one_inlink", "link_score_starved", "mixed_follow_inlinks"])
    page("/once", mapped=False, planted=["one_inlink"], spared=["no_inlinks"])
    page("/from", "<a href='/unfollowed' rel='nofollow'>a</a><a href='/mixed' rel=ugc>b</a>"
         "<a href='/mixed-twice' rel='sponsored'>c</a> <a href='/mixed-twice'>d</a>",
         planted=[("internal_nofollow", site.url("/unfollowed"))])  # fmt: skip
    page("/unfollowed", linked=False, planted=["nofollow_inlinks_only", "link_score_starved"],
         spared=["nonindexable_inlinks_only"])  # fmt: skip
    page("/mixed", planted=["mixed_follow_inlinks"], spared=["nofollow_inlinks_only"])
    page("/mixed-twice", spared=["mixed_follow_inlinks"])
    page("/hidden", "<a href='/from-hidden'>a</a>", robots="noindex")
    page("/other-form", "<a href='/from-other'>a</a>", canonical="/well")
    page("/from-hidden", linked=False, planted=["nonindexable_inlinks_only", "one_inlink"])
    page("/from-other", linked=False, planted=["nonindexable_inlinks_only", "one_inlink"])
    page("/from-both", "", spared=["nonindexable_inlinks_only"])
    page("/hidden-too", "<a href='/from-both'>a</a>", robots="noindex")
    site.spared |= {("no_inlinks", "/"), ("link_score_wasted", "/")}
    pages.finish()


def plant_outlinks(site: Site) -> None:
    """Pages that lead nowhere, too far, or to too much."""
    pages = Linked(site)
    page = pages.page
    page("/end", home=False, planted=["dead_end", "no_internal_outlinks"])
    page("/end-404", home=False, status=404, spared=["dead_end", "no_internal_outlinks"])
    page("/to-itself", "<a href='#top'>up</a><a href='/to-itself'>here I am</a>", home=False,
         planted=["dead_end", "no_internal_outlinks", "links_uncrawlable"][:2])  # fmt: skip
    page("/away", f"<a href='{AWAY}/'>away</a>", home=False,
         planted=["no_internal_outlinks"], spared=["dead_end"])  # fmt: skip
    page("/home", spared=["no_internal_outlinks"])
    page("/private", rel_link("nofollow", "/home"),
         planted=[("internal_nofollow", site.url("/home"))])  # fmt: skip
    page("/away-nofollow", f"<a href='{AWAY}/b' rel=nofollow>away</a>",
         spared=["internal_nofollow"])  # fmt: skip
    page("/private-ugc", rel_link("ugc", "/home"), spared=["internal_nofollow"])
    site.found.add(("mixed_follow_inlinks", "/home", ""))
    page("/full", "<a href='/home'>x</a>" * 1000, planted=["many_internal_links"],
         spared=["anchor_ambiguous"])  # fmt: skip
    page("/nearly-full", "<a href='/home'>x</a>" * 999, spared=["many_internal_links"])
    away = "".join(f"<a href='{AWAY}/{number}'>x{number}</a>" for number in range(100))
    page("/directory", away + f"<a href='{AWAY}/100'>y</a>", planted=["many_external_links"])
    page("/small-directory", away, spared=["many_external_links"])
    for depth in range(1, 6):
        more = {"planted": ["one_inlink"]} if depth > 1 else {}
        more = {"planted": ["one_inlink", "too_deep"]} if depth == 5 else more
        more = more | ({"spared": ["too_deep"]} if depth == 4 else {})
        page(f"/deep/{depth}", f"<a href='/deep/{depth + 1}'>deeper</a>" if depth < 5 else "",
             linked=depth == 1, **more)  # fmt: skip
    site.spared.add(("links_external_nofollow", "/"))
    pages.finish()


def rel_link(rel: str, path: str) -> str:
    """A link with this rel."""
    return f"<a href='{path}' rel='{rel}'>of {path}</a>"


def plant_wasted(site: Site) -> None:
    """A site of pages of which most may not be indexed, and a hub that leads to them."""
    pages = Linked(site)
    for number in range(6):
        pages.page(f"/no/{number}", robots="noindex")
    for number in range(4):
        pages.page(f"/yes/{number}", spared=["links_in_hub"])
    site.found |= {("link_score_wasted", "/", ""), ("links_in_hub", "/", "")}
    pages.finish()


def plant_good_hub(site: Site) -> None:
    """A site whose links to others all ask not to be followed, and that leads to its own pages."""
    pages = Linked(site)
    for number in range(7):
        pages.page(f"/yes/{number}", f"<a href='{AWAY}/{number}' rel=nofollow>{number}</a>")
    site.spared |= {("links_in_hub", "/"), ("links_in_hub", "/map")}
    site.found.add(("links_external_nofollow", "/", ""))
    pages.finish()


def plant_anchors(site: Site) -> None:
    """Anchors that say nothing."""
    pages = Linked(site)
    page = pages.page
    target = ("anchor_empty", site.url("/target"))
    page("/target", f"<a href='{AWAY}/'>out</a>")
    page("/empty", "<a href='/target'></a>", planted=[target])
    page("/empty-image", "<a href='/target'><img src='/i.png' alt=''></a>", planted=[target])
    page("/named", "<a href='/target' aria-label='Target'></a>"
         "<a href='/target' title='Target'></a><a href='/target'><img src='/i.png' alt='T'></a>"
         f"<a href='{AWAY}/'></a>", spared=["anchor_empty"])  # fmt: skip
    generic = ("anchor_generic", site.url("/target"))
    for number, text in enumerate(("Click here", "read MORE \u00bb", "here.", "this")):
        page(f"/generic/{number}", f"<a href='/target'>{text}</a>", planted=[generic])
    page("/specific", "<a href='/target'>Read more about lights</a><a href='/target'>mehr</a>"
         "<a href='#here'>here</a>", spared=["anchor_generic"])  # fmt: skip
    for language, text in (("de-AT", "Mehr erfahren"), ("ru", "\u0417\u0434\u0435\u0441\u044c")):
        html = (f"<!doctype html><html lang={language}><meta charset=utf-8><title>T</title>"
                f"{HOME}<a href='/target'>{text}</a>")  # fmt: skip
        page(f"/generic/{language}", html=html, planted=[generic])
    three = "".join(f"<a href='/generic/{number}'>A chapter</a>" for number in range(3))
    page("/ambiguous", three, planted=[("anchor_ambiguous", "a chapter")])
    page("/ambiguous-two", three.rpartition("<a")[0] + "<a href='/generic/0#b'>A chapter</a>",
         spared=["anchor_ambiguous"])  # fmt: skip
    page("/ambiguous-nav", f"<nav>{three}</nav>", spared=["anchor_ambiguous"])
    site.found.add(("links_external_nofollow", "/", ""))
    pages.finish()


def plant_written(site: Site) -> None:
    """Addresses that are written oddly."""
    pages = Linked(site)
    page = pages.page
    page("/target", f"<a href='{AWAY}/x' rel=nofollow>out</a>")
    page("/file", "<a href='file:///C:/a.doc'>a</a><a href='C:\\b.doc'>b</a>"
         "<a href='\\\\server\\share\\c.doc'>c</a>",
         planted=[("links_to_files", item) for item in (
             "file:///C:/a.doc", "c:\\b.doc", "http://server/share/c.doc")])  # fmt: skip
    page("/no-file", "<a href='/file:a.doc'>a</a><a href='mailto:a@b.example'>b</a>",
         spared=["links_to_files", "contact_links"])  # fmt: skip
    site.answer("/file:a.doc", _text("text/plain"), linked=False)
    page("/malformed", "<a href='http://a b/'>a</a><a href='http://[::1/'>b</a>",
         planted=[("links_malformed", "http://a b/"), ("links_malformed", "http://[::1/"),
                  ("links_with_white_space", "http://a b/")])  # fmt: skip
    page("/odd-but-well", "<a href='/target?a=%zz'>a</a><a href='tel:+4412345'>b</a>",
         spared=["links_malformed"])  # fmt: skip
    page("/spaces", "<a href=' /target '>a</a>",
         planted=[("links_with_white_space", site.url("/target"))])  # fmt: skip
    page("/no-spaces", "<a href='/target'> a </a><img src='/i n.png' alt='n'>",
         spared=["links_with_white_space"])  # fmt: skip
    page("/script", "<a href='javascript:go()'>a</a>", planted=["links_uncrawlable"])
    page("/click", "<a onclick='go()'>a</a>", planted=["links_uncrawlable"])
    page("/bare", "<a href='#'>a</a>", planted=["links_uncrawlable"])
    page("/scripted", "<a href='/target' onclick='count()'>a</a><a name=x></a><a href='#x'>b</a>",
         spared=["links_uncrawlable"])  # fmt: skip
    address = site.host.address
    page("/to-https", f"<a href='https://{address}/'>a</a>",
         planted=[("links_from_http", f"https://{address}/")])  # fmt: skip
    page("/to-http", f"<a href='{site.url('/target')}'>a</a><a href='https://198.51.100.7/'>b</a>",
         spared=["links_from_http", "links_https_to_http"])  # fmt: skip
    site.answer("/p.png", _text("image/png", b"\x89PNG\r\n\x1a\n"), linked=False)
    page("/to-image", "<a href='/p.png'>a</a>",
         planted=[("links_to_media_pages", site.url("/p.png"))])  # fmt: skip
    page("/shows-image", "<img src='/p.png' alt='p'>", spared=["links_to_media_pages"])
    page("/window", f"<a href='{AWAY}/' target=_blank>a</a>",
         planted=[("links_unsafe_blank", f"{AWAY}/")])  # fmt: skip
    page("/safe-window", f"<a href='{AWAY}/' target=_blank rel='noopener'>a</a>"
         "<a href='/target' target=_blank>b</a>", spared=["links_unsafe_blank"])  # fmt: skip
    page("/relative", "<a href='//198.51.100.7/y'>a</a>",
         planted=[("links_protocol_relative", f"{AWAY}/y")])  # fmt: skip
    page("/absolute", f"<a href='{AWAY}/y'>a</a><a href='/target?u=//x'>b</a>",
         spared=["links_protocol_relative"])  # fmt: skip
    page("/contacts", "<a href='mailto:nobody'>a</a><a href='tel:call-me'>b</a>",
         planted=[("contact_links", "mailto:nobody"),
                  ("contact_links", "tel:call-me")])  # fmt: skip
    page("/phone", "<p>Call +44 20 7946 0018 now</p>",
         planted=[("contact_links", "+44 20 7946 0018")])  # fmt: skip
    page("/phones", "<a href='tel:+442079460018'>+44 (0)20 7946 0018</a>"
         "<a href='tel:112'>1</a><a href='mailto:a@b.example,c@d.example?subject=x'>2</a>"
         "<a href='mailto:?subject=x'>3</a> 1+1 is +2, C++ 12345678",
         spared=["contact_links"])  # fmt: skip
    pages.finish()


def plant_public(site: Site) -> None:
    """A site of the public web, by https."""
    site.called = "https://www.harbour.example"
    pages = Linked(site)
    page = pages.page
    local = ("http://localhost:3000/x", "http://10.0.0.8/", "http://printer.local/",
             "http://[fd00::1]/")  # fmt: skip
    page("/local", "".join(f"<a href='{url}' rel=nofollow>{url}</a>" for url in local),
         planted=[("links_to_localhost", url) for url in local])  # fmt: skip
    page("/not-local", f"<a href='http://10.harbour.example/'>a</a><a href='{AWAY}/'>b</a>"
         "<a href='http://172.32.0.1/'>c</a>", spared=["links_to_localhost"])  # fmt: skip
    other = f"http://127.0.5.1:{site.host.port}/well"
    page("/to-http", f"<a href='{other}'>a</a>",
         planted=[("links_https_to_http", other), ("links_to_localhost", other)])  # fmt: skip
    page("/to-other-http", f"<a href='{AWAY}/'>a</a>", spared=["links_https_to_http"])
    pages.finish()


def _text(content_type: str, body: bytes = b"text") -> Answer:
    return Answer(200, {"Content-Type": content_type}, body)

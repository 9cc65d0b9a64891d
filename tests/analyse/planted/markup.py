"""Images, structured data and previews that are wrong, and some that only look so."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.analyse.site import Site
from tests.crawls import config
from tests.sites.server import Answer

NOT_JUDGED = {"llms_txt": "that takes a request of its own, which is never made"}
SETTINGS = config(scope={"check": ["assets"]}, robots={"sitemaps": True}, pace={"tries": 1})
PERSON = {"@context": "https://schema.org", "@type": "Person", "name": "A keeper"}
SIZE = "width=2 height=2"


class Told:
    """A site of pages that tell machines what they want to know."""

    def __init__(self, site: Site) -> None:
        self.site = site
        site.front = {"head": self.head("/")}

    def head(self, path: str, **og: str | None) -> str:
        """Metadata for previews, but for what is told otherwise."""
        said = {"title": "T", "type": "article", "image": self.site.url("/og.png"),
                "url": self.site.url(path)} | og  # fmt: skip
        tags = [f'<meta property="og:{name}" content="{text}">' for name, text in said.items()
                if text is not None]  # fmt: skip
        return "".join(tags) + '<meta name="twitter:card" content="summary">'

    def page(
        self, path: str, body: str = "", *items: Any, head: str | None = None, **more: Any
    ) -> None:
        """A page with JSON-LD: a person where nothing else is told."""
        body += "".join(map(jsonld, items or (PERSON,)))
        self.site.page(path, head=self.head(path) if head is None else head, body=body, **more)


def jsonld(item: object) -> str:
    """A block; text as it is."""
    text = item if isinstance(item, str) else json.dumps(item)
    return f'<script type="application/ld+json">{text}</script>'


def thing(kind: str | None, **properties: object) -> dict[str, object]:
    """An item of schema.org."""
    return {"@context": "https://schema.org", "@type": kind, **properties}


def plant_images(site: Site) -> None:
    """Images."""
    told = Told(site)
    page = told.page
    site.found.add(("structured_data_none", "/", ""))
    for name, kind, size in (
        ("i.png", "image/png", 90), ("large.jpg", "image/jpeg", 100_001),
        ("limit.jpg", "image/jpeg", 100_000), ("both.jpg", "image/jpeg", 100_001),
        ("both.webp", "image/webp", 50), ("IMG_1234.png", "image/png", 90),
        ("keeper.png", "image/png", 90),
    ):  # fmt: skip
        content = (b"\xff\xd8\xff" if kind == "image/jpeg" else b"\x89PNG\r\n\x1a\n") + b"x" * size
        content = b"RIFF\0\0\0\0WEBPVP" if kind == "image/webp" else content[:size]
        site.answer(f"/{name}", Answer(200, {"Content-Type": kind}, content), linked=False)
    image = site.url("/i.png")
    page("/no-alt", f"<img src=/i.png {SIZE}>", planted=[("image_alt_missing", image)])
    page("/ornament", f"<img src=/i.png {SIZE} alt=''>", spared=["image_alt_missing"])
    page("/no-alt-noindex", f"<img src=/i.png {SIZE}>", robots="noindex",
         spared=["image_alt_missing"])  # fmt: skip
    page("/empty-link", f"<a href='/'><img src=/i.png {SIZE} alt=''></a>",
         planted=[("image_alt_empty_link", image)])  # fmt: skip
    page("/full-links", f"<a href='/'><img src=/i.png {SIZE} alt=''>Home</a>"
         f"<a href='/' title='Home'><img src=/i.png {SIZE} alt=''></a>"
         f"<a href='/'><img src=/i.png {SIZE} alt='Home'></a>",
         spared=["image_alt_empty_link"])  # fmt: skip
    page("/long-alt", f"<img src=/i.png {SIZE} alt='{'a' * 101}'>",
         planted=[("image_alt_long", image)])  # fmt: skip
    page("/alt-100", f"<img src=/i.png {SIZE} alt='{'a' * 100}'>", spared=["image_alt_long"])
    page("/file-alt", f"<img src=/i.png {SIZE} alt='A picture: I.png'>"
         f"<img src=/IMG_1234.png {SIZE} alt='img_1234'>",
         planted=[("image_alt_is_file", image),
                  ("image_alt_is_file", site.url("/IMG_1234.png"))])  # fmt: skip
    page("/word-alt", f"<img src=/keeper.png {SIZE} alt='Keeper'>"
         f"<img src=/IMG_1234.png {SIZE} alt='A light'>", spared=["image_alt_is_file"])  # fmt: skip
    page("/no-size", "<img src=/i.png alt=i>", planted=[("image_no_size", image)])
    page("/no-height", "<img src=/i.png alt=i width=2>", planted=[("image_no_size", image)])
    page("/sized", f"<img src=/i.png alt=i {SIZE}>", spared=["image_no_size"])
    page("/large", f"<img src=/large.jpg alt=l {SIZE}>",
         planted=[("image_large", site.url("/large.jpg"))],
         spared=["image_old_format"])  # fmt: skip
    page("/limit", f"<img src=/limit.jpg alt=l {SIZE}>", spared=["image_large"])
    page("/both", f"<picture><source srcset=/both.webp><img src=/both.jpg alt=l {SIZE}></picture>",
         planted=[("image_large", site.url("/both.jpg")),
                  ("image_old_format", site.url("/both.jpg"))],
         spared=["picture_without_img"])  # fmt: skip
    page("/lazy", f"<img src=/i.png alt=i loading=lazy {SIZE}>",
         planted=[("image_first_lazy", image)])  # fmt: skip
    page("/lazy-later", f"<img src=/keeper.png alt=i {SIZE}>"
         f"<img src=/i.png alt=i loading=lazy {SIZE}>", spared=["image_first_lazy"])  # fmt: skip
    page("/picture", "<picture><source srcset=/both.webp></picture>",
         planted=["picture_without_img"])  # fmt: skip


def plant_data(site: Site) -> None:
    """Structured data."""
    told = Told(site)
    page = told.page
    site.found.add(("structured_data_none", "/", ""))
    page("/none", "", " ", planted=[("jsonld_invalid", "0")], spared=["structured_data_none"])
    site.page("/nothing", head=told.head("/nothing"), planted=["structured_data_none"])
    site.page("/microdata", head=told.head("/microdata"),
              body="<div itemscope itemtype='https://schema.org/Person'>x</div>",
              spared=["structured_data_none"])  # fmt: skip
    page("/broken", "", '{"@context": "https://schema.org", "@type": "Person",}',
         planted=[("jsonld_invalid", "0")], spared=["jsonld_no_type"])  # fmt: skip
    page("/text", "", PERSON, '"only a text"', planted=[("jsonld_invalid", "1")])
    page("/list", "", [PERSON, PERSON], spared=["jsonld_invalid", "jsonld_no_type"])
    page("/no-type", "", {"@context": "https://schema.org", "name": "x"},
         planted=[("jsonld_no_type", "0")])  # fmt: skip
    page("/no-context", "", {"@type": "Person"}, planted=[("jsonld_no_type", "0")])
    page("/graph", "", {"@context": {"@vocab": "http://schema.org/"}, "@graph": [
        {"@type": "Person", "name": "x"}]}, spared=["jsonld_no_type"])  # fmt: skip
    page("/event", "", thing("Event", name="Fair", startDate="2026-12-01"),
         planted=[("schema_required", "0 Event")])  # fmt: skip
    offer = thing("Offer", price="1299.00", priceCurrency="EUR")
    page("/product", "<p>Only 1,299.00 today</p>", thing("Product", name="Lamp", offers=offer),
         spared=["schema_required", "schema_not_visible"])  # fmt: skip
    page("/products", "<p>Nur 1.299 \u20ac</p>", thing("Product", name="Lamp", offers=offer),
         spared=["schema_not_visible"])  # fmt: skip
    page("/nested", "<p>rated 4.5</p>", thing("Product", name="L", aggregateRating=thing(
        "AggregateRating", ratingValue=4.5)),
        planted=[("schema_required", "0 AggregateRating")])  # fmt: skip
    page("/reference", "", thing("Person", name="x", worksFor={"@type": "LocalBusiness",
         "@id": "#x"}), spared=["schema_required"])  # fmt: skip
    page("/how-to", "", thing("HowTo", name="x"), planted=[("schema_retired", "HowTo")])
    page("/recipe", "", thing("Recipe", name="x", image="/i.png"), spared=["schema_retired"])
    page("/unseen", "<p>rated well</p>", thing("Product", name="L", aggregateRating=thing(
        "AggregateRating", ratingValue="4.7", reviewCount=9)),
        planted=[("schema_not_visible", "ratingValue 4.7")])  # fmt: skip
    _plant_terms(page)
    for number in range(8):
        page(f"/group/{number}", "", thing("Article", headline="x"))
    page("/group/none", planted=[("schema_missing_in_group", "Article")])
    for number in range(7):
        page(f"/small/{number}", "", thing("Article", headline="x"))
    for number in range(8):
        page(f"/mixed/{number}", "", thing("Article" if number < 5 else "Person", name="x"),
             spared=["schema_missing_in_group"])  # fmt: skip


def _plant_terms(page: Callable[..., None]) -> None:
    """Names that schema.org has, or has not: https://schema.org/docs/full.html"""
    check = "schema_unknown"
    page("/term/type", "", thing("Persona", name="x"), planted=[(check, "type Persona")])
    page("/term/case", "", thing("Person", Name="x"), planted=[(check, "property Name")])
    page("/term/within", "", thing("Person", name="x", worksFor=[{"@type": "Organisation"}]),
         planted=[(check, "type Organisation")])  # fmt: skip
    page("/term/full", "", thing("https://schema.org/Person", **{"schema:colour": "x"}),
         planted=[(check, "property colour")])  # fmt: skip
    page("/term/list", "", thing("Person", name="x", colour="y") | {
        "@context": ["https://schema.org/", {"@language": "de"}]},
        planted=[(check, "property colour")])  # fmt: skip
    page("/term/microdata", "<div itemscope itemtype='https://schema.org/Persona'>x</div>",
         planted=[(check, "type Persona")])  # fmt: skip
    page("/term/known", "", thing("Person", name={"@value": "x", "@language": "en"}, **{
        "@id": "#x", "https://schema.org/email": "a@b.example", "foaf:nick": "y",
        "@reverse": {"author": {"@type": "http://schema.org/Book"}}}),
        thing("SearchAction", **{"query-input": "required name=q"}),
        thing("Observation", measuredValue=1), spared=[check])  # fmt: skip
    page("/term/own", "", thing("Lighthouse", lamp="x") | {
        "@context": ["https://schema.org", {"lamp": "https://lights.example/lamp"}]},
        spared=[check])  # fmt: skip
    page("/term/other", "<div itemscope itemtype='https://lights.example/Lamp'>x</div>",
         thing("Lighthouse", lamp="x") | {"@context": "https://lights.example"},
         planted=[("jsonld_no_type", "1")], spared=[check])  # fmt: skip
    page("/term/hidden", "", thing("Persona"), robots="noindex", spared=[check])


def plant_previews(site: Site) -> None:
    """Previews and feeds."""
    told = Told(site)
    page, head = told.page, told.head
    site.found.add(("structured_data_none", "/", ""))
    page("/og-none", head='<meta name="twitter:card" content="summary">', planted=["og_incomplete"])
    for name in ("title", "type", "image", "url"):
        page(f"/og/{name}", head=head(f"/og/{name}", **{name: None}), planted=["og_incomplete"])
    page("/og/whole", spared=["og_incomplete", "og_url_differs", "og_image_bad"])
    page("/og/noindex", head="", robots="noindex",
         spared=["og_incomplete", "twitter_card_missing"])  # fmt: skip
    page("/og/other", head=head("/og/whole"), planted=["og_url_differs"])
    small = ("<meta property='og:image:width' content='{}'>"
             "<meta property='og:image:height' content='630'>")  # fmt: skip
    page("/og/small", head=head("/og/small") + small.format(1199), planted=["og_image_bad"])
    page("/og/large", head=head("/og/large") + small.format(1200), spared=["og_image_bad"])
    page("/og/gone", f"<img src=/gone.png alt=g {SIZE}>",
         head=head("/og/gone", image=site.url("/gone.png")), planted=["og_image_bad"])  # fmt: skip
    page("/card", head=head("/card").replace("twitter", "other"), planted=["twitter_card_missing"])
    page("/cards", spared=["twitter_card_missing"])
    feed = "<rss version='2.0'><channel><title>x</title></channel></rss>"
    site.host.raw("/feed.xml", headers={"Content-Type": "application/rss+xml"}, body=feed)
    site.host.raw(
        "/no-feed",
        headers={"Content-Type": "text/html"},
        body="<!doctype html><meta name=robots content=noindex><p>x",
    )
    named = "<link rel=alternate type='application/rss+xml' href='{}'>"
    page("/feed", head=head("/feed") + named.format("/feed.xml"), spared=["feed_broken"])
    for path in ("/gone.xml", "/no-feed"):
        page(f"/feed{path}", head=head(f"/feed{path}") + named.format(path),
             planted=[("feed_broken", site.url(path))])  # fmt: skip

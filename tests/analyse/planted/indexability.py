"""Pages that are kept from search engines by mistake, and some on purpose."""

from __future__ import annotations

from tests.analyse.site import Site
from tests.crawls import config
from tests.sites.server import Answer

NOT_JUDGED = {"became_nonindexable": "there is no earlier run to compare with"}
SETTINGS = config(robots={"sitemaps": True})
TAGGED = "X-Robots-Tag"


def plant_directives(site: Site) -> None:
    """What pages say to robots."""
    site.page("/noindex", robots="noindex", planted=["noindex"],
              spared=["nofollow_page", "robots_none", "noindex_mismatch"])  # fmt: skip
    site.page("/noindex-by-header", headers={TAGGED: "noindex"}, planted=["noindex"],
              spared=["noindex_mismatch", "directive_outside_head"])  # fmt: skip
    site.page("/noindex-for-another", headers={TAGGED: "otherbot: noindex, nofollow"},
              spared=["noindex", "nofollow_page", "noindex_mismatch"])  # fmt: skip
    site.page("/noindex-404", robots="noindex", status=404, spared=["noindex"])
    site.page("/nofollow", robots="nofollow", planted=["nofollow_page"], spared=["noindex"])
    site.page("/none", robots="NONE", planted=["noindex", "nofollow_page", "robots_none"])
    site.page("/mixed", robots="index, follow", headers={TAGGED: "noindex"},
              planted=["noindex", "noindex_mismatch"])  # fmt: skip
    site.page("/mixed-too", robots="noindex", headers={TAGGED: "all"},
              planted=["noindex", "noindex_mismatch"])  # fmt: skip
    site.page("/agreed", robots="noindex", headers={TAGGED: "noindex, nosnippet"},
              planted=["noindex", "nosnippet"], spared=["noindex_mismatch"])  # fmt: skip
    site.page("/late", body='<meta name="robots" content="noarchive">',
              planted=["directive_outside_head"])  # fmt: skip
    site.page("/early", robots="noarchive", spared=["directive_outside_head"])
    site.page("/misspelt", robots="no-index", planted=[("directive_unknown", "no-index")],
              spared=["noindex"])  # fmt: skip
    site.page("/known", robots="max-snippet:-1, max-image-preview:large, max-video-preview:-1",
              spared=["directive_unknown", "nosnippet"])  # fmt: skip
    site.page("/both", robots="noindex", canonical="/known",
              planted=["noindex", "noindex_and_canonical"])  # fmt: skip
    site.page("/canonical-alone", canonical="/known", spared=["noindex_and_canonical"])
    site.page("/noindex-own-canonical", robots="noindex", planted=["noindex"],
              spared=["noindex_and_canonical"])  # fmt: skip
    site.page("/nosnippet", robots="nosnippet", planted=["nosnippet"])
    site.page("/nosnippet-0", robots="max-snippet: 0", planted=["nosnippet"])
    site.page("/snippet-of-01", robots="max-snippet:05", spared=["nosnippet"])
    site.page("/noimageindex", robots="noimageindex", planted=["noimageindex"])
    site.page("/image-previews", robots="max-image-preview:none",
              spared=["noimageindex", "robots_none", "noindex"])  # fmt: skip
    past = ("25 Jun 2010 15:00:00 PST", "2010-06-25", "25-Jun-10 15:00:00 GMT")
    for number, date in enumerate(past):
        site.page(f"/past/{number}", robots=f"unavailable_after: {date}",
                  planted=["unavailable_after_past"])  # fmt: skip
    for number, date in enumerate(("31 Dec 2099 00:00:00 GMT", "2099-12-31", "some day")):
        site.page(f"/future/{number}", robots=f"unavailable_after: {date}",
                  spared=["unavailable_after_past"])  # fmt: skip
    site.page("/past/header", headers={TAGGED: "unavailable_after: Fri, 25 Jun 2010 15:00:00 GMT"},
              planted=["unavailable_after_past"])  # fmt: skip


def plant_conflicts(site: Site) -> None:
    """Kept out and recommended."""
    site.page("/in-sitemap", robots="noindex", planted=["noindex", "indexability_conflict"])
    site.page("/not-in-sitemap", robots="noindex", planted=["noindex"],
              spared=["indexability_conflict"])  # fmt: skip
    site.page("/variant-in-sitemap", canonical="/", planted=["indexability_conflict"])
    site.page("/fine-in-sitemap", spared=["indexability_conflict"])
    site.page("/well-linked", robots="noindex", planted=["noindex", "indexability_conflict"])
    site.page("/less-linked", robots="noindex", planted=["noindex"],
              spared=["indexability_conflict"])  # fmt: skip
    for number in range(9):
        linked = "<a href='/well-linked'>x</a>" + "<a href='/less-linked'>y</a>" * (number < 8)
        site.page(f"/links/{number}", body=linked)
    site.page("/auf-deutsch", robots="noindex", planted=["noindex", "indexability_conflict"])
    site.page("/named", head="<link rel=alternate hreflang=de href='/auf-deutsch'>"
              "<link rel=alternate href='/not-in-sitemap'>")  # fmt: skip
    paths = ("/in-sitemap", "/variant-in-sitemap", "/fine-in-sitemap", "/private/in-sitemap")
    named = "".join(f"<url><loc>{site.url(path)}</loc></url>" for path in paths)
    site.host.raw("/map.xml", headers={"Content-Type": "application/xml"},
                  body=f"<urlset>{named}</urlset>")  # fmt: skip
    site.answer("/private/in-sitemap", Answer(), linked=False, planted=["indexability_conflict"],
                spared=["robots_blocked_linked"])  # fmt: skip
    site.answer("/private/linked", Answer(), planted=["robots_blocked_linked"],
                spared=["indexability_conflict"])  # fmt: skip
    site.page("/public", spared=["robots_blocked_linked"])
    site.host.robots(
        f"User-agent: *\nDisallow: /private/\nDisallow: /static/\nAllow: /static/open\n"
        f"Sitemap: {site.url('/map.xml')}\n"
    )
    site.page("/styled", head="<link rel=stylesheet href='/static/a.css'>",
              body="<script src='/static/a.js'></script><img src='/static/a.png' alt=x>",
              planted=[("robots_blocks_assets", site.url(f"/static/a.{kind}"))
                       for kind in ("css", "js", "png")])  # fmt: skip
    site.page("/styled-well", head="<link rel=stylesheet href='/static/open.css'>",
              body="<script src='/a.js'></script>", spared=["robots_blocks_assets"])  # fmt: skip
    site.page("/static-404", status=404, body="<script src='/static/a.js'></script>",
              spared=["robots_blocks_assets"])  # fmt: skip


def plant_sections(site: Site) -> None:
    """Folders."""
    for number in range(10):
        site.page(f"/tags/{number}", robots="noindex", planted=["noindex", "section_noindex"])
        site.page(f"/mixed/{number}", robots="noindex", planted=["noindex"],
                  spared=["section_noindex"])  # fmt: skip
    site.page("/mixed/ten", spared=["section_noindex"])
    for number in range(9):
        site.page(f"/few/{number}", robots="noindex", planted=["noindex"],
                  spared=["section_noindex"])  # fmt: skip

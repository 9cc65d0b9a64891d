"""Titles, descriptions and headings that are wrong, and some that only look so."""

from __future__ import annotations

from tests.analyse.site import Site

NOT_JUDGED: dict[str, str] = {}
SUFFIX = " | Harbour lights"


def plant(site: Site) -> None:
    """Tell the host its pages."""
    _titles(site)
    _lengths(site)
    _descriptions(site)
    _headings(site)
    _outlines(site)


def _titles(site: Site) -> None:
    site.page("/title/none", title=None, planted=["title_missing"])
    site.page("/title/blank", title=" \n&nbsp;", planted=["title_missing"])
    site.page("/title/none-noindex", title=None, robots="noindex", spared=["title_missing"])
    site.page("/title/none-404", title=None, status=404, spared=["title_missing"])
    site.page(
        "/title/two",
        head="<title>The second of the titles of this page</title>",
        planted=["title_multiple"],
    )
    site.page(
        "/title/svg",
        body="<svg><title>A drawing of a light house</title></svg>",
        spared=["title_multiple", "title_outside_head"],
    )
    site.page(
        "/title/in-body",
        title=None,
        head="<noscript><img src='/i.png' alt='dot'></noscript>"
        "<title>This title came too late to be one</title>",
        planted=["title_outside_head"],
    )
    site.page(
        "/title/behind-head",
        html=(
            "<!doctype html><html lang=en><head></head>"
            "<title>Between head and body it still counts</title>"
            "<meta name=description content='A title that stands between head and body is put into"
            " the head by every browser, and so is this.'><body>"
            "<h1>Put where it belongs</h1><h2>By every browser</h2></body></html>"
        ),
        spared=["title_outside_head", "description_outside_head"],
    )
    for name in "ab":
        site.page(
            f"/title/twin-{name}",
            title="The very same title on two pages",
            planted=["title_duplicate"],
        )
    site.page(
        "/title/twin-noindex",
        title="The very same title on two pages",
        robots="none",
        spared=["title_duplicate"],
    )
    site.page(
        "/title/twin-canonical",
        title="The very same title on two pages",
        canonical="/title/twin-a",
        spared=["title_duplicate"],
    )
    site.page(
        "/title/as-h1",
        title="A title that its heading repeats",
        h1="A title  that its\nheading Repeats",
        planted=["title_same_as_h1"],
    )
    site.page(
        "/title/nearly-as-h1",
        title="A title that its heading extends",
        h1="A title that its heading extends somewhat",
        spared=["title_same_as_h1"],
    )
    long_enough = "A title that is long enough to be a good description as well"
    site.page(
        "/title/as-description",
        title=long_enough,
        description=long_enough,
        planted=["title_same_as_description", "description_too_short"],
    )
    site.page(
        "/title/in-description",
        title="A title with which its text begins",
        description="A title with which its text begins is no fault, since it goes on to say what "
        "the title does not.",
        spared=["title_same_as_description"],
    )


def _lengths(site: Site) -> None:
    site.page("/length/61", title="i" * 61, planted=["title_too_long"], spared=["title_too_wide"])
    site.page("/length/60", title="l" * 60, spared=["title_too_long"])
    site.page("/length/60-accents", title="&iacute;" * 60, spared=["title_too_long"])
    site.page("/length/29", title="Twenty-nine characters, as is", planted=["title_too_short"])
    site.page("/length/30", title="Thirty characters, as one sees", spared=["title_too_short"])
    site.page("/length/wide", title="W" * 31, planted=["title_too_wide"])
    site.page("/length/just-not-wide", title="M" * 33, spared=["title_too_wide"])
    site.page("/length/narrow", title="i" * 35, planted=["title_too_narrow"])
    site.page("/length/just-not-narrow", title="il" * 17 + "MMM", spared=["title_too_narrow"])
    site.page(
        "/length/narrow-noindex", title="ill", robots="noindex",
        spared=["title_too_narrow", "title_too_short"],
    )  # fmt: skip


def _descriptions(site: Site) -> None:
    site.page("/description/none", description=None, planted=["description_missing"])
    site.page("/description/blank", description="&#32;", planted=["description_missing"])
    site.page(
        "/description/none-noindex", description=None, robots="noindex",
        spared=["description_missing"],
    )  # fmt: skip
    site.page(
        "/description/two",
        head='<meta name="Description" content="The second description of this page, which no '
        'search engine needs to see beside the first.">',
        planted=["description_multiple"],
    )
    site.page(
        "/description/og",
        head='<meta property="og:description" content="Open Graph has one of its own.">',
        spared=["description_multiple"],
    )
    site.page(
        "/description/in-body",
        description=None,
        body='<meta name="description" content="This description stands in the body, where no '
        'search engine would look for it.">',
        planted=["description_outside_head"],
    )
    same = "Two pages that describe themselves in the same words do not tell which of them to read."
    for name in "ab":
        site.page(f"/description/twin-{name}", description=same, planted=["description_duplicate"])
    site.page(
        "/description/twin-noindex", description=same, robots="noindex",
        spared=["description_duplicate"],
    )  # fmt: skip
    site.page(
        "/description/156", description="a b " * 38 + "abcd", planted=["description_too_long"]
    )
    site.page("/description/155", description="a b " * 38 + "abc", spared=["description_too_long"])
    site.page("/description/wide", description="W" * 80, planted=["description_too_long"])
    site.page("/description/69", description="n" * 69, planted=["description_too_short"])
    site.page("/description/70", description="m" * 70, spared=["description_too_short"])
    site.page("/description/narrow", description="i" * 100, planted=["description_too_short"])


def _headings(site: Site) -> None:
    site.page("/h1/none", h1=None, planted=["h1_missing"])
    site.page("/h1/empty-first", head="", body="<h1></h1>", spared=["h1_missing"],
              planted=["h1_multiple", "heading_empty"])  # fmt: skip
    site.page("/h1/none-noindex", h1=None, robots="noindex", spared=["h1_missing"])
    site.page("/h1/two", body="<h1>A second heading of the first rank</h1>",
              planted=["h1_multiple"])  # fmt: skip
    site.page(
        "/h1/in-template",
        body="<template><h1>Not on the page</h1><title>Nor this</title></template>",
        spared=["h1_multiple", "title_multiple"],
    )
    for name in "ab":
        site.page(f"/h1/twin-{name}", h1="Two pages under one heading", planted=["h1_duplicate"])
    site.page("/h1/twin-noindex", h1="Two pages under one heading", robots="noindex",
              spared=["h1_duplicate"])  # fmt: skip
    site.page("/h1/71", h1="h" * 71, planted=["h1_too_long"])
    site.page("/h1/70", h1="h" * 70, spared=["h1_too_long"])
    site.page("/h1/image", h1='<img src="/i.png" alt="The name of the house">',
              planted=["h1_is_image_alt"])  # fmt: skip
    site.page("/h1/image-and-text", h1='<img src="/i.png" alt="Logo"> The house itself',
              spared=["h1_is_image_alt"])  # fmt: skip
    site.page("/h1/late", h1=None, body="<h1>After the second</h1>", planted=["h1_not_first"])


def _outlines(site: Site) -> None:
    site.page("/h2/none", h2=None, planted=["h2_missing"])
    site.page("/h2/none-noindex", h2=None, robots="noindex", spared=["h2_missing"])
    for name in "ab":
        site.page(f"/h2/twin-{name}", h2="Two pages under one second heading",
                  planted=["h2_duplicate"])  # fmt: skip
    for name in "ab":
        site.page(f"/h2/second-twin-{name}", body="<h2>See also, the second of its page</h2>",
                  spared=["h2_duplicate"])  # fmt: skip
    site.page("/level/skipped", body="<h4>Too deep at once</h4>",
              planted=["heading_levels_skipped"])  # fmt: skip
    site.page("/level/back", body="<h3>Deeper</h3><h4>And deeper</h4><h2>And back up again</h2>",
              spared=["heading_levels_skipped", "h1_not_first"])  # fmt: skip
    site.page("/level/empty", body="<h3> <span></span> </h3>", planted=["heading_empty"])
    site.page("/level/alt", body='<h3><img src="/i.png" alt="A picture as a heading"></h3>',
              spared=["heading_empty"])  # fmt: skip


def plant_pattern(site: Site) -> None:
    """A host of its own: ten pages that end in the name of their site, and one that does not."""
    site.front["title"] = f"All the chapters of the account{SUFFIX}"
    for number in range(12):
        site.page(f"/pattern/{number}", title=f"Chapter {number:02} of the account{SUFFIX}",
                  spared=["title_off_pattern"])  # fmt: skip
    site.page("/pattern/off", title="A page that forgot where it belongs to",
              planted=["title_off_pattern"])  # fmt: skip
    site.page("/pattern/noindex", title="Another that forgot, and may", robots="noindex",
              spared=["title_off_pattern"])  # fmt: skip

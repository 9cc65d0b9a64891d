"""Canonicals that lead astray, and some that only seem to."""

from __future__ import annotations

from tests.analyse.site import Planted, Site
from tests.crawls import config

NOT_JUDGED: dict[str, str] = {}
SETTINGS = config(pace={"tries": 1}, fetch={"read_s": 1.0, "connect_s": 1.0})
ELSEWHERE = "canonical_elsewhere"
UNLINKED = "canonical_unlinked"


def plant(site: Site) -> None:
    """Tell the host its pages."""
    site.front = {"spared": ["canonical_form_drift"]}
    site.host.robots("User-agent: *\nDisallow: /robots/no")
    _how_many(site)
    _how_written(site)
    _where_to(site)
    _in_rounds(site)
    _to_whom(site)
    _series(site)


def _how_many(site: Site) -> None:
    site.page("/none/at-all", canonical=None, planted=["canonical_missing"])
    site.page("/none/header", canonical=None, spared=["canonical_missing"],
              headers=_link(site.url("/none/header")))  # fmt: skip
    site.page("/none/noindex", canonical=None, robots="noindex", spared=["canonical_missing"])
    site.page("/many/same", head=f'<link rel=canonical href="{site.url("/many/same")}">',
              planted=["canonical_multiple"], spared=["canonical_conflicting"])  # fmt: skip
    site.page("/many/written", head='<link rel=canonical href="/many/written">',
              planted=["canonical_multiple"], spared=["canonical_conflicting"])  # fmt: skip
    site.page("/many/header", headers=_link(site.url("/many/header")),
              planted=["canonical_multiple"], spared=["canonical_header_differs"])  # fmt: skip
    site.page("/many/two", head='<link rel=canonical href="/many/same">',
              planted=["canonical_conflicting"],
              spared=["canonical_multiple", "canonical_header_differs"])  # fmt: skip
    site.page("/many/differs", headers=_link(site.url("/many/same")),
              planted=["canonical_conflicting", "canonical_header_differs"])  # fmt: skip
    site.page("/many/other-rel", headers={"Link": "</many/same>; rel=next"},
              spared=["canonical_multiple", "canonical_header_differs"])  # fmt: skip


def _how_written(site: Site) -> None:
    site.page("/written/outside", canonical=None,
              body=f'<link rel=canonical href="{site.url("/written/outside")}">',
              planted=["canonical_outside_head"])  # fmt: skip
    own = site.url("/written/behind-style")
    site.page("/written/behind-style", canonical=None,
              head=f'<style></style><link rel=canonical href="{own}">',
              spared=["canonical_outside_head"])  # fmt: skip
    site.page("/written/relative", canonical="/written/relative", planted=["canonical_relative"])
    own = site.url("/written/no-scheme").removeprefix("http:")
    site.page("/written/no-scheme", canonical=own, planted=["canonical_relative"])
    site.page("/written/upper-case", canonical=f" {site.url('/written/upper-case')}".replace(
        "http", "HTTP"), spared=["canonical_relative"])  # fmt: skip
    site.page("/written/fragment", canonical=site.url("/written/fragment#top"),
              planted=["canonical_fragment"])  # fmt: skip
    site.page("/written/escaped", canonical=site.url("/written/escaped%23top"),
              spared=["canonical_fragment"], planted=[ELSEWHERE, "canonical_to_error",
                                                      UNLINKED])  # fmt: skip
    for name, href in (("empty", " "), ("no-address", "http://"), ("script", "javascript:x()")):
        site.page(f"/written/{name}", canonical=None, head=f'<link rel=canonical href="{href}">',
                  planted=["canonical_invalid"], spared=["canonical_missing"])  # fmt: skip
    site.page("/written/twice-escaped", canonical=site.url("/written/twice-escaped"),
              spared=["canonical_invalid"])  # fmt: skip
    own = site.url("/written/attribute")
    site.page("/written/attribute", canonical=None, planted=["canonical_bad_attribute"],
              head=f'<link rel=canonical hreflang=en href="{own}">')  # fmt: skip
    own = site.url("/written/good-attribute")
    site.page("/written/good-attribute", canonical=None, spared=["canonical_bad_attribute"],
              head=f'<link rel=canonical id=c title=Own href="{own}">')  # fmt: skip


def _where_to(site: Site) -> None:
    _leads(site, "/to/good", "/aim/good", spared=["canonical_to_error", "canonical_to_redirect",
           "canonical_to_noindex", "canonical_to_blocked", "canonical_chain", UNLINKED,
           "canonical_to_home", "canonical_other_domain"])  # fmt: skip
    site.page("/aim/good", spared=[ELSEWHERE])
    _leads(site, "/to/gone", "/aim/gone", "canonical_to_error")
    site.page("/aim/gone", status=404)
    site.page("/to/gone-itself", canonical="/aim/gone", status=404,
              spared=["canonical_to_error"])  # fmt: skip
    _leads(site, "/to/moved", "/aim/moved", "canonical_to_redirect")
    site.host.redirect("/aim/moved", "/aim/good", status=301)
    site.page("/leads-to-moved", body='<a href="/aim/moved">Where it was</a>')
    _leads(site, "/to/noindex", "/aim/noindex", "canonical_to_noindex")
    site.page("/aim/noindex", robots="noindex")
    _leads(site, "/to/blocked", "/robots/no", "canonical_to_blocked")
    _leads(site, "/to/unlinked", "/aim/unlinked", UNLINKED)
    site.page("/aim/unlinked", linked=False)


def _in_rounds(site: Site) -> None:
    _leads(site, "/chain/a", "/chain/b", "canonical_chain", spared=["canonical_loop"])
    _leads(site, "/chain/b", "/chain/c", spared=["canonical_chain"])
    site.page("/chain/c")
    rounds = ["canonical_chain", "canonical_loop"]
    _leads(site, "/loop/a", "/loop/b", *rounds)
    _leads(site, "/loop/b", "/loop/a", *rounds)
    _leads(site, "/loop/into", "/loop/a", "canonical_chain", spared=["canonical_loop"])


def _to_whom(site: Site) -> None:
    _leads(site, "/deep/page", "/", "canonical_to_home", UNLINKED)
    _leads(site, "/index.html", "/", UNLINKED, spared=["canonical_to_home"])
    _leads(site, "/?from=mail", "/", UNLINKED, spared=["canonical_to_home"])
    other = "http://other.example/their"
    site.page("/to/others", canonical=other, planted=[ELSEWHERE, "canonical_other_domain"])
    track = "/tracked?utm_source=mail"
    site.page(track, planted=["canonical_of_tracking_url"])
    site.page("/tracked?id=1&GCLID=2", canonical=None,
              planted=["canonical_of_tracking_url", "canonical_missing"])  # fmt: skip
    _leads(site, "/tracked?fbclid=1", "/tracked", spared=["canonical_of_tracking_url"])
    site.page("/tracked")
    site.page("/tracked?target=utm_source&gclidity=1", spared=["canonical_of_tracking_url"])


def _series(site: Site) -> None:
    _leads(site, "/list?page=2", "/list", "paginated_to_first")
    site.page("/list", spared=["paginated_to_first"])
    _leads(site, "/list/page/3/", "/list", "paginated_to_first")
    site.page("/list?page=3", spared=["paginated_to_first"])
    _leads(site, "/list?page=1", "/list", spared=["paginated_to_first"])
    _leads(site, "/story/three", "/story/one", "paginated_to_first",
           head='<link rel=prev href="/story/two">')  # fmt: skip
    site.page("/story/two", head='<link rel=prev href="/story/one">',
              spared=["paginated_to_first"])  # fmt: skip
    site.page("/story/one", head='<link rel=next href="/story/two">')
    _leads(site, "/story/two-b", "/aim/good", spared=["paginated_to_first"],
           head='<link rel=prev href="/story/one">')  # fmt: skip


def plant_mixed(site: Site) -> None:
    """A host whose canonicals cannot agree."""
    site.front = {"planted": ["canonical_form_drift"]}
    secure = site.url("/secure").replace("http:", "https:")
    site.page("/secure", canonical=secure, spared=["canonical_to_http"],
              planted=[ELSEWHERE, "canonical_from_http", "canonical_to_error"])  # fmt: skip
    site.page("/plain", spared=["canonical_from_http"])


def plant_slashes(site: Site) -> None:
    """A host with folders and with pages is no mixture, one with a page as both is."""
    site.front = {"planted": ["canonical_form_drift"]}
    site.page("/page")
    site.page("/page/")
    site.page("/folder/")
    site.page("/other")


def plant_folders(site: Site) -> None:
    """Folders and pages beside each other."""
    site.front = {"spared": ["canonical_form_drift"]}
    site.page("/folder/")
    site.page("/Page")


def plant_secure(site: Site) -> None:
    """A host of https."""
    site.called = "https://lights.example"
    site.page("/insecure", canonical="http://lights.example/insecure",
              planted=[ELSEWHERE, "canonical_to_http"])  # fmt: skip
    site.front = {"planted": ["canonical_form_drift"]}
    site.page("/elsewhere", canonical="/insecure",
              planted=[ELSEWHERE, "canonical_chain", "canonical_relative"],
              spared=["canonical_to_http", "canonical_from_http"])  # fmt: skip


def _leads(site: Site, path: str, to: str, *planted: Planted, head: str = "",
           spared: list[str] | None = None) -> None:  # fmt: skip
    """A page whose canonical is another one of its site."""
    site.page(path, canonical=site.url(to), head=head, planted=[ELSEWHERE, *planted],
              spared=spared or [])  # fmt: skip


def _link(url: str) -> dict[str, str]:
    return {"Link": f'<{url}>; rel="canonical"'}

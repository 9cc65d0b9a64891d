"""Pages that scripts make, as far as that can be told without running any."""

from __future__ import annotations

from tests.analyse.site import Site

NOT_JUDGED = dict.fromkeys(
    (
        *("js_title", "js_description", "js_h1", "js_canonical", "js_noindex_removed"),
        *("js_noindex_added", "js_nofollow_removed", "js_links", "js_content"),
        *("js_structured_data", "js_blocked", "js_errors"),
    ),
    "pages were not rendered as a browser shows them",
)


def plant(site: Site) -> None:
    """Tell the host its pages."""
    check = "js_hash_routes"
    for path, href in (("/bang", "/app#!/shop"), ("/slash", "/app#/shop"), ("/own", "#!shop")):
        target = site.url(f"{path}{href}" if href.startswith("#") else href)
        site.page(path, body=f'<a href="{href}">The shop</a>', planted=[(check, target)])
    site.page("/app")
    site.page("/place", body='<a href="/app#shop/a">The shop</a>', spared=[check])
    site.page("/outside", body='<a href="http://127.0.9.9/#!/x">Not ours</a>', spared=[check])
    site.page("/picture", body='<img src="/i.svg#/x" alt="A part">', spared=[check])
    site.page("/gone", status=404, body='<a href="/app#/x">The shop</a>', spared=[check])

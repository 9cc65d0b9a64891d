"""Files of rules that say what nobody meant, and some that only look so."""

from __future__ import annotations

from tests.analyse.site import Planted, Site
from tests.crawls import config
from tests.sites.server import Answer

NOT_JUDGED = {"robots_changed": "there is no earlier run to compare with"}
SETTINGS = config(
    robots={"sitemaps": True}, pace={"tries": 1}, scope={"allow_private": ["127.0.5.200"]}
)
FILE = "/robots.txt"
LONE = "robots_without_sitemap"
ALL = (
    *("robots_missing", "robots_unreachable", "robots_redirects", "robots_wrong_type"),
    *("robots_too_large", "robots_forbids_all", "robots_syntax", "robots_noindex_line"),
    *("robots_shadowed_group", "robots_crawl_delay", "robots_without_sitemap"),
    *("robots_sitemap_broken", "robots_ai_policy"),
)


def _says(
    site: Site, text: str | bytes, *planted: Planted, kind: str = "text/plain; charset=utf-8",
    status: int = 200, good: bool = True,
) -> None:  # fmt: skip
    """The host's rules, with a sitemap where they are good ones; all that is not planted is
    spared."""
    if good:
        site.host.raw("/map.xml", headers={"Content-Type": "application/xml"}, body=(
            '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc>'
            f"{site.url('/')}</loc></url></urlset>"
        ))  # fmt: skip
    body = text.encode() if isinstance(text, str) else text
    if good:
        body += f"\nSitemap: {site.url('/map.xml')}\n".encode()
    named = {one if isinstance(one, str) else one[0] for one in planted}
    site.answer(FILE, Answer(status, {"Content-Type": kind}, body), linked=False, planted=planted,
                spared=set(ALL) - named)  # fmt: skip


def plant(site: Site) -> None:
    """One without any fault: with comments, a mark, other crawlers' fields, and an Allow."""
    _says(site, "\ufeff# Rules\nUser-agent: *\nDisallow: /no # no\nAllow: /\nDissalow: /none\n"
          "Host: lights.example\nClean-param: s\n\nUser-agent: GPTBot\nDisallow: /no\n"
          "Disallow: /none\nDisallow: /never\nAllow: /\n")  # fmt: skip


def plant_missing(site: Site) -> None:
    """None at all."""
    _says(site, "Nothing: here", "robots_missing", status=404, good=False)


def plant_empty(site: Site) -> None:
    """One that says nothing is there all the same."""
    _says(site, "# all are welcome", LONE, good=False)


def plant_unreachable(site: Site) -> None:
    """A server that fails."""
    _says(site, "", "robots_unreachable", status=503, good=False)


def plant_forbidden(site: Site) -> None:
    """To be refused is to be free, and no fault of this kind."""
    _says(site, "", status=403, good=False)


def plant_moved(site: Site) -> None:
    """To another host."""
    assert site.web is not None
    other = site.web.host("127.0.5.200")
    other.robots("User-agent: *\nDisallow: /none\n")
    site.host.redirect(FILE, other.url(FILE))
    site.found |= {("robots_redirects", FILE, ""), (LONE, FILE, "")}


def plant_moved_here(site: Site) -> None:
    """Within the host, five times."""
    for number in range(5):
        target = f"/rules{number + 1}"
        site.host.redirect(f"/rules{number}" if number else FILE, target)
    site.host.raw("/rules5", headers={"Content-Type": "text/plain"}, body="Sitemap: /map.xml")
    site.host.raw("/map.xml", headers={"Content-Type": "application/xml"}, body="<urlset/>")
    site.found |= {("robots_sitemap_broken", FILE, "/map.xml")}
    site.spared |= {("robots_redirects", FILE)}


def plant_moved_often(site: Site) -> None:
    """Within the host, six times."""
    for number in range(6):
        target = f"/rules{number + 1}"
        site.host.redirect(f"/rules{number}" if number else FILE, target)
    site.found |= {("robots_redirects", FILE, "")}


def plant_page(site: Site) -> None:
    """A page in its place."""
    _says(site, "<html>\n<p>Here: are no rules</p></html>", "robots_wrong_type", "robots_syntax",
          LONE, kind="text/html", good=False)  # fmt: skip


def plant_large(site: Site) -> None:
    """One byte more than is read."""
    line = b"User-agent: *\nDisallow: /a\n"
    filled = line + b"#" * (500 * 1024 + 1 - len(line))
    _says(site, filled, "robots_too_large", LONE, good=False)


def plant_not_large(site: Site) -> None:
    """As much as is read."""
    line = b"User-agent: *\nDisallow: /a\n"
    _says(site, line + b"#" * (500 * 1024 - len(line)), LONE, good=False)


def plant_shut(site: Site) -> None:
    """For everybody: so are all that gather for models."""
    _says(site, "User-agent: *\nDisallow: /\n", "robots_forbids_all", "robots_ai_policy")


def plant_shut_by_a_star(site: Site) -> None:
    """In another way of writing, and for all the same."""
    _says(site, "User-agent: *\nDisallow: *\n", "robots_forbids_all", "robots_ai_policy")


def plant_shut_but_for_one_folder(site: Site) -> None:
    """What is allowed is not shut."""
    _says(site, "User-agent: *\nDisallow: /\nAllow: /$\nAllow: /open\n")


def plant_linked(site: Site) -> None:
    """A page links to the sitemap that is named and gone."""
    gone = site.url("/gone.xml")
    site.page("/leads-there", body='<a href="/gone.xml">Sitemap</a>')
    _says(site, f"Sitemap: {gone}\n", ("robots_sitemap_broken", gone))


def plant_shut_to_one(site: Site) -> None:
    """For one search engine, which has no rules to be shadowed then."""
    _says(site, "User-agent: Bingbot\nDisallow: /\n\nUser-agent: *\nDisallow: /a",
          "robots_forbids_all")  # fmt: skip


def plant_shut_to_a_stranger(site: Site) -> None:
    """For a crawler that is no search engine, and nothing forbidden where it says nothing."""
    _says(site, "User-agent: AhrefsBot\nDisallow: /\n\nUser-agent: *\nDisallow:\n")


def plant_odd(site: Site) -> None:
    """A word that nobody knows, and rules that are none."""
    _says(site, "User-agent: *\nDisallow: /a\nForbid: /b\nno robots please\n", "robots_syntax")


def plant_noindex(site: Site) -> None:
    """A rule that was never one."""
    _says(site, "User-agent: *\nNoindex: /a\n", "robots_noindex_line")


def plant_shadowed(site: Site) -> None:
    """Rules that one agent does not see."""
    _says(site, "User-agent: *\nDisallow: /private\n\nUser-agent: Googlebot\nDisallow: /old\n",
          "robots_shadowed_group")  # fmt: skip


def plant_slow(site: Site) -> None:
    """A delay for somebody."""
    _says(site, "User-agent: Bingbot\nCrawl-delay: 10\n", "robots_crawl_delay")


def plant_sitemaps(site: Site) -> None:
    """One that is gone, one that is relative, and one that is there."""
    gone = site.url("/gone.xml")
    _says(site, f"Sitemap: {gone}\nSitemap: /map.xml\n", ("robots_sitemap_broken", gone),
          ("robots_sitemap_broken", "/map.xml"))  # fmt: skip


def plant_models(site: Site) -> None:
    """Some that gather for models are refused."""
    _says(site, "User-agent: GPTBot\nUser-agent: CCBot\nDisallow: /\n", "robots_ai_policy")


def plant_signal(site: Site) -> None:
    """A wish about the use of what is read."""
    _says(site, "User-agent: *\nContent-Signal: search=yes, ai-train=no\nAllow: /\n",
          "robots_ai_policy")  # fmt: skip

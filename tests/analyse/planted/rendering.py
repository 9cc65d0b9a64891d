"""Pages that scripts make, or make anew, and what goes wrong with them: shown by a real browser."""

from __future__ import annotations

import json

from crawler.config import RenderConfig
from tests.analyse.site import Site
from tests.crawls import config
from tests.sites.server import Answer
from tests.sites.skip import require_program

NOT_JUDGED: dict[str, str] = {}
SETTINGS = config(render={"mode": "always", "wall_s": 60, "cpu_s": 30})
MIXED = "https://mixed.example"
OTHER = "127.0.5.250"
"""A host that is asked for data over http."""
COMPLAINT = (
    "The page at 'https://mixed.example/blocked' was loaded over HTTPS, but requested an insecure"
    " script 'http://mixed.example/a.js'. This request has been blocked."
)
ALTER = (
    f"""
    INSERT INTO console (visit_id, position, level, text)
    SELECT max(visits.id), 99, 'error', 'Mixed Content: ' || '{COMPLAINT.replace("'", "''")}'
    FROM visits
    JOIN urls ON urls.id = visits.url_id
    WHERE urls.url = '{MIXED}/blocked'
    """,
)
"""What a browser says of a page over https; those of these tests come over http."""
LD = '{"@context": "https://schema.org", "@type": "Book", "name": "Lights"}'


def script(text: str) -> str:
    """Runs at once."""
    return f"<script>{text}</script>"


def appended(element: str, **attributes: str) -> str:
    """What puts an element at the end of the body; text: what it holds."""
    return (
        f"{{const made = document.createElement('{element}');"
        f" Object.assign(made, {json.dumps(attributes)}); document.body.append(made)}}"
    )


def plant_routes(site: Site) -> None:
    """Addresses that only scripts tell apart."""
    require_program(RenderConfig().program, "apt-get install chromium-headless-shell")
    check = "js_hash_routes"
    for path, href in (("/bang", "/app#!/shop"), ("/slash", "/app#/shop"), ("/own", "#!shop")):
        target = site.url(f"{path}{href}" if href.startswith("#") else href)
        site.page(path, body=f'<a href="{href}">The shop</a>', planted=[(check, target)])
    site.page("/app")
    site.page("/place", body='<a href="/app#shop/a">The shop</a>', spared=[check])
    site.page("/outside", body='<a href="http://127.0.9.9/#!/x">Not ours</a>', spared=[check])
    site.page("/picture", body='<img src="/i.svg#/x" alt="A part">', spared=[check])
    site.page("/gone", status=404, body='<a href="/app#/x">The shop</a>', spared=[check])


def plant_facts(site: Site) -> None:
    """What pages say of themselves, before and after."""
    title = script("document.title = 'The title that scripts give'")
    site.page("/title/other", body=title, planted=["js_title"])
    site.page("/title/only", title=None, body=title, planted=["js_title"])
    site.page("/title/same", title="The title that scripts give", body=title, spared=["js_title"])
    site.page("/title/gone", status=404, body=title, spared=["js_title"])
    said = "document.querySelector('meta[name=description]').content = 'What scripts tell of it'"
    site.page("/description", body=script(said), planted=["js_description"])
    site.page(
        "/description/same", description="What scripts tell of it", body=script(said),
        spared=["js_description"],
    )  # fmt: skip
    heading = script("document.querySelector('h1').textContent = 'The heading of scripts'")
    site.page("/h1", body=heading, planted=["js_h1"])
    site.page("/h1/same", h1="The heading of scripts", body=heading, spared=["js_h1"])
    site.page("/h1/second", body=script(appended("h1", textContent="More")), spared=["js_h1"])
    where = "document.querySelector('link[rel=canonical]')"
    site.page("/canonical", body=script(f"{where}.href = '/h1'"), planted=["js_canonical"])
    site.page(
        "/canonical/only", canonical=None,
        head=script(
            "const it = document.createElement('link'); it.rel = 'canonical'; "
            "it.href = location.href; document.head.append(it)"
        ),
        planted=["js_canonical"],
    )  # fmt: skip
    site.page(
        "/canonical/same", body=script(f"{where}.href = location.pathname"),
        spared=["js_canonical"],
    )  # fmt: skip


def plant_robots(site: Site) -> None:
    """What is asked of robots, before and after."""
    where = "document.querySelector('meta[name=robots]')"
    removed, kept = f"{where}.remove()", f"{where}.content += ', noarchive'"
    changes = [
        ("/noindex", "noindex", removed, ["js_noindex_removed"], []),
        ("/noindex/kept", "noindex", kept, [], ["js_noindex_removed", "js_noindex_added"]),
        ("/none", "none", f"{where}.content = 'noindex'", ["js_nofollow_removed"], []),
        ("/nofollow", "nofollow", removed, ["js_nofollow_removed"], []),
        ("/nofollow/kept", "nofollow", kept, [], ["js_nofollow_removed"]),
        ("/added", "follow", f"{where}.content = 'noindex'", ["js_noindex_added"], []),
        ("/added/not", "follow", kept, [], ["js_noindex_added", "js_noindex_removed"]),
    ]
    for path, robots, change, planted, spared in changes:
        site.page(path, robots=robots, body=script(change), planted=planted, spared=spared)


def plant_content(site: Site) -> None:
    """Links, words and structured data that are there only then."""
    link = '<a href="/content">More of it</a> '
    made = appended("a", href="/content/less", textContent="Made")
    site.page("/links", body=2 * link + script(made), planted=["js_links"])
    site.page("/links/few", body=7 * link + script(3 * made), spared=["js_links"])
    away = appended("a", href="http://127.0.9.9/", textContent="Away")
    site.page("/links/away", body=link + script(3 * away), spared=["js_links"])
    for path, count in (("/content", 400), ("/content/less", 200)):
        words = " ".join(f"word{number}" for number in range(count))
        told = {"planted" if count == 400 else "spared": ["js_content"]}
        site.page(path, body=script(appended("p", textContent=words)), **told)
    data = script(appended("script", type="application/ld+json", textContent=LD))
    site.page("/data", body=data, planted=["js_structured_data"])
    there = f'<script type="application/ld+json">{LD}</script>'
    site.page("/data/there", body=there + data, spared=["js_structured_data"])


def plant_errors(site: Site) -> None:
    """What goes wrong."""
    site.page("/thrown", body=script("throw new Error('no light')"),
              planted=[("js_errors", "Error: no light")])  # fmt: skip
    site.page("/said", body=script(2 * "console.error('no', 'oil');"),
              planted=[("js_errors", "no oil")])  # fmt: skip
    caught = "console.warn('dim'); try { throw new Error('caught') } catch {}"
    site.page("/caught", body=script(caught), spared=["js_errors"])
    site.host.robots("User-agent: *\nDisallow: /private/\n")
    forbidden = '<script src="/private/app.js"></script><img src="/private/i.png" alt="A lamp">'
    site.page(
        "/blocked",
        body=forbidden,
        planted=[("js_blocked", site.url("/private/app.js"))],
        spared=["js_errors", "js_requests_failed"],
    )
    site.host.answer("/open/app.js", Answer(200, {"Content-Type": "text/javascript"}, b"1"))
    site.page("/open", body='<script src="/open/app.js"></script>', spared=["js_blocked"])
    site.page(
        "/failed",
        body=script(2 * "fetch('/missing.json');") + '<script src="/missing.js"></script>',
        planted=[
            ("js_requests_failed", site.url(path)) for path in ("/missing.json", "/missing.js")
        ],
        spared=["js_errors"],
    )
    posted = "fetch('/data.json', {method: 'POST', body: 'x'}).catch(() => {})"
    site.page("/posted", body=script(posted), spared=["js_requests_failed"])


def plant_weight(site: Site) -> None:
    """What is asked for in all."""
    json_type = {"Content-Type": "application/json"}
    for path, size, told in (
        ("/heavy", 5_000_001, "planted"),
        ("/nearly", 5_000_000, "spared"),
    ):
        site.host.answer(f"{path}.json", Answer(200, json_type, b" " * size))
        site.page(path, body=script(f"fetch('{path}.json')"), **{told: ["js_requests_heavy"]})
    for count, told in ((101, "planted"), (100, "spared")):
        for number in range(count):
            site.host.answer(f"/{count}/{number}.json", Answer(200, json_type, b"[]"))
        many = f"for (let n = 0; n < {count}; n++) fetch('/{count}/' + n + '.json')"
        site.page(f"/many/{count}", body=script(many), **{told: ["js_requests_heavy"]})


def plant_mixed(site: Site) -> None:
    """A page over https, and what it asks for over http."""
    site.called = MIXED
    assert site.web is not None
    other = site.web.host(OTHER)
    data = Answer(200, {"Content-Type": "application/json"}, b"[]")
    other.answer("/data.json", data)
    site.host.answer("/data.json", data)
    asked = f"fetch('{other.url('/data.json')}').catch(() => {{}})"
    site.page(
        "/asking", body=script(asked), planted=[("js_mixed_content", other.url("/data.json"))]
    )
    site.page("/blocked", planted=[("js_mixed_content", COMPLAINT)], spared=["js_errors"])
    site.page("/own", body=script("fetch('/data.json')"), spared=["js_mixed_content"])


def plant_plain(site: Site) -> None:
    """The same without https; and pages whose scripts lead elsewhere."""
    assert site.web is not None
    site.page(
        "/asking",
        body=script(f"fetch('{site.web.host(OTHER).url('/data.json')}').catch(() => {{}})"),
        spared=["js_mixed_content"],
    )
    check = "redirects_javascript"
    site.page("/target")
    site.page(
        "/left", body=script("location.replace('/target')"), planted=[(check, site.url("/target"))]
    )
    site.page(
        "/named",
        body=script("history.replaceState(null, '', '/elsewhere')"),
        planted=[(check, site.url("/elsewhere"))],
    )
    site.page("/place", body=script("location.hash = '#below'"), spared=[check])
    site.page("/refresh", head='<meta http-equiv="refresh" content="0; url=/target">',
              spared=[check])  # fmt: skip

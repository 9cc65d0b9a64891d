"""Which texts of a site try to act where they are shown?"""

from __future__ import annotations

from tests.sites.server import Answer
from tests.sites.web import Host

SCRIPT = "<script>alert('fired')</script>"
TAG = "\"'><img src=x onerror=alert('fired')><svg onload=alert('fired')>"
TEMPLATE = "{{7*7}}{% raw %}"
LINK = "javascript:alert('fired')"
END = "</title></pre></textarea></style>" + SCRIPT


def publish_injections(host: Host) -> None:
    """A site that puts scripts wherever a text of its is kept: titles, addresses, anchors, types,
    headers, errors, robots.txt."""
    paths = ["/q?x=%3Cscript%3Ealert('fired')%3C/script%3E", '/it\'s"quoted"', "/gone-<b>bold</b>"]
    body = "".join(
        (
            *(f'<a href="{path.replace(chr(34), "%22")}">{TAG}</a>' for path in paths),
            f'<a href="{LINK}">{SCRIPT}</a><a href="/moved">m</a><a href="/plain">p</a>',
            f"<p>{TEMPLATE} {SCRIPT.replace('<', '&lt;')} {TAG.replace('<', '&lt;')}</p>",
        )
    )
    said = SCRIPT.replace("<", "&lt;")
    page = (
        f"<!doctype html><html lang=en><head><title>{said}{TEMPLATE}</title>"
        f'<meta name="description" content="{TAG.replace(chr(34), "&quot;")}"></head>'
        f"<body><h1>{END.replace('<', '&lt;')}</h1>{body}</body></html>"
    )
    headers = {"Content-Type": "text/html", "X-Said": SCRIPT, "Server": TAG}
    for path in ("/", "/it's%22quoted%22", paths[0]):
        host.answer(path, Answer(headers=headers, body=page.encode()))
    host.redirect("/moved", f"/plain?{SCRIPT}")
    host.raw("/plain", headers={"Content-Type": f"text/{SCRIPT}"}, body=END)
    host.robots(f"User-agent: *\nDisallow: /{SCRIPT}\n# {TAG}\n")

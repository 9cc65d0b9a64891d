"""Which pages are empty until their scripts have run? A small site of such, and how to crawl it.

A browser has to be there (`require_browser`).
"""

from __future__ import annotations

from crawler.config import RenderConfig
from tests.crawls import config
from tests.sites.skip import require_program
from tests.sites.web import Web

SETTINGS = config(render={"mode": "shells", "wall_s": 60, "cpu_s": 30, "screenshots": True})
WORDS = " ".join(f"word{number}" for number in range(60))
NASTY = "<img src=x onerror=alert(1)><script>alert(2)</script>"
SHELL = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Loading</title></head>
<body><div id="root"></div><script src="/app.js"></script></body></html>"""
SCRIPT = f"""
document.title = 'The lamp room ' + location.pathname;
document.getElementById('root').innerHTML =
  '<h1>The lamp room</h1><p>{WORDS}</p><a href="/oil">Oil</a> <a href="/wicks">Wicks</a>';
console.error({NASTY!r});
fetch('/missing.json');
"""


def require_browser() -> None:
    """The test skips where there is no browser to show pages."""
    require_program(RenderConfig().program, "apt-get install chromium-headless-shell")


def publish(web: Web) -> None:
    """A page without scripts, and three shells of one script."""
    web.page("/", title="Plain", body=f"<p>{WORDS}</p>", links=["/lamp"])
    for path in ("/lamp", "/oil", "/wicks"):
        web.raw(path, headers={"Content-Type": "text/html; charset=utf-8"}, body=SHELL)
    web.raw("/app.js", headers={"Content-Type": "text/javascript"}, body=SCRIPT)

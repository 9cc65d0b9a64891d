"""Are pages told that show next to nothing without their scripts, and no others?"""

from __future__ import annotations

import pytest

from crawler.config import Config
from crawler.model import Job, Reply
from crawler.parse import parse
from tests.crawls import config

SCRIPT = '<script src="/app.js"></script>'
MENU = "".join(f'<a href="/{number}">page {number}</a> ' for number in range(8))
WORDS = " ".join(f"word{number}" for number in range(60))
SHELLS = {
    "create-react-app": "<noscript>You need to enable JavaScript to run this app.</noscript>"
    f'<div id="root"></div>{SCRIPT}',
    "vue": f'<div id="app"></div>{SCRIPT}',
    "a menu beside it": f'{MENU}<div id="app"></div>{SCRIPT}',
    "next": f'<div id="__next"></div>{SCRIPT}',
    "nuxt": '<div id="__nuxt"><div class="loader"></div></div><script>window.__NUXT__={}</script>',
    "angular": f"<app-root></app-root>{SCRIPT}",
    "angular, loading": f'<app-root><div class="spinner"></div></app-root>{MENU}{SCRIPT}',
    "an element of one's own": f"{MENU}<my-shop></my-shop>{SCRIPT}",
    "nothing at all": SCRIPT,
    "capitals": '<DIV ID="ROOT"></DIV><SCRIPT SRC="/a.js"></SCRIPT>',
    "a module": '<div id="svelte"></div><script type="module">import "/x.js"</script>',
    "noscript": f"<p>Loading, please wait for our application</p>{MENU}"
    f"<noscript>Turn on scripts</noscript>{SCRIPT}",
}
NO_SHELLS = {
    "no script": '<div id="root"></div>',
    "words": f'<div id="root"><p>{WORDS} {WORDS}</p></div>{SCRIPT}',
    "short, with links": f"<h1>Our site</h1><p>{WORDS}</p>{MENU}{SCRIPT}",
    "a short answer": f"<h1>Thank you</h1><p>{' '.join(['word'] * 20)}</p>{SCRIPT}",
    "data alone": '<p>hi</p><script type="application/ld+json">{}</script>',
    "an empty script": '<div id="root"></div><script></script>',
    "it leads on": f'<meta http-equiv="refresh" content="0;url=/x"><div id="root"></div>{SCRIPT}',
    "a full root": f'<div id="app"><p>{WORDS}</p></div>{SCRIPT}',
}
SEEKING = config(render={"mode": "shells"})


def is_shell(body: str, settings: Config = SEEKING) -> bool:
    html = f"<!doctype html><html><head><title>Title</title></head><body>{body}</body></html>"
    reply = Reply(status=200, headers=(("Content-Type", "text/html"),), body=html.encode())
    return parse(Job(1, 1, "http://example.org/"), reply, settings).is_shell


@pytest.mark.parametrize("name", SHELLS)
def test_a_shell_is_told(name: str) -> None:
    assert is_shell(SHELLS[name])


@pytest.mark.parametrize("name", NO_SHELLS)
def test_what_is_to_be_read_without_scripts_is_none(name: str) -> None:
    assert not is_shell(NO_SHELLS[name])


@pytest.mark.parametrize("mode", ["never", "always"])
def test_nobody_looks_where_nobody_asks(mode: str) -> None:
    assert not is_shell(SHELLS["vue"], config(render={"mode": mode}))

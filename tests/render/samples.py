"""What do pages look like that real frameworks make?

A page for each, with the very files that people get from npm; each asks its server for a list and
shows it, as a heading, sixty words and links.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from gevent import subprocess

from tests.sites.skip import _absent
from tests.sites.web import Host

PACKAGES: Final = {
    "react": ("react@18.3.1", "umd/react.production.min.js"),
    "react-dom": ("react-dom@18.3.1", "umd/react-dom.production.min.js"),
    "vue": ("vue@3.5.13", "dist/vue.global.prod.js"),
    "preact": ("preact@10.25.4", "dist/preact.umd.js"),
    "mithril": ("mithril@2.2.14", "mithril.min.js"),
    "alpine": ("alpinejs@3.14.8", "dist/cdn.min.js"),
    "htmx": ("htmx.org@2.0.4", "dist/htmx.min.js"),
    "angularjs": ("angular@1.8.3", "angular.min.js"),
    "lit": ("lit@3.2.1", "index.js"),
    "lit-html": ("lit-html@3.2.1", "lit-html.js"),
    "lit-element": ("lit-element@4.1.1", "lit-element.js"),
    "reactive-element": ("@lit/reactive-element@2.0.4", "reactive-element.js"),
}
"""By name: what npm is asked for, and the file in it that pages take."""
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crawler-npm"
"""Outside of the tree, so that it is asked for once."""
PATIENT_S: Final = 120.0

WORDS: Final = " ".join(f"word{number}" for number in range(60))
ITEMS: Final = ("one", "two", "three")


@cache
def library(name: str) -> bytes:
    """The file of a package; the test skips where npm cannot be had."""
    package, file = PACKAGES[name]
    return _files(package)[file]


@cache
def _files(package: str) -> dict[str, bytes]:
    place = CACHE / f"{package.replace('/', '-').replace('@', '-').strip('-')}.tgz"
    if not place.exists():
        _fetch(package, place)
    with tarfile.open(place) as packed:
        return {
            member.name.partition("/")[2]: packed.extractfile(member).read()  # type: ignore[union-attr]
            for member in packed.getmembers()
            if member.isfile()
        }


def _fetch(package: str, place: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        _absent("npm is not installed: apt-get install npm")
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        command = [npm, "pack", package, "--silent", "--pack-destination", folder]
        try:
            ended = subprocess.run(
                command, cwd=folder, capture_output=True, timeout=PATIENT_S, check=False
            )
        except subprocess.TimeoutExpired:
            _absent(f"npm did not bring {package} within {PATIENT_S:g} s")
        found = list(Path(folder).glob("*.tgz"))
        if ended.returncode or not found:
            _absent(f"npm does not bring {package}: {ended.stderr[-300:]!r}")
        found[0].replace(place)


SCRIPT: Final = {"Content-Type": "text/javascript"}
HTML: Final = {"Content-Type": "text/html; charset=utf-8"}


def shell(*scripts: str, root: str = '<div id="root"></div>', inline: str = "") -> str:
    """A page with nothing in it but its scripts."""
    tags = "".join(f'<script src="{script}"></script>' for script in scripts)
    return (
        f"<!doctype html><html><head><title>Loading</title></head><body>{root}{tags}"
        f"<script>{inline}</script></body></html>"
    )


LOAD: Final = "fetch('/items.json').then(r => r.json())"

REACT: Final = """
const e = React.createElement;
function Page() {
  const [items, setItems] = React.useState(null);
  React.useEffect(() => { LOAD.then(found => { document.title = 'React'; setItems(found) }) }, []);
  if (!items) return e('p', null, 'Loading');
  return e('main', null, e('h1', null, 'React'), e('p', null, items.words),
    items.names.map(n => e('a', {key: n, href: '/react/' + n}, n)));
}
ReactDOM.createRoot(document.getElementById('root')).render(e(Page));
""".replace("LOAD", LOAD)

VUE: Final = """
Vue.createApp({
  data: () => ({items: null}),
  async mounted() { this.items = await LOAD; document.title = 'Vue' },
  template: `<main v-if="items"><h1>Vue</h1><p>{{ items.words }}</p>
    <a v-for="n in items.names" :href="'/vue/' + n">{{ n }}</a></main><p v-else>Loading</p>`,
}).mount('#root');
""".replace("LOAD", LOAD)

PREACT: Final = """
const {h, render, Component} = preact;
class Page extends Component {
  componentDidMount() { LOAD.then(items => { document.title = 'Preact'; this.setState({items}) }) }
  render(_, {items}) {
    return items ? h('main', null, h('h1', null, 'Preact'), h('p', null, items.words),
      items.names.map(n => h('a', {href: '/preact/' + n}, n))) : h('p', null, 'Loading');
  }
}
render(h(Page), document.getElementById('root'));
""".replace("LOAD", LOAD)

MITHRIL: Final = """
let items = null;
m.mount(document.getElementById('root'), {
  oninit: () => LOAD.then(found => { document.title = 'Mithril'; items = found; m.redraw() }),
  view: () => items ? m('main', m('h1', 'Mithril'), m('p', items.words),
    items.names.map(n => m('a', {href: '/mithril/' + n}, n))) : m('p', 'Loading'),
});
""".replace("LOAD", LOAD)

ALPINE: Final = """
<main id="app" x-data="{items: null}"
  x-init="LOAD.then(found => { document.title = 'Alpine'; items = found })">
<template x-if="items"><div><h1>Alpine</h1><p x-text="items.words"></p>
<template x-for="n in items.names"><a :href="'/alpine/' + n" x-text="n"></a></template></div>
</template></main>
""".replace("LOAD", LOAD)

ANGULARJS: Final = """
angular.module('app', []).controller('Page', ['$scope', '$http', (scope, http) =>
  http.get('/items.json').then(found => {
    document.title = 'AngularJS'; scope.items = found.data;
  })]);
"""
ANGULARJS_ROOT: Final = """<div id="app" ng-app="app" ng-controller="Page"><main ng-if="items">
<h1 ng-bind="'AngularJS'"></h1><p ng-bind="items.words"></p>
<a ng-repeat="n in items.names" ng-href="/angularjs/{{n}}" ng-bind="n"></a></main></div>"""

LIT: Final = """<!doctype html><html><head><title>Loading</title>
<script type="importmap">{"imports": {
  "lit": "/npm/lit/index.js",
  "lit-html": "/npm/lit-html/lit-html.js",
  "lit-html/is-server.js": "/npm/lit-html/is-server.js",
  "lit-element/lit-element.js": "/npm/lit-element/lit-element.js",
  "@lit/reactive-element": "/npm/reactive-element/reactive-element.js"
}}</script></head><body><the-page></the-page><script type="module">
import {LitElement, html} from 'lit';
class Page extends LitElement {
  static properties = {items: {state: true}};
  async connectedCallback() {
    super.connectedCallback(); this.items = await LOAD; document.title = 'Lit';
  }
  render() {
    return this.items ? html`<main><h1>Lit</h1><p>${this.items.words}</p>
      ${this.items.names.map(n => html`<a href="/lit/${n}">${n}</a>`)}</main>` : html`<p>…</p>`;
  }
}
customElements.define('the-page', Page);
</script></body></html>""".replace("LOAD", LOAD)

HTMX: Final = shell(
    "/npm/htmx.js",
    root='<div id="root" hx-get="/htmx/part" hx-trigger="load"></div>',
    inline="document.addEventListener('htmx:afterSwap', () => { document.title = 'htmx' })",
)
PLAIN: Final = """
setTimeout(() => LOAD.then(items => setTimeout(() => {
  document.title = 'Plain';
  document.getElementById('root').innerHTML = '<h1>Plain</h1><p>' + items.words + '</p>' +
    items.names.map(n => '<a href="/plain/' + n + '">' + n + '</a>').join('');
}, 700)), 900);
""".replace("LOAD", LOAD)

PAGES: Final[dict[str, Callable[[], str]]] = {
    "react": lambda: shell("/npm/react.js", "/npm/react-dom.js", inline=REACT),
    "vue": lambda: shell("/npm/vue.js", inline=VUE),
    "preact": lambda: shell("/npm/preact.js", inline=PREACT),
    "mithril": lambda: shell("/npm/mithril.js", inline=MITHRIL),
    "alpine": lambda: shell("/npm/alpine.js", root=ALPINE),
    "htmx": lambda: HTMX,
    "angularjs": lambda: shell("/npm/angularjs.js", root=ANGULARJS_ROOT, inline=ANGULARJS),
    "lit": lambda: LIT,
    "plain": lambda: shell(inline=PLAIN),
    "svelte": lambda: shell("/svelte.js"),  # by `built`
}
TITLES: Final = {
    name: {"htmx": "htmx", "angularjs": "AngularJS"}.get(name, name.capitalize()) for name in PAGES
}


def serve(host: Host) -> None:
    """All samples, the files that they need, and the pages that they lead to."""
    names = ", ".join(f'"{name}"' for name in ITEMS)
    host.raw(
        "/items.json",
        headers={"Content-Type": "application/json"},
        body=f'{{"words": "{WORDS}", "names": [{names}]}}',
    )
    anchors = "".join(f'<a href="/htmx/{name}">{name}</a>' for name in ITEMS)
    host.raw("/htmx/part", headers=HTML, body=f"<h1>htmx</h1><p>{WORDS}</p>{anchors}")
    for name in PACKAGES:
        if not name.startswith(("lit", "reactive")):
            host.raw(f"/npm/{name}.js", headers=SCRIPT, body=library(name))
    for name in ("lit", "lit-html", "lit-element", "reactive-element"):
        package, _ = PACKAGES[name]
        for path, data in _files(package).items():
            if path.endswith(".js") and "/" not in path.removeprefix("decorators/"):
                host.raw(f"/npm/{name}/{path}", headers=SCRIPT, body=data)
    for name, page in PAGES.items():
        host.raw(f"/{name}", headers=HTML, body=page())
        for item in ITEMS:
            host.page(f"/{name}/{item}", body=f"<p>{WORDS}</p>")

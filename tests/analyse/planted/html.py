"""HTML that readers trip over, and some that only looks so."""

from __future__ import annotations

from tests.analyse.site import Site
from tests.sites.server import Answer

NOT_JUDGED: dict[str, str] = {}
PLAIN = {"Content-Type": "text/html"}
SHELL = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width"><title>A page</title></head>'
)
BODY = "<body><main><p>What there is to say</p></main></body></html>"


def plant(site: Site) -> None:
    """Tell the host its pages."""
    _beginnings(site)
    _charsets(site)
    _heads(site)
    _shells(site)
    _viewports(site)
    _sizes(site)
    _elements(site)
    _names(site)
    _refreshes(site)


def _beginnings(site: Site) -> None:
    whole = SHELL + BODY
    bare = whole.removeprefix("<!doctype html>")
    site.page("/doctype/none", html=bare, planted=["doctype_missing"])
    site.page("/doctype/late", html=f"<p>{whole}", planted=[
        "doctype_missing", "head_ended_early", "meta_in_body",
    ])  # fmt: skip
    site.page("/doctype/none-404", html=bare, status=404, spared=["doctype_missing"])
    site.page("/doctype/comment", html=f"<!-- first -->\n{whole}", spared=["doctype_missing"])
    site.page(
        "/doctype/old",
        html=whole.replace("html>", 'HTML PUBLIC "-//W3C//DTD HTML 4.01//EN">', 1),
        spared=["doctype_missing"],
    )


def _charsets(site: Site) -> None:
    silent = (SHELL + BODY).replace('<meta charset="utf-8">', "").encode()
    late = SHELL.replace('<meta charset="utf-8">', f"<!--{' ' * 1024}--><meta charset=utf-8>")
    said = (SHELL + BODY).encode()

    def answer(path: str, body: bytes, kind: str, check: str, *, planted: bool) -> None:
        told = Answer(200, {"Content-Type": kind}, body)
        site.answer(path, told, **{"planted" if planted else "spared": [check]})  # type: ignore[arg-type]

    silence, conflict = "charset_undeclared", "charset_conflict"
    answer("/charset/nowhere", silent, "text/html", silence, planted=True)
    answer("/charset/late", (late + BODY).encode(), "text/html", silence, planted=True)
    answer("/charset/mark", b"\xef\xbb\xbf" + silent, "text/html", silence, planted=False)
    answer("/charset/header", silent, "text/html; charset=utf-8", silence, planted=False)
    answer("/charset/meta", said, "text/html", silence, planted=False)
    answer("/charset/other", said, "text/html; charset=ISO-8859-1", conflict, planted=True)
    answer("/charset/same", said, 'text/html; charset="UTF8"', conflict, planted=False)
    latin = said.replace(b"utf-8", b"latin1")
    answer("/charset/latin", latin, "text/html;charset=windows-1252", conflict, planted=False)


def _heads(site: Site) -> None:
    late = '<div></div><link rel="canonical" href="{}">'
    site.page(
        "/head/canonical",
        canonical=None,
        head=late.format(site.url("/head/canonical")),
        planted=["head_ended_early", "meta_in_body"],
    )
    site.page(
        "/head/hreflang",
        head=f'<img src="/dot.png" alt="a dot"><link rel="alternate" hreflang="en" '
        f'href="{site.url("/head/hreflang")}">',
        planted=["head_ended_early", "meta_in_body"],
    )
    site.page(
        "/head/harmless",
        head='<div></div><link rel="stylesheet" href="/s.css">',
        spared=["head_ended_early", "meta_in_body"],
    )
    site.page(
        "/head/allowed",
        head="<script>1</script><noscript><link rel=stylesheet href=/s.css></noscript>"
        "<template><div></div></template>",
        spared=["head_ended_early"],
    )
    site.page(
        "/head/body",
        body=f'<link rel="canonical" href="{site.url("/head/body")}">',
        planted=["meta_in_body"],
        spared=["head_ended_early"],
    )
    site.page(
        "/head/itemprop",
        body='<div itemscope><meta itemprop="price" content="3"></div>',
        spared=["meta_in_body"],
    )


def _shells(site: Site) -> None:
    check = "head_or_body_wrong"
    site.page("/shell/no-body", html=SHELL + "<main>x</main></html>", planted=[check])
    site.page(
        "/shell/no-head",
        html=(SHELL + BODY).replace("<head>", "").replace("</head>", ""),
        planted=[check],
    )
    site.page("/shell/two-bodies", html=SHELL + "<BODY class=a>" + BODY, planted=[check])
    site.page(
        "/shell/text",
        html=f"Warning: line 3 {SHELL}{BODY}",
        planted=[check, "doctype_missing", "head_ended_early", "meta_in_body"],
    )
    site.page(
        "/shell/written",
        body="<!-- <body> --><script>var t = '<head><body>';</script><p title='<body>'></p>"
        "<header></header>",
        spared=[check],
    )
    site.page("/shell/comment", html=f"\n<!-- text -->{SHELL}{BODY}", spared=[check])


def _viewports(site: Site) -> None:
    check = "viewport_missing"

    def page(path: str, content: str, *, planted: bool) -> None:
        html = (SHELL + BODY).replace("width=device-width", content)
        site.page(path, html=html, **{"planted" if planted else "spared": [check]})  # type: ignore[arg-type]

    bare = (SHELL + BODY).replace('<meta name="viewport" content="width=device-width">', "")
    site.page("/viewport/none", html=bare, planted=[check])
    site.page("/viewport/none-404", html=bare, status=404, spared=[check])
    page("/viewport/fixed", "width=1024", planted=True)
    page("/viewport/no-zoom", "width=device-width, user-scalable=no", planted=True)
    page("/viewport/one", "width=device-width; maximum-scale=1.0", planted=True)
    page("/viewport/five", "WIDTH = device-width, maximum-scale=5", planted=False)
    page("/viewport/yes", "initial-scale=1,width=device-width,user-scalable=yes", planted=False)


def _sizes(site: Site) -> None:
    check = "dom_too_large"
    around = SHELL + "<body><main>{}</main></body></html>"
    outer = 7  # html, head, meta, meta, title, body, main
    site.page("/nodes/1500", html=around.format("<br>" * (1500 - outer)), spared=[check])
    site.page("/nodes/1501", html=around.format("<br>" * (1501 - outer)), planted=[check])
    deep = "<div>" * 27 + "</div>" * 27  # within html, body and main
    site.page("/depth/30", html=around.format(deep), spared=[check])
    site.page("/depth/31", html=around.format(f"<div>{deep}</div>"), planted=[check])


def _elements(site: Site) -> None:
    site.page("/ids/twice", body='<p id="a"></p><i id="a"></i>', planted=["ids_duplicate"])
    site.page("/ids/case", body='<p id="a"></p><i id="A"></i>', spared=["ids_duplicate"])
    site.page(
        "/ids/noindex",
        robots="noindex",
        body='<p id="a"></p><i id="a"></i>',
        spared=["ids_duplicate"],
    )
    site.page("/object", body="<object></object>", planted=["frames_or_plugins"])
    site.page("/embed", body="<embed src='/film'>", planted=["frames_or_plugins"])
    site.page(
        "/iframe",
        body="<iframe src='/object' title='A thing'></iframe>",
        spared=["frames_or_plugins"],
    )
    elsewhere = "http://127.0.9.9/"
    site.page("/base/other", head=f'<base href="{elsewhere}">', planted=["base_elsewhere"])
    site.page("/base/schemeless", head='<base href="//127.0.9.9/">', planted=["base_elsewhere"])
    site.page("/base/own", head=f'<base href="{site.url("/x/")}">', spared=["base_elsewhere"])
    site.page("/base/path", head='<base href="/x//y/">', spared=["base_elsewhere"])
    site.page(
        "/main/none",
        html=SHELL + "<body><p>All the same</p></body></html>",
        planted=["main_landmark_missing"],
    )
    site.page(
        "/main/role",
        html=SHELL + '<body><div role="main">Here</div></body></html>',
        spared=["main_landmark_missing"],
    )


def _names(site: Site) -> None:
    for path, element in (
        ("link", '<a href="/"></a>'),
        ("image", '<a href="/"><img src="/i.png" alt=""></a>'),
        ("button", "<button></button>"),
        ("field", '<form action="/"><input name="q"></form>'),
        ("frame", '<iframe src="/object"></iframe>'),
    ):
        site.page(f"/names/{path}", body=element, planted=["names_missing"])
    site.page(
        "/names/all",
        body='<a href="/" aria-label="Front"></a><button title="Go"></button>'
        '<label>Word <input name="q"></label><input type="hidden" name="h">'
        '<label for="w">Other</label><input id="w"><input type="submit">',
        spared=["names_missing"],
    )


def _refreshes(site: Site) -> None:
    check = "refresh_timed"

    def page(path: str, content: str, *, planted: bool) -> None:
        head = f'<meta http-equiv="refresh" content="{content}">'
        site.page(path, head=head, **{"planted" if planted else "spared": [check]})  # type: ignore[arg-type]

    page("/refresh/same", "30", planted=True)
    page("/refresh/named", f"5; url={site.url('/refresh/named')}", planted=True)
    page("/refresh/at-once", "0", planted=False)
    page("/refresh/other", "5; url=/object", planted=False)

"""Pages that say too little, the same, or nonsense, and some that only seem to."""

from __future__ import annotations

from html import escape

from tests.analyse.site import Site

_NO_PROBE = "that takes a request of its own, which is never made"
NOT_JUDGED = {
    "soft_404_site": _NO_PROBE,
    "soft_404_like_probe": _NO_PROBE,
}
_SHORT = ("fog", "buoy", "lamp", "boat", "gull", "pier", "net", "oar", "wave", "cliff", "reef")
_LONG = (
    *("institutional", "considerations", "regarding", "international", "harmonisation"),
    *("necessitate", "comprehensive", "administrative", "reconfiguration", "thereafter"),
)
_GERMAN = (
    "Der Leuchtturm stand am Ende des Hafens, und sein Wärter hatte dort dreißig Jahre gelebt, ohne"
    " ihn auch nur für eine einzige Nacht zu verlassen. Wenn Schiffe von der See kamen, zündete er"
    " die Lampe an und wartete, bis sie vorbei waren."
)
"""42 words."""
_NORWEGIAN = (
    "Fyret sto ved enden av havnen, og vokteren hadde bodd der i tretti år uten å forlate det en"
    " eneste natt. Når skipene kom inn fra sjøen, tente han lampen og ventet til de hadde passert"
    " skjærene. Om vinteren var det ofte så mye is at ingen kunne komme ut til ham, og da leste han"
    " de gamle bøkene som faren hans hadde etterlatt seg."
)
_CHINESE = (
    "灯塔矗立在港口的尽头。看守人在那里住了三十年。从未离开过一夜。当船只从海上驶来时。他会点亮灯。等待它们驶过礁石。"
    "冬天的时候。海面上常常结满了冰。没有人能够到他那里去。于是他就读父亲留下来的旧书。他说。这里的每一块石头他都认识。"
    "每一阵风他都听过。而他最喜欢的是清晨的时候。太阳从海里慢慢地升起来。"
)
_INDONESIAN = (
    "Mercusuar itu berdiri di ujung pelabuhan, dan penjaganya sudah tinggal di sana selama tiga"
    " puluh tahun tanpa pernah meninggalkannya satu malam pun. Ketika kapal-kapal datang dari laut,"
    " dia menyalakan lampu dan menunggu sampai mereka melewati batu karang. Kalau cuaca sedang"
    " buruk dia tidak bisa tidur karena khawatir ada nelayan yang belum pulang ke rumah mereka."
)


def plant(site: Site) -> None:
    """Tell the host its pages."""
    _duplicates(site)
    _near_duplicates(site)
    _lengths(site)
    _ratios(site)
    _not_found(site)
    _walls(site)
    _placeholders(site)
    _language(site)
    _languages(site)
    _hidden(site)


def words(count: int, seed: int, vocabulary: tuple[str, ...] = _SHORT) -> str:
    """A text of so many words that no other seed gives, in sentences of ten."""
    said = []
    for at in range(count):
        seed = (seed * 1103515245 + 12345) % 2**31
        word = vocabulary[(seed >> 16) % len(vocabulary)]
        said.append(f"{word}." if at % 10 == 9 else word)
    return " ".join(said)


def page(site: Site, path: str, text: str, *, head: str = "", lang: str = "en",
         canonical: str | None = None, before: str = "") -> str:  # fmt: skip
    """A page that shows this text and nothing else, but for what stands before its main part."""
    title = f"Of {path.strip('/')}, and why it stands where one finds it"
    address = site.url(path) if canonical is None else canonical
    return (
        f'<!doctype html><html lang="{lang}"><head><title>{escape(title)}</title>'
        f'<link rel=canonical href="{address}">{head}</head>'
        f"<body>{before}<main><p>{text}</p></main></body></html>"
    )


def _duplicates(site: Site) -> None:
    lone = ["duplicate_pages", "duplicates_without_canonical"]
    text = words(240, 1)
    for name in "ab":
        path = f"/same/{name}"
        site.page(path, html=page(site, path, text), planted=lone,
                  spared=["duplicate_bodies", "near_duplicates"])  # fmt: skip
    hidden = page(site, "/same/noindex", text, head='<meta name=robots content="noindex">')
    site.page("/same/noindex", html=hidden, spared=lone)
    path = "/same/canonical"  # its own cluster, in which one says which is the original
    settled = words(240, 2)
    for name in ("original", "other"):
        own = f"/settled/{name}"
        site.page(own, html=page(site, own, settled), planted=["duplicate_pages"],
                  spared=["duplicates_without_canonical"])  # fmt: skip
    copy = page(site, path, settled, canonical=site.url("/settled/original"))
    site.page(path, html=copy, spared=lone)
    one = page(site, "/bytes/a", words(240, 3), canonical="").replace('href=""', "")
    for name in "ab":
        site.page(f"/bytes/{name}", html=one, planted=[*lone, "duplicate_bodies"])
    for name in "ab":  # a token in each page: the text is the same, the bytes are not
        path = f"/token/{name}"
        site.page(path, html=page(site, path, words(240, 4), head=f"<!-- {name} -->"),
                  planted=lone, spared=["duplicate_bodies"])  # fmt: skip
    for name in "ab":
        site.page(f"/bytes/gone-{name}", html=one, status=410, spared=["duplicate_bodies"])


def _near_duplicates(site: Site) -> None:
    text = words(400, 5)
    for name, said in (("a", text), ("b", text + " gull and pier.")):
        path = f"/near/{name}"
        site.page(path, html=page(site, path, said), planted=["near_duplicates"],
                  spared=["duplicate_pages"])  # fmt: skip
    half = text[: len(text) // 2] + words(200, 6)
    site.page("/near/half", html=page(site, "/near/half", half), spared=["near_duplicates"])
    hidden = page(site, "/near/noindex", text + " reef.",
                  head='<meta name=robots content="noindex">')  # fmt: skip
    site.page("/near/noindex", html=hidden, spared=["near_duplicates"])


def _lengths(site: Site) -> None:
    site.page("/words/199", html=page(site, "/words/199", words(199, 7)),
              planted=["low_word_count"])  # fmt: skip
    site.page("/words/200", html=page(site, "/words/200", words(200, 8)),
              spared=["low_word_count"])  # fmt: skip
    hidden = page(site, "/words/noindex", words(20, 9),
                  head='<meta name=robots content="noindex"><script>1</script>')  # fmt: skip
    site.page("/words/noindex", html=hidden,
              spared=["low_word_count", "no_main_text", "empty_shell"])  # fmt: skip
    site.page("/words/10001", html=page(site, "/words/10001", words(10_001, 10)),
              planted=["content_too_long"])  # fmt: skip
    site.page("/words/10000", html=page(site, "/words/10000", words(10_000, 11)),
              spared=["content_too_long"])  # fmt: skip
    for number in range(8):
        path = f"/group/{number}"
        site.page(path, html=page(site, path, words(500 + number, 20 + number)),
                  spared=["thin_for_its_group"])  # fmt: skip
    site.page("/group/thin", html=page(site, "/group/thin", words(240, 30)),
              planted=["thin_for_its_group"])  # fmt: skip
    site.page("/group/shorter", html=page(site, "/group/shorter", words(300, 31)),
              spared=["thin_for_its_group"])  # fmt: skip
    for number in range(8):  # pages of all lengths: none of them is out of place
        path = f"/mixed/{number}"
        site.page(path, html=page(site, path, words(200 + 150 * number, 40 + number)),
                  spared=["thin_for_its_group"])  # fmt: skip
    frame = f"<nav><p>{words(250, 32)}</p></nav>"
    site.page("/main/none", html=page(site, "/main/none", words(49, 33), before=frame),
              planted=["no_main_text"])  # fmt: skip
    site.page("/main/some", html=page(site, "/main/some", words(50, 34), before=frame),
              spared=["no_main_text"])  # fmt: skip
    short = ["low_word_count", "no_main_text"]
    script = "<script>run()</script>"
    site.page("/shell/empty", html=page(site, "/shell/empty", words(49, 35), head=script),
              planted=["empty_shell", *short])  # fmt: skip
    data = '<script type="application/ld+json">{"@type": "Thing"}</script>'
    site.page("/shell/data", html=page(site, "/shell/data", words(48, 36), head=data),
              planted=short, spared=["empty_shell"])  # fmt: skip
    site.page("/shell/full", html=page(site, "/shell/full", words(210, 37), head=script),
              spared=["empty_shell"])  # fmt: skip


def _ratios(site: Site) -> None:
    style = f"<style>{'a{color:red}' * 1200}</style>"
    site.page("/ratio/low", html=page(site, "/ratio/low", words(210, 50), head=style),
              planted=["text_ratio_low"])  # fmt: skip
    site.page("/ratio/long", html=page(site, "/ratio/long", words(600, 51), head=style),
              spared=["text_ratio_low"])  # fmt: skip
    hidden = page(site, "/ratio/noindex", words(210, 52),
                  head=style + '<meta name=robots content="noindex">')  # fmt: skip
    site.page("/ratio/noindex", html=hidden, spared=["text_ratio_low"])


def _not_found(site: Site) -> None:
    says = ["soft_404_phrases"]
    site.page("/gone/title", title="Error 404 on the site of the lights", planted=says)
    site.page("/gone/bare", title="404", planted=says)
    site.page("/gone/german", h1="Seite nicht gefunden", planted=says)
    site.page("/gone/first-words", h1=None, h2=None, html=page(
        site, "/gone/first-words", "Sorry, the page you asked for could not be found. "
        + words(220, 60)), planted=says)  # fmt: skip
    site.page("/gone/late", html=page(
        site, "/gone/late", words(220, 61) + " And then the page was not found."),
        spared=says)  # fmt: skip
    site.page("/gone/car", title="The Peugeot 404 and its engine of old", spared=says)
    site.page("/gone/really", title="Page not found", status=404, spared=says)
    site.page("/gone/noindex", title="Page not found", robots="noindex", spared=says)


def _walls(site: Site) -> None:
    form = "<form><label>Word <input type=password name=p></label></form>"
    short = ["low_word_count"]
    site.page("/wall/content", html=page(site, "/wall/content", words(80, 70) + form),
              planted=["login_wall", *short])  # fmt: skip
    site.page("/wall/login", html=page(site, "/wall/login", words(80, 71) + form), linked=False,
              planted=short, spared=["login_wall"])  # fmt: skip
    site.page("/wall/leads", body='<nav><a href="/wall/login">Log in</a></nav>')
    site.page("/wall/long", html=page(site, "/wall/long", words(220, 72) + form),
              spared=["login_wall"])  # fmt: skip


def _placeholders(site: Site) -> None:
    left = ["placeholder_text"]
    site.page("/left/lorem", body="<p>Lorem  Ipsum dolor</p>", planted=left)
    site.page("/left/todo", body="<p>TODO: say more</p>", planted=left)
    site.page("/left/insert", body="<p>Call us at [insert number here].</p>", planted=left)
    site.page("/left/to-do", body="<p>What there is to do; a todo list.</p>", spared=left)
    spanish = page(site, "/left/spanish", "TODO EL MUNDO. " + words(220, 80), lang="es")
    site.page("/left/spanish", html=spanish, spared=left)
    site.page("/left/hidden", body="<script>// TODO lorem ipsum</script>", spared=left)
    site.page("/left/noindex", body="<p>Lorem ipsum</p>", robots="noindex", spared=left)
    broken = ["mojibake"]
    site.page("/broken/three", body="<p>L&Atilde;&copy;t&Atilde;&copy; gar&Atilde;&sect;on</p>",
              planted=broken)  # fmt: skip
    site.page("/broken/marks", body="<p>\ufffd\ufffd and \ufffd</p>", planted=broken)
    site.page("/broken/two", body="<p>\ufffd and \ufffd</p>", spared=broken)
    site.page("/broken/none", body="<p>S\u00c3O PAULO, \u00e9t\u00e9, \u00c2GE, N\u00c3O</p>",
              spared=broken)  # fmt: skip


def _language(site: Site) -> None:
    hard = words(220, 90, _LONG)
    site.page("/ease/hard", html=page(site, "/ease/hard", hard), planted=["readability"])
    site.page("/ease/plain", html=page(site, "/ease/plain", words(220, 91)),
              spared=["readability"])  # fmt: skip
    listed = hard[: len(hard) // 2].replace(".", "")
    site.page("/ease/list", html=page(site, "/ease/list", listed + words(140, 92)
              .replace(".", "")), spared=["readability"])  # fmt: skip
    site.page("/ease/unknown", html=page(site, "/ease/unknown", words(220, 93, _LONG), lang="fi"),
              planted=["language_differs"],
              spared=["readability"])  # fmt: skip


def _languages(site: Site) -> None:
    few = ["low_word_count", "no_main_text"]
    for number, (path, text, lang, is_fault, beside) in enumerate((
        ("german", _GERMAN, "en", True, []), ("declared", _GERMAN, "de-AT", False, []),
        ("undeclared", _GERMAN, "", False, []), ("norwegian", _NORWEGIAN, "nb", False, []),
        ("indonesian", _INDONESIAN, "ms", True, []), ("few", _GERMAN, "en", False, few),
        ("chinese", _CHINESE, "en", True, few),
        ("chinese/own", _CHINESE[:-20], "zh_CN", False, few),
    )):  # fmt: skip
        text = text if beside else counted(text, number)
        site.page(f"/language/{path}", html=page(site, f"/language/{path}", text, lang=lang),
                  planted=["language_differs"] * is_fault + beside,
                  spared=["language_differs"] * (not is_fault))  # fmt: skip
    site.page("/language/hidden", html=page(site, "/language/hidden", counted(_GERMAN, 99),
              head="<meta name=robots content=noindex>"), spared=["language_differs"])  # fmt: skip


def counted(text: str, seed: int) -> str:
    """A text over and over, with numbers in it that make it unlike all others."""
    return " ".join(
        f"{word} {1000 * seed + at}." if at % 5 == 4 else word
        for at, word in enumerate((text.split() * 6)[:240])
    )


def _hidden(site: Site) -> None:
    site.page("/hidden/50", body=f"<div style='display:none'>{words(50, 95)}</div>",
              planted=["hidden_text"])  # fmt: skip
    site.page("/hidden/49", body=f"<div style='display: none'>{words(49, 96)}</div>",
              spared=["hidden_text"])  # fmt: skip
    site.page("/hidden/shown", body=f"<div style='display:block'>{words(60, 97)}</div>",
              spared=["hidden_text"])  # fmt: skip
    old = '<time datetime="2019-03-04">long ago</time>'
    site.page("/date/old", body=f"<p>{old}</p>", planted=["stale_dates"])
    site.page("/date/both", body=f'<p>{old} <time datetime="2999-01-02">to come</time></p>',
              spared=["stale_dates"])  # fmt: skip
    site.page("/date/noindex", body=f"<p>{old}</p>", robots="noindex", spared=["stale_dates"])

"""Is this answer a wall rather than the page that was asked for?"""

from __future__ import annotations

import time

import pytest

from crawler.config import Config
from crawler.model import Document, Job, Kind, Reply
from crawler.parse.dispatch import read
from crawler.policy import urls

Headers = tuple[tuple[str, str], ...]
HTML: Headers = (("Content-Type", "text/html; charset=utf-8"),)
WORDS = "words that a person reads on this page and that no wall has " * 40


def answered(
    status: int,
    body: str,
    headers: Headers = HTML,
    *,
    url: str = "http://h.test/news/1",
    kind: Kind = "page",
) -> Document:
    return read(Job(1, 1, url, kind), Reply(status, headers=headers, body=body.encode()), Config())


CLOUDFLARE = """<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title>
<meta name="robots" content="noindex,nofollow"></head><body><div class="main-wrapper">
<noscript>Enable JavaScript and cookies to continue</noscript></div>
<script>(function(){window._cf_chl_opt = {cvId: '3',cType: 'managed'};for(var i=0;i<9;i++){}
a.src = '/cdn-cgi/challenge-platform/h/g/orchestrate/chl_page/v1?ray=8';}());</script></body>"""
BLOCKED = """<title>Attention Required! | Cloudflare</title><div id="cf-wrapper">
<div id="cf-error-details" class="cf-error-details-wrapper"><h1>Sorry, you have been blocked</h1>"""
AKAMAI = """<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD><BODY><H1>Access Denied</H1>
You don't have permission to access "http&#58;&#47;&#47;h&#46;test&#47;" on this server.<P>
Reference&#32;&#35;18&#46;2d351ab8&#46;1557333295&#46;a4e16ab
<P>https&#58;&#47;&#47;errors&#46;edgesuite&#46;net&#47;18&#46;2d351ab8</BODY></HTML>"""
AKAMAI_PUZZLE = """<html><div id="sec-if-cpt-container" class="sec-container"></div>
<script src="/_sec/cp_challenge/sec-cpt-4-3.js" async></script>"""
DATADOME = """<html><head><title>h.test</title><style>#cmsg{}</style></head><body>
<p id="cmsg">Please enable JS and disable any ad blocker</p><script data-cfasync="false">
var dd={'rt':'c','cid':'AHrlqAAAAAMA','hsh':'2','t':'bv','host':'geo.captcha-delivery.com'}</script>
<script src="https://ct.captcha-delivery.com/c.js"></script></body></html>"""
HUMAN = """<title>Access to this page has been denied</title><div class="px-captcha-container">
<div id="px-captcha"></div></div><script>window._pxAppId = 'PX8';</script>Press &amp; Hold"""
IMPERVA = """<html style="height:100%"><head><META NAME="ROBOTS" CONTENT="NOINDEX, NOFOLLOW"></head>
<body><iframe id="main-iframe" src="/_Incapsula_Resource?SWUDNSAI=31&xinfo=9-1" frameborder=0>
Request unsuccessful. Incapsula incident ID: 123-456</iframe></body></html>"""
AWS = """<html><head><title></title><script type="text/javascript">
window.awsWafCookieDomainList = [];window.gokuProps = {"key":"AQ","iv":"C","context":"x"};</script>
<script src="https://1.2.eu-west-1.token.awswaf.com/1/2/challenge.js"></script></head><body>
<div id="challenge-container"></div>"""
ANUBIS = """<!doctype html><title>Making sure you're not a bot!</title>
<link rel="stylesheet" href="/.within.website/x/xess/xess.min.css">
<script id="anubis_challenge" type="application/json">{"rules":{"algorithm":"fast"}}</script>
<main><h1 id="title">Making sure you're not a bot!</h1><p id="status">Loading...</p></main>"""
DDOS_GUARD = """<html><head><title>DDOS-GUARD</title><script>
(function(){})()</script><link href="/.well-known/ddos-guard/check/css/style.css"></head>
<body><h1>Checking your browser before accessing h.test</h1>"""
SUCURI = """<html><title>You are being redirected...</title><noscript>Javascript is required.
</noscript><script>var s={},u,c,U,r,i,l=0;S='cz0i';L=S.length;sucuri_cloudproxy_js='';
for(u=0;u<64;u++){s[A.charAt(u)]=u;}</script></html>"""
SUCURI_BLOCK = """<title>Sucuri WebSite Firewall - Access Denied</title>
<link rel="stylesheet" href="https://cdn.sucuri.net/sucuri-firewall-block.css">"""
RECAPTCHA = """<title>https://h.test/</title><form id="captcha-form" action="index" method="post">
<div id="recaptcha" class="g-recaptcha" data-sitekey="6L"></div><input type=hidden name=q></form>
Our systems have detected unusual traffic from your computer network."""
HCAPTCHA = """<h1>Are you human?</h1><form><div class="h-captcha" data-sitekey=x></div>
<textarea name="h-captcha-response"></textarea><button>Go on</button></form>"""
LOGIN = """<title>Members - Town paper</title><h1>Please log in</h1><form method=post>
<input name=user><input type="password" name=pass><button>Log in</button></form>"""


@pytest.mark.parametrize(
    ("status", "body", "service"),
    [
        (403, CLOUDFLARE, "cloudflare"),
        (503, CLOUDFLARE, "cloudflare"),
        (429, CLOUDFLARE, "cloudflare"),
        (403, BLOCKED, "cloudflare"),
        (403, AKAMAI, "akamai"),
        (428, AKAMAI_PUZZLE, "akamai"),
        (200, AKAMAI_PUZZLE, "akamai"),
        (403, DATADOME, "datadome"),
        (401, DATADOME, "datadome"),
        (403, HUMAN, "human"),
        (403, IMPERVA, "imperva"),
        (200, IMPERVA, "imperva"),
        (202, AWS, "aws_waf"),
        (405, AWS, "aws_waf"),
        (200, ANUBIS, "anubis"),
        (401, ANUBIS, "anubis"),
        (403, DDOS_GUARD, "ddos_guard"),
        (200, SUCURI, "sucuri"),
        (403, SUCURI_BLOCK, "sucuri"),
        (429, RECAPTCHA, "recaptcha"),
        (503, RECAPTCHA, "recaptcha"),
        (200, RECAPTCHA, "recaptcha"),
        (403, HCAPTCHA, "hcaptcha"),
        (200, HCAPTCHA, "hcaptcha"),
        (200, LOGIN, "login"),
        (401, LOGIN, "login"),
        (403, "<title>Forbidden</title><form><input type=password></form>", "login"),
        (200, "<title>Anmelden</title><form><input type='password'></form>", "login"),
        (200, "<title>Acme</title><h2>Sign in</h2><form><input type=password></form>", "login"),
        (307, SUCURI, "sucuri"),
        (403, "error code: 1020", "cloudflare"),
    ],
)
def test_a_wall_is_known_by_what_it_leaves_in_the_markup(
    status: int, body: str, service: str
) -> None:
    assert answered(status, body).challenge == service


@pytest.mark.parametrize(
    ("status", "header", "service"),
    [
        (403, ("cf-mitigated", "challenge"), "cloudflare"),
        (200, ("CF-Mitigated", " Challenge "), "cloudflare"),
        (202, ("x-amzn-waf-action", "challenge"), "aws_waf"),
        (405, ("x-amzn-waf-action", "captcha"), "aws_waf"),
        (429, ("x-vercel-mitigated", "challenge"), "vercel"),
        (429, ("x-kpsdk-ct", "x"), "kasada"),
        (200, ("x-kpsdk-ct", "x"), None),
        (403, ("server", "cloudflare"), None),
        (200, ("x-datadome", "protected"), None),
    ],
)
@pytest.mark.parametrize("kind", ["page", "check"])
def test_some_walls_say_so_in_a_header(
    status: int, header: tuple[str, str], service: str | None, kind: Kind
) -> None:
    assert answered(status, "", (header,), kind=kind).challenge == service
    assert answered(status, "<p>x", (*HTML, header), kind=kind).challenge == service


def test_an_answer_that_is_no_html_may_be_a_wall() -> None:
    body = '{"url":"https://geo.captcha-delivery.com/captcha/?initialCid=AH"}'
    assert answered(403, body, (("Content-Type", "application/json"),)).challenge == "datadome"
    assert answered(200, body, (("Content-Type", "application/json"),)).challenge is None


LOGIN_BOX = """<header><form action=/login><input name=u><input type=password name=p>
<button>Log in</button></form></header>"""


@pytest.mark.parametrize(
    ("status", "body"),
    [
        # a page that writes about walls, also with examples of their markup
        (200, f"<title>How Cloudflare works</title><h1>Just a moment...</h1><p>{WORDS}"),
        (200, "<title>cf-mitigated: challenge</title><p>window._cf_chl_opt tells it, and so does "
              "<code>&lt;script src=/cdn-cgi/challenge-platform/h/g&gt;</code>, px-captcha too."),
        (200, "<title>Incapsula</title><pre>/_Incapsula_Resource?SWUD captcha-delivery.com</pre>"),
        (200, "<title>Just a moment...</title><p>A blog about the present."),
        (200, f"<title>Sign in to what?</title><h1>An essay</h1><p>{WORDS}"),
        # what services put into pages that they let through
        (200, "<p>x<script>(function(){a.src='/cdn-cgi/challenge-platform/scripts/jsd/main.js';"
              "})()</script>"),
        (200, "<p>x<script>window._pxAppId='PX1';</script><script src=//js.datadome.co/tags.js>"),
        (200, "<p>x<script src=https://1.token.awswaf.com/1/challenge.js></script>"),
        (404, "<p>No<script>a.src='/cdn-cgi/challenge-platform/scripts/jsd/main.js'</script>"),
        # a form with a captcha is a form, a box to log in is a box
        (200, "<h1>Contact</h1><form><input name=mail><textarea name=t></textarea>"
              "<div class=g-recaptcha></div><p>Verify that you are human</form>"),
        (200, "<h1>Newsletter</h1><form><input type=email><div class='h-captcha'></div>captcha"),
        (200, f"<title>Town news</title>{LOGIN_BOX}<h1>Harvest festival</h1><p>It was fine."),
        (200, f"<title>Town news</title>{LOGIN_BOX}<p>It was fine."),
        (200, f"<h1>What a captcha is</h1><div class=g-recaptcha></div>{WORDS[:600]}"),
        (200, "<title>Blog</title><h1>A post</h1><h3>Login</h3><form><input type=password></form>"),
        (200, "<h1>Log in</h1><p>The log in the forest was heavy."),
        # refusals that are the site's own
        (403, "<title>403 Forbidden</title><center><h1>403 Forbidden</h1></center><hr>nginx"),
        (403, f"<h1>Access denied</h1>{WORDS}<div class=cf-error-details>"),
        (503, "<title>Maintenance</title><p>Just a moment..., we are back soon. (Cloudflare)"),
        (429, "<title>Too many requests</title>"),
        (401, "<title>Unauthorized</title>"),
        (503, f"<title>Down</title>{LOGIN_BOX}"),
        (500, CLOUDFLARE.replace("<title>Just", "<title>A page about just")),
    ],
)  # fmt: skip
def test_a_page_is_no_wall(status: int, body: str) -> None:
    assert answered(status, body).challenge is None


@pytest.mark.parametrize(
    "path", ["/login", "/account/sign-in", "/wp-login.php", "/users/new", "/my/session"]
)
def test_who_asks_for_the_login_gets_what_was_asked_for(path: str) -> None:
    assert answered(200, LOGIN, url=f"http://h.test{path}").challenge is None
    assert answered(401, LOGIN, url=f"http://h.test{path}").challenge == "login"


def test_what_shows_much_or_links_much_is_a_page() -> None:
    assert answered(403, CLOUDFLARE + WORDS).challenge is None
    links = "".join(f"<a href=/{n}>x</a>" for n in range(60))
    assert answered(200, ANUBIS + links).challenge is None


@pytest.mark.parametrize("again", ["<script>", "px-captcha", "<a px-captcha", "<input ", "<", ">"])
def test_a_hostile_page_is_looked_at_in_no_time(again: str) -> None:
    body = again * (70_000 // len(again))
    began = time.process_time()
    for status in (200, 403):
        answered(status, body)
    assert time.process_time() - began < 2


def sent(status: int, url: str, target: str) -> str | None:
    """What is said of a redirect."""
    redirect, _ = urls.resolve(target, url)
    reply = Reply(status, headers=(("Location", target),), redirect=redirect)
    return read(Job(1, 1, url), reply, Config()).challenge


@pytest.mark.parametrize(
    ("status", "target"),
    [
        (302, "/login"),
        (302, "/login/"),
        (303, "/accounts/login/?next=/news/1"),
        (307, "/users/sign_in"),
        (302, "/wp-login.php?redirect_to=http%3A%2F%2Fh.test%2Fnews%2F1"),
        (302, "/Account/Login?ReturnUrl=%2Fnews%2F1"),
        (302, "/ucp.php?mode=login"),
        (302, "/index.php?title=Special:UserLogin&returnto=News"),
        (302, "/wiki/Special:UserLogin"),
        (302, "https://login.h.test/?service=news"),
        (302, "https://accounts.example/o/oauth2/auth?client_id=1"),
        (302, "https://idp.h.test/saml2/idp/SSOService.php?SAMLRequest=x"),
        (302, "/anmelden"),
        (302, "/fr/connexion"),
        (301, "/login?next=%2Fnews%2F1"),
        (308, "/signin?continue=http%3A%2F%2Fh.test%2Fnews%2F1"),
    ],
)
def test_who_is_sent_to_a_login_meets_a_wall(status: int, target: str) -> None:
    assert sent(status, "http://h.test/news/1", target) == "login"


@pytest.mark.parametrize(
    ("status", "path", "target"),
    [
        (301, "/news/1", "/login"),  # moved there for good, whatever it was
        (302, "/news/1", "/news/2"),
        (302, "/news/1", "/how-to-login-safely"),
        (302, "/news/1", "/news/login-trouble"),
        (302, "/news/1", "/?utm_source=login"),
        (302, "/news/1", "/blog/authors/"),
        (302, "/logout", "/login"),
        (302, "/signin", "/login"),
        (302, "/account", "/login?next=/account"),
        (302, "/auth", "https://login.h.test/"),
        (302, "/wiki/Special:UserLogout", "/wiki/Special:UserLogin"),
    ],
)
def test_who_is_sent_elsewhere_meets_none(status: int, path: str, target: str) -> None:
    assert sent(status, f"http://h.test{path}", target) is None

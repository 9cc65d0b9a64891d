"""Hosts and pages that are open to strangers, and some that only look so.

The first host says all that a host should, so that it is the decoy of every check of headers.
"""

from __future__ import annotations

from tests.analyse.site import Site

NOT_JUDGED = dict.fromkeys(
    ("tls_old", "source_maps_public"),
    "that takes a request of its own, which is never made",
)
ALTER = (
    """
    UPDATE urls
    SET state = 'failed',
        reason = CASE WHEN url LIKE '%/certificate/proto' THEN 'tls_proto' ELSE 'tls_verify' END
    WHERE url LIKE '%/certificate/%'
    """,
    *(
        f"""
        UPDATE visits
        SET certificate_until = strftime('%Y-%m-%dT%H:%M:%fZ', started_at, '{after}')
        WHERE url_id IN (SELECT id FROM urls WHERE url = '{url}')
        """
        for url, after in (
            ("https://weak.example/", "+719 hours"),
            ("https://mole.example/", "+720 hours"),
            ("https://safe.example/robots.txt", "+5 days"),
            ("https://safe.example/", "+89 days"),
            ("https://silent.example/robots.txt", "+89 days"),
            ("https://silent.example/", "-1 hours"),
        )
    ),
)
"""Handshakes that failed, and until when the certificates of others are valid: one was renewed in
between, and of one that ended nobody minded."""
YEAR_S = 365 * 86_400
SAFE = {
    "Strict-Transport-Security": f'max-age="{YEAR_S}"; includeSubDomains',
    "Content-Security-Policy": "default-src 'self'; script-src 'nonce-abc' 'unsafe-inline';"
    " frame-ancestors 'self'",
    "X-Content-Type-Options": "NoSniff",
    "Referrer-Policy": "unsafe-url, strict-origin",
    "Permissions-Policy": "camera=()",
    "Access-Control-Allow-Origin": "https://friend.example",
    "Set-Cookie": "sid=1; Path=/; secure; HTTPONLY; SameSite=Lax",
    "Server": "nginx",
}
HEADERS = (
    *("hsts_missing", "csp_missing", "nosniff_missing", "framing_allowed"),
    *("referrer_policy_missing", "permissions_policy_missing"),
)
STRANGER, PLAIN_STRANGER = "https://127.0.9.9/", "http://127.0.9.9/"


def plant_safe(site: Site) -> None:
    """A host over https that says all it should, with pages that are unsafe by themselves."""
    site.called = "https://safe.example"
    site.headers = SAFE
    every = (*HEADERS, "hsts_short", "cors_open", "cookie_flags", "server_tells_version")
    site.front = {"spared": [*every, "http_pages", "certificate_expiring"]}
    _transport(site)
    _mixed(site)
    _scripts(site)
    _secrets(site)
    site.page("/certificate/name", planted=[("certificate_wrong", site.called)])
    site.page("/certificate/proto", spared=["certificate_wrong"])


def _transport(site: Site) -> None:
    """What would end the check, were it taken at its word."""
    long = f"max-age={'9' * 5000}"
    for name, said in (("long", long), ("deep", f'["; {long}", {"[" * 5000}')):
        headers = SAFE | {"Strict-Transport-Security": said}
        site.page(f"/transport/{name}", headers=headers, spared=["hsts_short"])


def _mixed(site: Site) -> None:
    for name, element in (
        ("script", f'<script integrity="sha256-x" src="{PLAIN_STRANGER}a"></script>'),
        ("frame", f'<iframe title="A map" src="{PLAIN_STRANGER}a"></iframe>'),
        ("style", f'<link rel="stylesheet" href="{PLAIN_STRANGER}a">'),
    ):
        planted = [("mixed_active", f"{PLAIN_STRANGER}a")]
        site.page(f"/mixed/{name}", body=element, planted=planted, spared=["mixed_passive"])
    for name, element in (
        ("image", f'<img alt="A" src="{PLAIN_STRANGER}b">'),
        ("larger", f'<img alt="A" srcset="{PLAIN_STRANGER}b 2x">'),
        ("film", f'<video src="{PLAIN_STRANGER}b"></video>'),
    ):
        planted = [("mixed_passive", f"{PLAIN_STRANGER}b")]
        site.page(f"/mixed/{name}", body=element, planted=planted, spared=["mixed_active"])
    site.page(
        "/mixed/none",
        body=f'<a href="{PLAIN_STRANGER}">A link</a>'
        f'<script src="/own.js"></script><img alt="B" src="{STRANGER}c">',
        spared=["mixed_active", "mixed_passive"],
    )
    form = '<form action="{}"><button>Send</button></form>'
    site.page(
        "/form/plain",
        body=form.format(PLAIN_STRANGER),
        planted=[("form_insecure", PLAIN_STRANGER)],
        spared=["form_on_http"],
    )
    site.page("/form/own", body=form.format("/send"), spared=["form_insecure", "form_on_http"])


def _scripts(site: Site) -> None:
    there = f"{STRANGER}lib.js"
    check = "sri_missing"
    site.page("/sri/none", body=f'<script src="{there}"></script>', planted=[(check, there)])
    site.page(
        "/sri/said",
        body=f'<script src="{there}" integrity="sha384-x" crossorigin></script>',
        spared=[check],
    )
    site.page("/sri/own", body='<script src="/lib.js"></script>', spared=[check])


def _secrets(site: Site) -> None:
    check = "secrets_in_page"
    token = "a1B2" * 9
    for name, key in (
        ("aws", "AKIA" + "IOSFODNN7EXAMPLE"),
        ("github", "ghp_" + token),
        ("stripe", "sk_live_" + token),
        ("key", "-----BEGIN RSA PRIVATE KEY-----\\n" + "MIIEpAIB" * 8),
    ):
        site.page(f"/secret/{name}", body=f"<script>var k='{key}'</script>", planted=[check])
    site.page(
        "/secret/none",
        body=f"<p>AKIA123, sk_test_{token}, pk_live_{token}, ghp_short and"
        " -----BEGIN PUBLIC KEY----- are no secrets, nor is -----BEGIN PRIVATE KEY-----.</p>",
        spared=[check],
    )
    site.page("/secret/404", status=404, body=f"ghp_{token}", spared=[check])


def plant_silent(site: Site) -> None:
    """A host over https that says nothing."""
    site.called = "https://silent.example"
    site.front = {
        "planted": [*HEADERS, ("certificate_expiring", site.called)],
        "spared": ["hsts_short", "cors_open"],
    }
    site.page("/more", spared=HEADERS)  # is told of on the front page


def plant_weak(site: Site) -> None:
    """A host over https that says too little."""
    site.called = "https://weak.example"
    site.headers = {
        "Strict-Transport-Security": f"max-age={YEAR_S - 1}",
        "Content-Security-Policy": "default-src * 'unsafe-inline'; frame-ancestors *",
        "X-Frame-Options": "ALLOW-FROM https://friend.example",
        "X-Content-Type-Options": "sniff",
        "Referrer-Policy": "unsafe-url",
        "Permissions-Policy": "camera=()",
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Credentials": "true",
        "Set-Cookie": "sid=1; Path=/; Secure",
        "Server": "nginx/1.18.0",
        "X-Powered-By": "PHP/8.1",
    }
    site.front = {
        "planted": [
            *("hsts_short", "csp_missing", "nosniff_missing", "framing_allowed"),
            *("referrer_policy_missing", "cors_open", ("cookie_flags", "sid")),
            *(("server_tells_version", "server"), ("server_tells_version", "x-powered-by")),
            ("certificate_expiring", site.called),
        ],
        "spared": ["hsts_missing", "permissions_policy_missing"],
    }


def plant_in_pages(site: Site) -> None:
    """A host that says in its pages what headers can say, and some that only headers can."""
    site.called = "https://pages.example"
    site.headers = {
        **SAFE,
        "X-Frame-Options": "SAMEORIGIN",
        "Set-Cookie": "sid=; Max-Age=0",
    }
    for name in ("Content-Security-Policy", "Referrer-Policy"):
        del site.headers[name]
    site.front = {
        "head": '<meta http-equiv="content-security-policy" content="script-src \'self\'">'
        '<meta name="referrer" content="same-origin">',
        "spared": ["csp_missing", "referrer_policy_missing", "framing_allowed", "cookie_flags"],
    }


def plant_plain(site: Site) -> None:
    """A host over http, from which the headers that only https has are not asked."""
    site.headers = {**SAFE, "Set-Cookie": "sid=1; HttpOnly; SameSite=Strict"}
    del site.headers["Strict-Transport-Security"]
    site.front = {"planted": ["http_pages"], "spared": ["hsts_missing", "cookie_flags"]}
    site.page(
        "/form",
        body="<form><label>Word <input type='password'></label></form>",
        planted=["http_pages", "form_on_http"],
    )
    site.page("/picture", body=f'<img alt="A" src="{PLAIN_STRANGER}b">', planted=["http_pages"])
    site.page("/gone", status=404, body="<form></form>", spared=["http_pages", "form_on_http"])


def plant_secure(site: Site) -> None:
    """https://mole.example, whose pages are given out over http as well."""
    site.called = "https://mole.example"
    site.headers = SAFE
    site.front["spared"] = ["http_not_redirected", "certificate_expiring"]


def plant_unsafe(site: Site) -> None:
    """http://mole.example."""
    site.called = "http://mole.example"
    site.headers = SAFE
    site.front["planted"] = ["http_not_redirected", "http_pages"]


def plant_redirecting(site: Site) -> None:
    """http://weak.example, which leads to https, where it is another matter that it is weak."""
    site.called = "http://weak.example"
    secure = site.web.host("127.0.5.3").url("/")
    site.front = {"status": 301, "headers": {"Location": secure},
                  "spared": ["http_not_redirected"]}  # fmt: skip

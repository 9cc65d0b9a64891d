"""What does a form look like when it is sent?

By https://url.spec.whatwg.org/#application/x-www-form-urlencoded, or RFC 7578, as it asks.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from urllib.parse import urlencode

from crawler.model import Form
from crawler.policy.sites import origin_of

Pairs = list[tuple[str, str]]


def sent(form: Form, values: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
    """Headers and body. values: what a person said of fields, in place of what the page has."""
    pairs = list(_filled(form, values))
    charset = _writable(form.charset)
    kind, body = _multipart(pairs, charset) if form.multipart else _urlencoded(pairs, charset)
    origin = origin_of(form.page)
    headers = {
        "Content-Type": kind,
        "Content-Length": str(len(body)),
        "Origin": origin,
        "Referer": form.page if form.action.origin == origin else f"{origin}/",
    }
    return headers, body


def _filled(form: Form, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    left = dict(values)
    for name, value in form.pairs:
        if name not in values:
            yield name, value
        elif name in left:
            yield name, left.pop(name)
    yield from left.items()


def _writable(charset: str) -> str:
    try:
        "".encode(charset)
    except LookupError:
        return "utf-8"
    return charset


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


def _urlencoded(pairs: Pairs, charset: str) -> tuple[str, bytes]:
    whole = [(_lines(name), _lines(value)) for name, value in pairs]
    body = urlencode(whole, encoding=charset, errors="xmlcharrefreplace", safe="*")
    return "application/x-www-form-urlencoded", body.replace("~", "%7E").encode("ascii")


def _multipart(pairs: Pairs, charset: str) -> tuple[str, bytes]:
    boundary = f"----{secrets.token_hex(16)}"
    body = b""
    for name, value in pairs:
        plain = _lines(name).replace("\r\n", "%0D%0A").replace('"', "%22")
        part = f'--{boundary}\r\nContent-Disposition: form-data; name="{plain}"\r\n\r\n'
        body += f"{part}{_lines(value)}\r\n".encode(charset, "xmlcharrefreplace")
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()

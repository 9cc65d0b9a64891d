"""Which tree is a page, and what do the addresses in it stand on?

For what is read of few pages or seldom; what is read of every page needs no tree (`scan`).
"""

from __future__ import annotations

from lxml import etree

from crawler.parse._scan_py import parsed
from crawler.parse.charset import decode
from crawler.parse.html import flattened, one_body
from crawler.policy.urls import UNLIMITED, resolve


def read_tree(body: bytes, charset: str | None) -> etree._Element:
    """The root of a page as it was sent, without comments; of an empty one an empty element.

    charset: what it was read as.
    """
    data, _ = decode(body, charset)
    whole = one_body(data)
    root, fits = parsed(whole)
    if not fits:
        root, _ = parsed(flattened(whole))
    return etree.Element("html") if root is None else root


def base_of(root: etree._Element, url: str) -> str:
    """What relative addresses stand on (https://html.spec.whatwg.org/#document-base-url)."""
    first = next((one for one in root.iter("base") if one.get("href") is not None), None)
    if first is None:
        return url
    target, _ = resolve(str(first.get("href")), url, rules=UNLIMITED)
    return url if target.refusal else target.url

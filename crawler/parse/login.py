"""Which form of a page is the login, how would it be sent, and is somebody logged in?

By https://html.spec.whatwg.org/#form-submission-algorithm, for forms without scripts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from lxml import etree

from crawler.config import LoginConfig
from crawler.config.sections import Proof
from crawler.model import Document, Form, Job, LoginPage, Reply
from crawler.parse.charset import decode
from crawler.parse.encodings import output_of
from crawler.parse.extraction import shown_text
from crawler.parse.headers import declared
from crawler.parse.labels import CODECS, named
from crawler.parse.text import fold
from crawler.parse.tree import base_of, read_tree
from crawler.policy import logins
from crawler.policy.urls import UNLIMITED, resolve
from crawler.selectors import Selector

MAX_FIELDS: Final = 1000
"""Of a form that is sent."""
_CONTROLS: Final = ("input", "select", "textarea", "button")
_BUTTONS: Final = frozenset({"submit", "image"})
_UNSENT: Final = frozenset({"submit", "image", "reset", "button", "file"})
_TICKED: Final = frozenset({"checkbox", "radio"})
_MULTIPART: Final = "multipart/form-data"
_SAID_BY: Final = ("value", "alt", "aria-label")
"""Attributes whose text a page shows of some elements."""
_ASCII: Final = re.compile(r"[!-~]+")


def read(job: Job, reply: Reply, login: LoginConfig) -> LoginPage:
    """What an answer on the way of a login tells; never raises."""
    if not reply.body:
        return LoginPage(lacks="is empty")
    try:
        data, charset = decode(reply.body, declared(reply.headers, "").charset)
        root = read_tree(data, "utf-8")
        form, lacks = _form(root, job.url, login, charset)
        refutes = login.logged_out is not None and shows(root, login.logged_out)
        return LoginPage(form, lacks, shows(root, login.success), refutes)
    except Exception:  # as with every page: one that breaks the parser must not cost its visit
        return LoginPage(lacks="cannot be read")


def shows(root: etree._Element, proof: Proof) -> bool:
    """Does a page show this? Of texts neither case nor white space matters."""
    if proof.css:
        return bool(Selector(css=proof.css).select(root))
    return proof.text.casefold() in fold(" ".join(_texts(root))).casefold()


def _texts(root: etree._Element) -> Iterator[str]:
    yield shown_text(root)
    for element in root.iter("input", "button", "img", "a"):
        if element.tag != "input" or element.get("type", "").lower() in _UNSENT:
            yield from (element.get(name) or "" for name in _SAID_BY)


def refuses(job: Job, reply: Reply, document: Document, login: LoginConfig) -> bool:
    """Does the answer for a page show that nobody is logged in? Never raises."""
    if logins.refuted(login, job, reply):
        return True
    proof = login.logged_out
    if proof is None or job.kind != "page" or not reply.body:
        return False
    if logins.is_of_login(login, job.url) or not _may_show(reply.body, proof, document.charset):
        return False
    try:
        root = read_tree(reply.body, document.charset)
        return shows(root, proof) and not shows(root, login.success)
    except Exception:
        return False


def _may_show(body: bytes, proof: Proof, charset: str | None) -> bool:
    """Is it worth building a tree? Most pages have nothing of such a text."""
    parts = _ASCII.findall(proof.text)
    if not parts or (charset or "").startswith("utf-16"):
        return True
    return max(parts, key=len).lower().encode() in body.lower()


def _form(
    root: etree._Element, url: str, login: LoginConfig, charset: str
) -> tuple[Form | None, str]:
    """The form, or why there is none."""
    wanted = set(login.fields)
    lacks = f"has no form with the fields {', '.join(login.fields)}"
    for form in _candidates(root, login):
        controls = list(_controls(root, form))
        names = {control.get("name") for control in controls}
        if login.form or wanted <= names:
            return _made(form, controls, base_of(root, url), url, charset)
    if login.form:
        lacks = f'has no form that "{login.form}" selects'
    return None, lacks


def _candidates(root: etree._Element, login: LoginConfig) -> Iterable[etree._Element]:
    if not login.form:
        return root.iter("form")
    found = (one for one in Selector(css=login.form).select(root))
    around = (next(one.iterancestors("form"), None) if one.tag != "form" else one for one in found)
    return (form for form in around if form is not None)


def _controls(root: etree._Element, form: etree._Element) -> Iterator[etree._Element]:
    """The controls of a form, in the order of the page, but those that are disabled."""
    name = form.get("id")
    for control in root.iter(*_CONTROLS):
        owner = control.get("form")
        if owner is not None:
            is_of_form = bool(name) and owner == name
        else:
            is_of_form = next(control.iterancestors("form"), None) is form
        if is_of_form and control.get("disabled") is None:
            yield control


def _made(
    form: etree._Element, controls: list[etree._Element], base: str, url: str, charset: str
) -> tuple[Form | None, str]:
    button = next((one for one in controls if _type(one) in _BUTTONS), None)

    def said(name: str) -> str:
        own = None if button is None else button.get(f"form{name}")
        return (form.get(name) or "" if own is None else own).strip()

    if said("method").lower() != "post":
        return None, "has a form that is sent by GET, which would put the password into an address"
    if len(controls) > MAX_FIELDS:
        return None, f"has a form with more than {MAX_FIELDS:,} fields"
    target, _ = resolve(said("action") or url, base, rules=UNLIMITED)
    hidden = [one.get("name") for one in controls if _type(one) == "password"]
    return (
        Form(
            target,
            url.partition("#")[0],
            tuple(_pairs(controls, button))[:MAX_FIELDS],
            tuple(name for name in hidden if name),
            said("enctype").lower() == _MULTIPART,
            _written_in(form, charset),
        ),
        "",
    )


def _written_in(form: etree._Element, charset: str) -> str:
    """https://html.spec.whatwg.org/#picking-an-encoding-for-the-form, as Python calls it."""
    labels = (form.get("accept-charset") or "").replace(",", " ").split()
    known = next(filter(None, map(named, labels)), charset)
    return CODECS.get(output_of(known) or "utf-8", "utf-8")


def _type(control: etree._Element) -> str:
    usual = {"input": "text", "button": "submit"}.get(str(control.tag), "")
    return (control.get("type") or usual).strip().lower()


def _pairs(
    controls: list[etree._Element], button: etree._Element | None
) -> Iterator[tuple[str, str]]:
    """Names and values as the page has them, with those of the button that would be pressed."""
    for control in controls:
        name, kind = control.get("name"), _type(control)
        if not name:
            continue
        if control.tag == "select":
            yield from ((name, value) for value in _chosen(control))
        elif control.tag == "textarea":
            yield name, (control.text or "").removeprefix("\n")
        elif kind in _UNSENT:
            if control is button and kind == "submit":
                yield name, control.get("value") or ""
        elif kind not in _TICKED:
            yield name, control.get("value") or ""
        elif control.get("checked") is not None:
            yield name, control.get("value", "on")


def _chosen(select: etree._Element) -> list[str]:
    options = [one for one in select.iter("option") if one.get("disabled") is None]
    chosen = [one for one in options if one.get("selected") is not None]
    if select.get("multiple") is None:
        chosen = chosen[-1:] or options[:1]
    return [one.get("value", fold(shown_text(one))) for one in chosen]

"""What does a login know on its way?"""

from __future__ import annotations

import msgspec

from crawler.model.links import Target


class Form(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A form as it would be sent, but for what a person said of its fields.

    action: where to. page: the URL that it stands on. pairs: names and values in their order.
    hidden: names of fields that show no text. charset: Python's name of what it is written in.
    """

    action: Target
    page: str
    pairs: tuple[tuple[str, str], ...]
    hidden: tuple[str, ...] = ()
    multipart: bool = False
    charset: str = "utf-8"


class LoginStep(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a login is.

    site: the origin that it is for. form: what this request sends. sent: it was sent before, so
    that what comes has to prove that somebody is logged in. secret: names of its fields that no
    address may have. goal: where to go on, once the rules of that host are known. check: somebody
    is logged in, but for a page that looks otherwise.
    """

    site: str
    form: Form | None = None
    sent: bool = False
    secret: tuple[str, ...] = ()
    goal: Target | None = None
    check: bool = False


class LoginPage(msgspec.Struct, frozen=True, array_like=True):
    """What a login needs to know of an answer.

    form: the one that is to be sent; lacks: why there is none. proves, refutes: it shows what only
    somebody sees who is logged in, or who is not.
    """

    form: Form | None = None
    lacks: str = ""
    proves: bool = False
    refutes: bool = False

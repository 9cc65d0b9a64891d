"""Does a page hold a key that nobody should see?

Only keys whose form is so much their own that nothing else looks like them: their makers gave them
a beginning to be found by. Keys that are made to stand in pages (of maps, of payments that a reader
makes) are none.
"""

from __future__ import annotations

import re
from typing import Final

import re2

_SHOWN: Final = 8
_MOST: Final = 10
_FORMS: Final[tuple[tuple[str, tuple[bytes, ...], bytes], ...]] = (
    ("aws", (b"AKIA", b"ASIA"), rb"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("github", (b"ghp_", b"gho_", b"ghs_", b"ghu_", b"ghr_"), rb"\bgh[pousr]_[A-Za-z0-9]{36,}\b"),
    ("github", (b"github_pat_",), rb"\bgithub_pat_[A-Za-z0-9_]{60,}\b"),
    ("gitlab", (b"glpat-",), rb"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("stripe", (b"k_live_",), rb"\b[sr]k_live_[A-Za-z0-9]{20,}\b"),
    ("slack", (b"xox",), rb"\bxox[abprs]-[0-9]{6,}-[A-Za-z0-9-]{10,}"),
    ("slack", (b"hooks.slack.com/services/",), rb"hooks\.slack\.com/services/T\w+/B\w+/\w{20,}"),
    ("sendgrid", (b"SG.",), rb"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    ("openai", (b"sk-proj-",), rb"\bsk-proj-[A-Za-z0-9_-]{40,}"),
    ("anthropic", (b"sk-ant-",), rb"\bsk-ant-[A-Za-z0-9_-]{40,}"),
    ("npm", (b"npm_",), rb"\bnpm_[A-Za-z0-9]{36}\b"),
    ("google", (b"ya29.",), rb"\bya29\.[A-Za-z0-9_-]{40,}"),
    ("google", (b"GOCSPX-",), rb"\bGOCSPX-[A-Za-z0-9_-]{28}\b"),
    (
        "private-key",
        (b"PRIVATE KEY-----",),
        rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----(?:\s|\\[nr])*[A-Za-z0-9+/=]{40,}",
    ),
)
"""Whose it is; what it holds, one of which is looked for first; its form."""
_MARKS: Final = re2.compile(
    b"|".join(map(re2.escape, (mark for _, marks, _ in _FORMS for mark in marks)))
)
"""Most pages hold none: one look by RE2 takes a tenth of one look for each."""
_READ: Final = tuple((name, marks, re.compile(form)) for name, marks, form in _FORMS)


def find_secrets(body: bytes) -> str | None:
    """Whose keys these bytes hold, each with its beginning, such as ``aws:AKIAIOSF…``."""
    if not _MARKS.search(body):
        return None
    found: dict[str, None] = {}
    for name, marks, form in _READ:
        if not any(mark in body for mark in marks):
            continue
        for key in form.finditer(body):
            shown = "" if name == "private-key" else f":{key[0][:_SHOWN].decode()}…"
            found[f"{name}{shown}"] = None
            if len(found) == _MOST:
                return " ".join(found)
    return " ".join(found) or None

"""What has come of a job so far, and how does it become a Reply?

Its body (`bounded_body`), the first failure, and what the body was cut by. It works on the response
of any requests adapter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from time import perf_counter
from typing import Any, Final

from requests import Response

from crawler.fetch import decode
from crawler.fetch.bounded_body import WIRE_SLACK, BoundedBody
from crawler.fetch.connect import Facts
from crawler.fetch.deadlines import Times
from crawler.fetch.failures import Failure, failure_of, printable, shown
from crawler.fetch.memory_budget import Share
from crawler.fetch.requests_internals import SlimRequest
from crawler.fetch.shortage import Shortage
from crawler.fetch.transport import Incoming
from crawler.model import Job, Reply, Target
from crawler.policy import words

_INDIVISIBLE: Final = (
    r"(?:audio|font|image|video)/(?![^;]*\+xml)"
    r"|application/(?:octet-stream|pdf|zip|x-7z-compressed|x-rar-compressed|x-tar"
    r"|vnd\.(?:debian|ms-|openxmlformats|rar)|java-archive|x-(?:bzip|iso9660|msdownload|xz))"
)
"""Media types of which the beginning is worth nothing: no link is in it, and nobody can open it."""

_TEXT: Final = re.compile(
    r"text/|(?:application|image|model)/(?:[^;\s]+\+)?(?:xml|json|javascript)\b", re.IGNORECASE
)
"""Media types of texts."""

_SOMETIMES_WHOLE: Final = frozenset({"page", "asset"})
"""Jobs whose bodies may be of such types."""
_MEDIA: Final = re.compile(r"audio/|video/", re.IGNORECASE)
_BODILESS: Final = frozenset({204, 304})
PART: Final = 206
_ALL_OF_IT: Final = re.compile(r"bytes 0-(\d{1,18})/(\d{1,18})", re.ASCII | re.IGNORECASE)
"""What a Content-Range says of a part that may be the whole."""
_NOTHING: Final = Facts()


class Attempt:
    """One job on its way to being a Reply."""

    def __init__(self, job: Job, cap: int, share: Share, media_cap: int | None = None) -> None:
        self._job = job
        self._media_cap = media_cap
        self._share = share
        self._body = BoundedBody(cap, share)
        self._began = perf_counter()
        self._answer: Response | None = None
        self._headers: list[tuple[str, str]] = []
        self._last: dict[str, str] = {}
        self._failure: Failure | None = None
        self._truncated: str | None = None
        self._note: str | None = None
        self.asked: SlimRequest | None = None
        self.status: int | None = None
        self.wants_body = False
        self.addresses: tuple[str, ...] = ()
        self.redirect: Target | None = None
        self.redirect_fragment: str | None = None
        self.retry_after_s: float | None = None

    def answered(self, answer: Response) -> None:
        """The head has come."""
        self._answer = answer
        self.status = answer.status_code
        self._headers = _headers(answer)
        self._last = {name.lower(): value for name, value in self._headers}
        self.wants_body = not (
            self._job.method == "HEAD" or self._job.kind == "check" or self.status in _BODILESS
        )

    def values(self, name: str) -> Sequence[str]:
        """All values of a header by its lower-case name, latin-1 decoded, stripped."""
        if name not in self._last:
            return ()
        if len(self._last) == len(self._headers):  # each name came once
            return (self._last[name],)
        return [value for key, value in self._headers if key.lower() == name]

    def read_body(self) -> None:
        """Reads what is wanted, at most the cap, decoded."""
        if self._media_cap is not None and _MEDIA.match((self.values("content-type") or [""])[-1]):
            self._body.cap = self._media_cap
        if self.status == PART:
            self._note_part()
        codings = decode.codings_of(self.values("content-encoding"))
        if codings.unknown:
            self._note = shown(f"unknown content coding {', '.join(codings.unknown)}")
        self._refuse_needless()
        if codings.known:
            self._body.read_coded(self._answer, codings.known, self.fail)
        else:
            self._body.read(self._answer)
        if codings.unknown:
            self._doubt_body(codings)
        if self._job.kind == "robots" and self._failure is not None:
            self._doubt_rules()

    def _note_part(self) -> None:
        """Notes which part has come, where it is not all (RFC 9110, section 14.4). Nobody has asked
        for one."""
        sent = (self.values("content-range") or [""])[-1]
        ends = _ALL_OF_IT.fullmatch(sent)
        if ends is None or int(ends[1]) + 1 != int(ends[2]):
            self._truncated = "disconnect"
            self._note = shown(f"a part that nobody asked for: {sent or 'which, is not said'}")

    def _doubt_body(self, codings: decode.Codings) -> None:
        """Fails where a coding is still on the body."""
        kind = (self.values("content-type") or [""])[-1]
        is_text = _TEXT.match(kind) is not None
        if codings.still_on(b"".join(self._body.pieces), is_text=is_text):
            self.fail(Failure("decode_error", f"unknown content coding {codings.unknown[0]!r}"))

    def _doubt_rules(self) -> None:
        """Notes that rules may be missing, since not all could be decoded, or nothing was."""
        if self._body.garbled or decode.is_binary(b"".join(self._body.pieces)):
            self._truncated = self._truncated or "disconnect"

    def _refuse_needless(self) -> None:
        """Reads nothing where more is announced than may be kept, of a kind of which a part is
        worth nothing."""
        announced = self.values("content-length")
        if (
            self._job.kind not in _SOMETIMES_WHOLE
            or not announced
            or self.values("transfer-encoding")
        ):
            return
        digits = announced[-1]
        if not (digits.isdecimal() and digits.isascii()):
            return
        if len(digits) <= 18 and int(digits) <= self._body.cap + WIRE_SLACK:
            return
        if self._is_indivisible:
            raise self._body.too_large()

    @property
    def _is_indivisible(self) -> bool:
        kind = (self.values("content-type") or [""])[-1]
        return re.match(_INDIVISIBLE, kind, re.IGNORECASE) is not None

    def fail(self, failure: Failure) -> None:
        """Notes the failure; the first one stands."""
        if failure.word == "too_large":
            self._truncated = words.of("too_large").cuts
            # Rules past the limit are ignored (RFC 9309, section 2.5): nothing went wrong.
            if self._job.kind == "robots" and self.status is not None:
                return
            if self._job.kind == "asset" and self._is_indivisible:
                self._body.pieces.clear()
        elif self.status is not None and self.wants_body:
            self._truncated = self._truncated or words.of(failure.word).cuts
        self._failure = self._failure or failure

    def out_of_time(self, times: Times) -> None:
        """The deadline of the whole URL has passed."""
        if self.status is not None and self.wants_body:
            self._truncated = words.of("timeout_total").cuts
        share = self._share
        if self.asked is not None and self.asked.facts.starved:
            expired = failure_of(Shortage("no file descriptor free"))
        elif share.waits or share.waited_s > times.total_s / 2:
            expired = failure_of(Shortage("no memory free for its body"))
        else:
            word = "timeout" if times.is_first else "timeout_total"
            expired = Failure(word, f"not done after {times.total_s:g} s")
        self._failure = self._failure or expired

    def close(self) -> None:
        """Lets go of the connection: kept when the answer was read whole."""
        if self._answer is not None:
            self._answer.close()

    def reply(self) -> Reply:
        """All of it, as a value."""
        failure = self._failure
        answer = self._answer
        facts = self.asked.facts if self.asked else _NOTHING
        raw = getattr(answer, "raw", None)
        security = facts.security
        return Reply(
            status=self.status,
            error=failure.word if failure else None,
            error_detail=failure.detail if failure else None,
            ip=facts.ip,
            http_version=getattr(answer, "version", None),
            dns_ms=facts.dns_ms,
            connect_ms=facts.connect_ms,
            tls_ms=facts.tls_ms,
            ttfb_ms=facts.ttfb_ms,
            total_ms=(perf_counter() - self._began) * 1000,
            wire_bytes=raw.wire_bytes if isinstance(raw, Incoming) else self._body.wire,
            truncated=self._truncated,
            headers=_shown(self._headers),
            redirect=self.redirect,
            redirect_fragment=self.redirect_fragment,
            retry_after_s=self.retry_after_s,
            body=b"".join(self._body.pieces),
            note=self._note,
            addresses=self.addresses,
            doubt=failure.doubt if failure else None,
            try_again=failure is not None and failure.try_again,
            tls_version=security.version if security else None,
            tls_cipher=security.cipher if security else None,
            tls_weak=security.weak if security else None,
            certificate_until=security.until if security and facts.tls_ms is not None else None,
        )


def _headers(answer: Response) -> list[tuple[str, str]]:
    """Names and values, latin-1 decoded, values stripped; of a foreign adapter, as far as it still
    knows them."""
    exact: Any = getattr(answer, "exact_headers", None)
    if exact is None:
        known = getattr(answer.raw, "headers", None) or answer.headers
        exact = [(_latin(name), _latin(value)) for name, value in known.items()]
    return [(str(name, "latin-1"), str(value, "latin-1").strip(" \t")) for name, value in exact]


def _shown(headers: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Headers without control characters."""
    if "".join(chain.from_iterable(headers)).isprintable():
        return tuple(headers)
    return tuple((printable(name), printable(value)) for name, value in headers)


def _latin(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1", "replace")

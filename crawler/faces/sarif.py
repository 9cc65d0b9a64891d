"""How is an audit told to what shows the findings of analyses?

SARIF 2.1.0 (OASIS): a rule a check, a result a finding, the page as its place. A check that could
not be made is a notification of the invocation, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO, Final

import msgspec

from crawler import __version__
from crawler.store.audit import Audit, Finding, Judged

SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_encode = msgspec.json.Encoder().encode


def write(audit: Audit, findings: Iterable[Finding], out: BinaryIO) -> None:
    """Write an audit, a result a line; with a baseline, each says whether it was there before."""
    rules = {check.name: number for number, check in enumerate(audit.checks)}
    run = {
        "tool": {"driver": _driver(audit)},
        "invocations": [_invocation(audit)],
        "columnKind": "utf16CodeUnits",
    }
    head = _encode({"$schema": SCHEMA, "version": "2.1.0"}).removesuffix(b"}")
    out.write(head + b',"runs":[' + _encode(run).removesuffix(b"}") + b',"results":[')
    before = b"\n"
    for finding in findings:
        if finding.check in rules:
            number = rules[finding.check]
            out.write(before + _encode(_result(audit, audit.checks[number], number, finding)))
            before = b",\n"
    out.write(b"\n]}]}\n")


def _driver(audit: Audit) -> dict[str, Any]:
    return {"name": "crawler", "version": __version__, "rules": [*map(_rule, audit.checks)]}


def _rule(check: Judged) -> dict[str, Any]:
    return {
        "id": check.name,
        "shortDescription": {"text": check.name.replace("_", " ")},
        "fullDescription": {"text": check.definition},
        "defaultConfiguration": {"level": check.severity},
        "properties": {"tags": [check.group]},
    }


def _invocation(audit: Audit) -> dict[str, Any]:
    notes = [
        {
            "level": "note",
            "message": {"text": f"{check.name} was not judged: {check.reason}"},
            "associatedRule": {"id": check.name, "index": number},
        }
        for number, check in enumerate(audit.checks)
        if not check.judged
    ]
    notes += [
        {"level": "warning", "message": {"text": f"{count:,} {said}"}}
        for count, said in audit.doubts
    ]
    return {"executionSuccessful": True, "toolExecutionNotifications": notes}


def _result(audit: Audit, check: Judged, number: int, finding: Finding) -> dict[str, Any]:
    item = f" ({finding.item})" if finding.item else ""
    result: dict[str, Any] = {
        "ruleId": check.name,
        "ruleIndex": number,
        "level": check.severity,
        "message": {"text": f"{check.definition}{item}"},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": finding.url}}}],
        "partialFingerprints": {"finding/v1": f"{check.name} {finding.url} {finding.item}"},
        "properties": {"evidence": msgspec.Raw(finding.evidence.encode())},
    }
    if audit.baseline:
        old = finding.since_run <= audit.since
        result["baselineState"] = "unchanged" if old else "new"
    return result

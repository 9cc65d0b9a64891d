"""How is an audit told to what reads the results of tests?

JUnit XML as Jenkins, GitLab and others read it: a suite a group, a case a check; a check with
errors or warnings has failed, one that could not be made is skipped, one with notes has output.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby, islice
from typing import Any, BinaryIO, Final

from lxml import etree

from crawler.store.audit import Audit, Finding, Judged

SHOWN: Final = 500
"""Findings of a check that are written out; the message says how many there are."""
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document can hold (section 2.2, Char)."""


def write(audit: Audit, findings: Iterable[Finding], out: BinaryIO) -> None:
    """Write an audit. findings: in the order of its checks. With a baseline, those of before
    count no more."""
    shown = {
        name: list(islice(members, SHOWN))
        for name, members in groupby(_counting(audit, findings), lambda one: one.check)
    }
    root = etree.Element("testsuites", {"name": "crawler audit"} | _counts(audit, audit.checks))
    for group in dict.fromkeys(check.group for check in audit.checks):
        members = [check for check in audit.checks if check.group == group]
        suite = etree.SubElement(root, "testsuite", {"name": group} | _counts(audit, members))
        for check in members:
            _add_case(suite, audit, check, shown.get(check.name, []))
    etree.ElementTree(root).write(out, encoding="utf-8", xml_declaration=True, pretty_print=True)


def _counting(audit: Audit, findings: Iterable[Finding]) -> Iterable[Finding]:
    return (one for one in findings if not audit.baseline or one.since_run > audit.since)


def _number(audit: Audit, check: Judged) -> int:
    return check.new if audit.baseline else check.found


def _failed(audit: Audit, check: Judged) -> bool:
    return bool(check.judged and check.severity != "note" and _number(audit, check))


def _counts(audit: Audit, checks: Sequence[Judged]) -> dict[str, str]:
    return {
        "tests": str(len(checks)),
        "failures": str(sum(_failed(audit, check) for check in checks)),
        "errors": "0",
        "skipped": str(sum(not check.judged for check in checks)),
    }


def _add_case(suite: Any, audit: Audit, check: Judged, shown: Sequence[Finding]) -> None:
    case = etree.SubElement(suite, "testcase", name=check.name, classname=f"audit.{check.group}")
    number = _number(audit, check)
    lines = [_line(one) for one in shown]
    if number > len(lines):
        lines.append(f"... and {number - len(lines):,} more")
    text = _clean("\n".join(lines))
    if not check.judged:
        etree.SubElement(case, "skipped", message=_clean(check.reason or ""))
    elif _failed(audit, check):
        message = _clean(f"{number:,} found: {check.definition}")
        etree.SubElement(case, "failure", message=message, type=check.severity).text = text
    elif number:
        etree.SubElement(case, "system-out").text = text


def _line(finding: Finding) -> str:
    return " ".join(filter(None, (finding.url, finding.item, finding.evidence)))


def _clean(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)

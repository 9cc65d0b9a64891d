"""Is an audit told to scripts and machines as they read it?"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from click.testing import CliRunner, Result
from lxml import etree

from crawler.analyse.run import analyse
from crawler.cli import cli
from crawler.config import Config
from crawler.faces import audit as audit_told
from crawler.faces import junit, sarif
from crawler.store.audit import Audit, Finding, Judged
from tests.analyse.site import Site
from tests.crawls import crawl
from tests.sites.web import Web

HOST = "127.0.6.3"
SCHEMA = """
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xs:complexType name="told" mixed="true">
    <xs:attribute name="message" type="xs:string" use="required"/>
    <xs:attribute name="type" type="xs:string"/>
  </xs:complexType>
  <xs:element name="testcase">
    <xs:complexType>
      <xs:choice minOccurs="0" maxOccurs="unbounded">
        <xs:element name="skipped" type="told"/>
        <xs:element name="failure" type="told"/>
        <xs:element name="error" type="told"/>
        <xs:element name="system-out" type="xs:string"/>
      </xs:choice>
      <xs:attribute name="name" type="xs:string" use="required"/>
      <xs:attribute name="classname" type="xs:string" use="required"/>
      <xs:attribute name="time" type="xs:decimal"/>
    </xs:complexType>
  </xs:element>
  <xs:attributeGroup name="counts">
    <xs:attribute name="name" type="xs:string" use="required"/>
    <xs:attribute name="tests" type="xs:nonNegativeInteger" use="required"/>
    <xs:attribute name="failures" type="xs:nonNegativeInteger" use="required"/>
    <xs:attribute name="errors" type="xs:nonNegativeInteger" use="required"/>
    <xs:attribute name="skipped" type="xs:nonNegativeInteger" use="required"/>
  </xs:attributeGroup>
  <xs:element name="testsuite">
    <xs:complexType>
      <xs:sequence><xs:element ref="testcase" maxOccurs="unbounded"/></xs:sequence>
      <xs:attributeGroup ref="counts"/>
    </xs:complexType>
  </xs:element>
  <xs:element name="testsuites">
    <xs:complexType>
      <xs:sequence><xs:element ref="testsuite" maxOccurs="unbounded"/></xs:sequence>
      <xs:attributeGroup ref="counts"/>
    </xs:complexType>
  </xs:element>
</xs:schema>
"""
"""JUnit's XML, as far as its readers agree (Jenkins' junit-10.xsd, Ant's, GitLab's)."""


class Part(msgspec.Struct, forbid_unknown_fields=True):
    """Shared by what SARIF 2.1.0 consists of: only properties that it knows are allowed."""


class Message(Part):
    """Section 3.11."""

    text: str


Level = Literal["none", "note", "warning", "error"]


class Configuration(Part):
    """Section 3.50."""

    level: Level


class Rule(Part):
    """Section 3.49; id is required."""

    id: str
    shortDescription: Message
    fullDescription: Message
    defaultConfiguration: Configuration
    properties: dict[str, Any]


class Driver(Part):
    """Section 3.19; name is required."""

    name: str
    version: str
    rules: list[Rule]


class Tool(Part):
    """Section 3.18; driver is required."""

    driver: Driver


class RuleReference(Part):
    """Section 3.52."""

    id: str
    index: int


class Notification(Part):
    """Section 3.58; message is required."""

    message: Message
    level: Level
    associatedRule: RuleReference | None = None


class Invocation(Part):
    """Section 3.20; executionSuccessful is required."""

    executionSuccessful: bool
    toolExecutionNotifications: list[Notification]


class ArtifactLocation(Part):
    """Section 3.4."""

    uri: str


class PhysicalLocation(Part):
    """Section 3.29."""

    artifactLocation: ArtifactLocation


class Location(Part):
    """Section 3.28."""

    physicalLocation: PhysicalLocation


class Found(Part):
    """Section 3.27, "result"; message is required, ruleIndex is one of the driver's rules."""

    ruleId: str
    ruleIndex: int
    level: Level
    message: Message
    locations: list[Location]
    partialFingerprints: dict[str, str]
    properties: dict[str, Any]
    baselineState: Literal["new", "unchanged", "updated", "absent"] | None = None


class SarifRun(Part):
    """Section 3.14; tool is required."""

    tool: Tool
    invocations: list[Invocation]
    columnKind: Literal["utf16CodeUnits", "unicodeCodePoints"]
    results: list[Found]


class Log(Part):
    """Section 3.13; version and runs are required."""

    version: Literal["2.1.0"]
    runs: list[SarifRun]
    schema: str = msgspec.field(name="$schema")


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site that was crawled twice: one page lost its title in between, one never had one."""
    database = tmp_path_factory.mktemp("reports") / "twice.db"
    web = Web()
    try:
        for title in ("", None):
            site = Site(web.host(HOST))
            site.page("/never", title=None)
            site.page("/lost", title=title)
            site.finish()
            crawl(database, site.url())
            analyse(database, Config(), lambda *_: None, processes=1)
    finally:
        web.close()
    return database


def ask(database: Path, *words: str) -> Result:
    """What ``crawler audit`` answers."""
    return CliRunner().invoke(cli, ["audit", "--db", str(database), *words])


def read_junit(text: bytes) -> Any:
    """A document that is as it should be."""
    root = etree.fromstring(text)
    etree.XMLSchema(etree.fromstring(SCHEMA)).assertValid(root)
    return root


def read_sarif(text: bytes) -> SarifRun:
    """The run of a document that is as it should be."""
    log = msgspec.json.decode(text, type=Log)
    (run,) = log.runs
    rules = run.tool.driver.rules
    for found in run.results:
        assert rules[found.ruleIndex].id == found.ruleId
        assert rules[found.ruleIndex].defaultConfiguration.level == found.level
    return run


def test_what_is_met_is_named_in_one_line_with_exit_code_4(twice: Path) -> None:
    ran = ask(twice, "--fail-on", "title_missing,no_answer", "--fail-on", "unfinished")
    assert ran.exit_code == 4
    assert ran.stderr == "crawler: --fail-on title_missing: 2 findings\n"
    assert ask(twice, "--fail-on", "no_answer,unfinished").exit_code == 0


def test_with_a_baseline_only_what_began_after_it_counts(twice: Path) -> None:
    ran = ask(twice, "--since", "1", "--fail-on", "title_missing")
    assert ran.stderr == "crawler: --fail-on title_missing: 1 finding\n"
    assert ask(twice, "--since", "2", "--fail-on", "title_missing,new").exit_code == 0


def test_a_baseline_that_is_no_run_is_refused(twice: Path) -> None:
    ran = ask(twice, "--since", "3")
    assert ran.exit_code == 2
    assert ran.stderr == "crawler: --since 3: there is no such run; the last one is 2\n"


def test_an_unknown_condition_is_refused_with_the_nearest(twice: Path) -> None:
    ran = ask(twice, "--fail-on", "title_mising")
    assert ran.exit_code == 2
    assert ran.stderr == (
        'crawler: --fail-on: unknown condition "title_mising" (did you mean "title_missing"?)\n'
    )


def test_a_condition_that_could_not_be_judged_does_not_pass(twice: Path) -> None:
    ran = ask(twice, "--fail-on", "broken_assets")
    assert ran.exit_code == 4
    assert ran.stderr == (
        "crawler: --fail-on broken_assets: could not be judged: "
        "no images, scripts and so on were asked for (--assets check)\n"
    )


def test_the_whole_audit_is_written_as_a_table_too(
    twice: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ask(twice, "--json")
    rows = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    ask(twice, "--csv")
    table = list(csv.reader(io.StringIO(capfd.readouterr().out)))
    assert table[0] == list(rows[0]) == ["check", "url", "item", "evidence", "since_run"]
    assert len(rows) == len(table) - 1 > 0


def test_junit_fails_what_has_errors_or_warnings(twice: Path, tmp_path: Path) -> None:
    ask(twice, "--junit", str(tmp_path / "audit.xml"))
    root = read_junit((tmp_path / "audit.xml").read_bytes())
    (case,) = root.iterfind(".//testcase[@name='title_missing']")
    lines = case.findtext("failure").splitlines()
    assert [line.split(" ")[0].rpartition("/")[2] for line in lines] == ["lost", "never"]
    assert root.find(".//testcase[@name='broken_assets']/skipped") is not None
    assert len(root.find(".//testcase[@name='no_answer']")) == 0
    assert [*(tmp_path.iterdir())] == [tmp_path / "audit.xml"]


@pytest.mark.parametrize("attribute", ["tests", "failures", "skipped"])
def test_the_counts_of_junit_are_those_of_its_cases(
    twice: Path, tmp_path: Path, attribute: str
) -> None:
    ask(twice, "--junit", str(tmp_path / "audit.xml"))
    root = read_junit((tmp_path / "audit.xml").read_bytes())
    inside = {"tests": "testcase", "failures": "testcase/failure", "skipped": "testcase/skipped"}
    for suite in root:
        assert int(suite.get(attribute)) == len(suite.findall(inside[attribute]))
    assert int(root.get(attribute)) == sum(int(suite.get(attribute)) for suite in root)


def test_junit_with_a_baseline_fails_only_what_is_new(twice: Path, tmp_path: Path) -> None:
    ask(twice, "--since", "1", "--junit", str(tmp_path / "audit.xml"))
    root = read_junit((tmp_path / "audit.xml").read_bytes())
    (failure,) = root.iterfind(".//testcase[@name='title_missing']/failure")
    assert "/lost" in failure.text
    assert "/never" not in failure.text


def test_sarif_has_every_finding_with_its_page_and_evidence(twice: Path, tmp_path: Path) -> None:
    ask(twice, "--sarif", str(tmp_path / "audit.sarif"))
    run = read_sarif((tmp_path / "audit.sarif").read_bytes())
    missing = [found for found in run.results if found.ruleId == "title_missing"]
    places = [one.locations[0].physicalLocation.artifactLocation.uri for one in missing]
    assert [place.rpartition("/")[2] for place in places] == ["lost", "never"]
    assert {one.baselineState for one in run.results} == {None}
    unjudged = [one.associatedRule for one in run.invocations[0].toolExecutionNotifications]
    assert "broken_assets" in [one.id for one in unjudged if one]


def test_sarif_with_a_baseline_says_what_is_new(twice: Path, tmp_path: Path) -> None:
    ask(twice, "--since", "1", "--sarif", str(tmp_path / "audit.sarif"))
    run = read_sarif((tmp_path / "audit.sarif").read_bytes())
    states = [one.baselineState for one in run.results if one.ruleId == "title_missing"]
    assert states == ["new", "unchanged"]


def test_a_report_replaces_an_older_one_only_when_it_is_whole(twice: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder.xml"
    folder.mkdir()
    ran = ask(twice, "--junit", str(folder))
    assert ran.exit_code == 3
    assert ran.stderr == f"crawler: {folder}: cannot be written: Is a directory\n"
    assert [*tmp_path.iterdir()] == [folder]


def test_a_report_replaces_no_database(twice: Path, tmp_path: Path) -> None:
    database = tmp_path / "mine.db"
    database.write_bytes(twice.read_bytes())
    for option in ("--junit", "--sarif"):
        ran = ask(database, option, str(database))
        assert (ran.exit_code, ran.stdout) == (2, "")
        assert ran.stderr == f"crawler: {option} {database}: is a database; name another file\n"
        assert database.read_bytes() == twice.read_bytes()


HOSTILE = ["]]>", "<b a='&'>", "\x00\x1b[31m", "\ufffe", "a\nb", "\U0001f600", "\x85"]


def audit_of(number: int) -> Audit:
    """An audit of one check."""
    check = Judged("check", "group", "error", "it <fires> & \x01", 1, None, number, 0, number)
    return Audit(1, 0, 1, [check], {"group": 0}, [], baseline=False, queued=0)


def found(number: int) -> Iterator[Finding]:
    """Findings with what may stand in a stranger's page."""
    for at in range(number):
        text = HOSTILE[at % len(HOSTILE)]
        yield Finding("check", f"http://a.test/{at}", text, json.dumps({"is": text}), 1)


def test_what_strangers_wrote_breaks_no_report() -> None:
    out = io.BytesIO()
    junit.write(audit_of(len(HOSTILE)), found(len(HOSTILE)), out)
    failure = read_junit(out.getvalue()).find(".//failure")
    assert [part in failure.text for part in ("]]>", "<b a='&'>", "\ufffd\ufffd[31m")] == [True] * 3
    out = io.BytesIO()
    sarif.write(audit_of(len(HOSTILE)), found(len(HOSTILE)), out)
    run = read_sarif(out.getvalue())
    assert [one.properties["evidence"]["is"] for one in run.results] == HOSTILE


def test_junit_says_how_many_findings_it_leaves_out() -> None:
    out = io.BytesIO()
    junit.write(audit_of(junit.SHOWN + 1_000), found(junit.SHOWN + 1_000), out)
    failure = read_junit(out.getvalue()).find(".//failure")
    assert failure.get("message").startswith("1,500 found: ")
    assert failure.text.endswith("\n... and 1,000 more")


def test_on_a_first_run_nothing_is_called_new(twice: Path) -> None:
    told = list(audit_told.lines(msgspec.structs.replace(audit_of(3), compared=False)))
    assert not any(" new" in line for line in told)
    assert any("3 new" in line for line in audit_told.lines(audit_of(3)))


def test_an_audit_says_at_its_end_how_its_score_comes_about(twice: Path) -> None:
    assert ask(twice).output.splitlines()[-1] == audit_told.RULE


def test_in_a_window_lines_go_on_between_words_below_their_text() -> None:
    line = "  error        12  broken_links: a link of a good page leads to what is gone"
    assert list(audit_told.folded([line, ""], 40)) == [
        "  error        12  broken_links: a link",
        "                   of a good page leads",
        "                   to what is gone",
        "",
    ]


def test_two_forms_at_once_are_refused(twice: Path) -> None:
    ran = ask(twice, "--csv", "--json")
    assert ran.exit_code == 2
    assert ran.stderr == (
        "crawler: --csv and --json are two ways to write the rows; give one of them\n"
    )

"""Do a page's document, status and links tell one story, whatever it answered in which order?

Hypothesis makes up what a page answers in each run, and with which settings. A model of a few lines
says what is held afterwards; it knows nothing of tables.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from crawler.config import Config
from crawler.model import Distinct, Document, Job, Link, LinkColumns, Reply, Visit
from crawler.policy import urls
from crawler.store import runs
from crawler.store.clock import iso
from crawler.store.contract import Arrival, Entry
from tests.frontier.stage import Stage

URL = "http://127.0.0.1/"
SETTINGS = {
    "usual": {},
    "no bodies": {"store": {"bodies": False}},
    "no texts": {"store": {"texts": False}},
    "fewer links": {"parse": {"max_links": 2}},
    "smaller bodies": {"fetch": {"max_body_bytes": 1000}},
}
MOVED, GONE, PASSING = ("301",), ("404", "410", "403"), ("429", "503", "timeout")


@dataclass(frozen=True)
class Step:
    """One run: which version the site has, how it answers, and with which settings it is asked."""

    answer: str = "whole"
    version: int = 1
    settings: str = "usual"


@dataclass(frozen=True)
class Held:
    """The document that is held: its version, and whether it may be asked for conditionally."""

    version: int
    settings: str | None


steps = st.builds(
    Step,
    st.sampled_from(["whole", "whole", "cut", "too large", *MOVED, *GONE, *PASSING]),
    st.integers(1, 2),
    st.sampled_from(list(SETTINGS)),
)


def etag(version: int) -> str:
    return f'"{version}"'


def links(version: int) -> list[str]:
    return [f"http://127.0.0.1/{version}/{number}" for number in range(version)]


def answered(step: Step, entry: Entry) -> tuple[Reply, Document]:
    """What the site says to what is asked."""
    if step.answer == "timeout":
        return Reply(error="timeout"), Document()
    if step.answer in MOVED:
        target = urls.resolve("/new", URL)[0]
        return Reply(301, headers=(("ETag", '"moved"'),), redirect=target), Document()
    if step.answer.isdigit():
        return Reply(int(step.answer), headers=(("ETag", '"error"'),)), Document(title="Sorry")
    if entry.etag == etag(step.version):
        return Reply(304, headers=(("ETag", etag(step.version)),)), Document()
    error, truncated = {
        "whole": (None, None),
        "cut": ("conn_closed", "disconnect"),
        "too large": ("too_large", "length"),
    }[step.answer]
    reply = Reply(200, error, headers=(("ETag", etag(step.version)),), truncated=truncated)
    targets = [urls.resolve(link)[0] for link in links(step.version)]
    document = Document(
        content_type="text/html",
        title=f"Version {step.version}",
        text_hash=step.version,
        targets=Distinct.of(targets),
        columns=LinkColumns.of(Link(number, "a") for number in range(len(targets))),
    )
    return reply, document


class Model:
    """What is held, told in words."""

    def __init__(self) -> None:
        self.held: Held | None = None
        self.linked: list[str] = []
        self.status: int | None = None
        self.partial: str | None = None

    def asks(self, step: Step) -> str | None:
        """The validator that is sent: of a document held whole, made by the same settings, whose
        page has been there since."""
        held = self.held
        return etag(held.version) if held and held.settings == step.settings else None

    def take(self, step: Step, asked: str | None) -> None:
        """What an answer changes."""
        if step.answer == "timeout":
            self.status = None
        elif step.answer in PASSING:
            self.status = int(step.answer)
        elif step.answer in MOVED + GONE:
            self.status = int(step.answer)
            self.linked = []
            if self.held:
                self.held = Held(self.held.version, None)
        elif asked == etag(step.version):
            self.status = 200
        elif step.answer == "cut" and self.held:
            self.status = 200  # what broke off replaces nothing
        else:
            whole = step.answer == "whole"
            self.held = Held(step.version, step.settings if whole else None)
            self.linked = links(step.version)
            self.partial = {"whole": None, "cut": "disconnect", "too large": "length"}[step.answer]
            self.status = 200


def run(folder: Path, step: Step, now: float) -> tuple[Stage, Entry]:
    """One run of the crawler, in which the page is asked for once."""
    sections = SETTINGS[step.settings] | {"pace": {"tries": 1}, "robots": {"obey": False}}
    config = msgspec.convert(sections, Config)
    stage = Stage(folder, config, now=now)
    stage.seed(URL)
    entry = stage.queue.refill([(1, (-1, -1, -1), 1)], stage.wall)[0][0].entries[0]
    job = Job(1, entry.id, entry.url, etag=entry.etag, last_modified=entry.last_modified)
    reply, document = answered(step, entry)
    stage.recorder.record([Arrival(Visit(job, reply, document, iso(stage.wall)), entry)], [], now)
    stage.database.execute("UPDATE urls SET state = 'skipped', reason = 'depth' WHERE id > 1")
    stage.database.execute("UPDATE hosts SET queued = 0")
    runs.finish(stage.database, now_run(stage), state="finished", reason="finished", now=stage.wall)
    return stage, entry


def now_run(stage: Stage) -> int:
    return int(str(stage.rows("SELECT max(id) FROM runs")[0][0]))


PAGE = "SELECT status, title, document_status, partial, outlinks FROM pages WHERE id = 1"
LINKED = """
    SELECT urls.url
    FROM links
    JOIN urls ON urls.id = links.target_id
    WHERE links.source_id = 1
    ORDER BY position
"""


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], database=None)
@given(st.lists(steps, min_size=1, max_size=7))
@example([Step(), Step("503"), Step()])
@example([Step("cut"), Step()])
@example([Step("404"), Step(), Step("404"), Step()])
@example([Step(settings="no bodies"), Step()])
@example([Step(), Step("301"), Step("timeout"), Step()])
@example([Step("too large", 2), Step("too large", 1), Step("cut", 2)])
def test_document_status_and_links_tell_one_story(history: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        model = Model()
        for number, step in enumerate(history):
            expected = model.asks(step)
            stage, entry = run(Path(folder), step, 1000.0 * (number + 1))
            try:
                assert entry.etag == expected, "asked conditionally"
                model.take(step, expected)
                check(stage, model)
            finally:
                stage.close()


def check(stage: Stage, model: Model) -> None:
    """The file says what the model says."""
    [(status, title, document_status, partial, outlinks)] = stage.rows(PAGE)
    assert status == model.status
    assert stage.rows("SELECT status FROM urls WHERE id = 1") == [(model.status,)]
    linked = [url for (url,) in stage.rows(LINKED)]
    assert (linked, outlinks) == (model.linked, len(model.linked))
    if model.held is None:
        assert document_status is None
    else:
        assert title == f"Version {model.held.version}"
        assert (document_status, partial) == (200, model.partial)

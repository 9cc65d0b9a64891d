"""Is a visit that found nothing new passed over by whoever compares runs, and no other?

Hypothesis makes up what a page answers in each run, whether its seed is there, and under which
settings it is asked. What the runs' comparison says is held against a model in words, and against
the same comparison where every visit is looked at.
"""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import NamedTuple

import msgspec
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from crawler.config import Config
from crawler.model import Document, Job, Reply, Visit
from crawler.policy import urls
from crawler.store import runs
from crawler.store.clock import iso
from crawler.store.contract import Arrival, Entry
from tests.frontier.stage import Stage
from tests.store.page_states import Seen, State, difference, step

URL, OTHER = "http://127.0.0.1/", "http://127.0.0.2/"
TARGETS = {"301 to a": 11, "301 to b": 12}
SETTINGS = {
    "usual": {},
    "smaller bodies": {"fetch": {"max_body_bytes": 1000}},
    "fewer links": {"parse": {"max_links": 2}},
}
ERRORS = ("timeout", "connect_refused")


class Run(NamedTuple):
    """What the page answers in a run: a version of the document, or a word. token: differs in bytes
    that nobody reads. is_seed: it is asked for at all. tries: fetches before it is given up."""

    answer: str = "A"
    token: int = 1
    settings: str = "usual"
    is_seed: bool = True
    tries: int = 1


ANSWERS = ("A", "A", "A", "B", "wall", *TARGETS, "403", "404", "410", "429", "503", *ERRORS)
some_runs = some.builds(
    Run,
    some.sampled_from(ANSWERS),
    some.integers(1, 2),
    some.sampled_from(list(SETTINGS)),
    some.sampled_from([True, True, True, False]),
    some.sampled_from([1, 1, 2]),
)


def answered(run: Run, entry: Entry) -> tuple[Reply, Document]:
    """What the site says to what is asked."""
    if run.answer in ERRORS:
        return Reply(error=run.answer), Document()
    if run.answer in TARGETS:
        return Reply(301, redirect=urls.resolve(run.answer[-1], URL)[0]), Document()
    if run.answer.isdigit():  # a page that tells the time
        return Reply(int(run.answer)), Document(title=f"Sorry {run.token}", text_hash=run.token)
    if run.answer == "wall":
        return Reply(200), Document(content_type="text/html", challenge="cloudflare")
    tag = f'"{run.answer}{run.token}"'
    if entry.etag == tag:
        return Reply(304, headers=(("ETag", tag),)), Document()
    document = Document(content_type="text/html", title=run.answer, text_hash=ord(run.answer))
    return Reply(200, headers=(("ETag", tag),)), document


def visit(folder: Path, run: Run, now: float) -> None:
    """One run of the crawler."""
    sections = SETTINGS[run.settings] | {
        "pace": {"tries": run.tries, "retry_base_s": 1.0}, "robots": {"obey": False},
    }  # fmt: skip
    stage = Stage(folder, msgspec.convert(sections, Config), now=now)
    try:
        stage.seed(OTHER, *([URL] if run.is_seed else []))
        stage.seeds_read()
        [(run_id,)] = stage.rows("SELECT max(id) FROM runs")
        for (origin,) in stage.rows("SELECT origin_id FROM urls WHERE url = ?", URL):
            [refill], _ = stage.queue.refill([(int(str(origin)), (-1, -1, -1), 9)], stage.wall)
            for entry in refill.entries:
                if entry.url == URL:
                    _record(stage, run, entry, now)
        stage.database.execute(
            "UPDATE urls SET state = 'skipped', reason = 'depth' WHERE url <> ?", (URL,)
        )
        runs.finish(
            stage.database, int(str(run_id)), state="finished", reason="finished", now=stage.wall
        )
    finally:
        stage.close()


def _record(stage: Stage, run: Run, entry: Entry, now: float) -> None:
    attempt = entry.attempts + 1
    job = Job(
        1, entry.id, entry.url, etag=entry.etag, last_modified=entry.last_modified, attempt=attempt
    )
    reply, document = answered(run, entry)
    is_page = document.content_type is not None
    sha = f"{run.answer}{run.token}".encode().ljust(32, b"-") if is_page else None
    seen = Visit(job, reply, document, iso(stage.wall), body_sha256=sha, body=b"x", body_bytes=1)
    stage.recorder.record([Arrival(seen, entry)], [], now)


def in_words(run: Run, before: State | None) -> Seen | None:
    """The same for the model: what a visit of this run saw."""
    if not run.is_seed:
        return None
    if run.answer in ERRORS:
        return Seen(None, run.answer)
    if run.answer in TARGETS:
        return Seen(301, leads_to=TARGETS[run.answer])
    if run.answer == "wall":
        return Seen(503, challenge="cloudflare")  # nobody knows what became of the page
    if run.answer.isdigit():
        return Seen(int(run.answer))
    return Seen(200, title=run.answer, text=ord(run.answer), body=run.token)


DIFFERENCES = "SELECT from_run, to_run, change, what, before FROM differences WHERE id = ?"


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow], database=None)
@given(history=some.lists(some_runs, min_size=2, max_size=6))
@example([Run(), Run(), Run("B")])
@example([Run(), Run("503", tries=2), Run()])
@example([Run(), Run("503", tries=2), Run("503"), Run()])
@example([Run(), Run("404", 1), Run("404", 2), Run()])
@example([Run(), Run("wall"), Run(), Run("wall")])
@example([Run(), Run(token=2), Run(token=1)])
@example([Run(), Run(settings="fewer links"), Run(settings="fewer links")])
@example([Run("301 to a"), Run("301 to b"), Run("301 to b")])
@example([Run(), Run(is_seed=False), Run("B")])
def test_runs_compare_by_what_their_visits_found(history: list[Run]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        states: list[State | None] = [None]
        for number, run in enumerate(history, 1):
            visit(folder, run, 100_000.0 * number)
            states.append(step(states[-1], in_words(run, states[-1])))
        stage = Stage(folder, now=100_000.0 * (len(history) + 1))
        try:
            found = _compare(stage, len(history), states)
            stage.database.execute("UPDATE visits SET changed = 1")
            assert _compare(stage, len(history), states) == found
        finally:
            stage.close()


def _compare(stage: Stage, count: int, states: list[State | None]) -> set[tuple[object, ...]]:
    """What is said of all pairs of runs, once the model has said the same."""
    [(page,)] = stage.rows("SELECT coalesce(max(id), 0) FROM urls WHERE url = ?", URL)
    found = [row for row in stage.rows(DIFFERENCES, page) if int(str(row[1])) <= count]
    pairs = itertools.combinations(range(1, count + 1), 2)
    wanted = {pair: difference(states[pair[0]], states[pair[1]]) for pair in pairs}
    told = {row[:2]: row[2] for row in found}
    assert told == {pair: change for pair, change in wanted.items() if change is not None}
    return set(found)


def test_an_unchanged_page_is_passed_over(tmp_path: Path) -> None:
    for number, run in enumerate((Run(), Run(), Run("404"), Run("404", 2), Run("B"), Run("B"))):
        visit(tmp_path, run, 100_000.0 * (number + 1))
    stage = Stage(tmp_path, now=1e7)
    try:
        assert stage.rows("SELECT status, changed FROM visits ORDER BY id") == [
            (200, 1), (304, 0), (404, 1), (404, 0), (200, 1), (304, 0),
        ]  # fmt: skip
    finally:
        stage.close()

"""Do the shards of a crawl come to the end of one conductor's crawl, whatever dies on the way?"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import gevent
import pytest

from crawler.errors import StorageError
from crawler.store.database import SQLiteError
from tests.crash.trial import Count
from tests.crawls import rows
from tests.engines import KINDS, Engine
from tests.patience import until
from tests.shards.realm import SHARDS, Realm, Shards

pytestmark = pytest.mark.timeout(900)
End = dict[str, list[tuple[object, ...]]]


@pytest.fixture(scope="module")
def realm() -> Iterator[Realm]:
    served = Realm(hosts=6, pages=4, wait_s=0.02)
    yield served
    served.close()


@pytest.fixture(scope="module")
def calm(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> End:
    return realm.calm(tmp_path_factory.mktemp("calm"))


@pytest.fixture(params=KINDS)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    served = Engine(request.param)
    yield served
    served.close()


@pytest.fixture
def redis() -> Iterator[Engine]:
    served = Engine()
    yield served
    served.close()


@pytest.fixture
def shards(realm: Realm, tmp_path: Path) -> Iterator[Callable[..., Shards]]:
    made: list[Shards] = []

    def make(engine: Engine, **more: object) -> Shards:
        made.append(Shards(tmp_path / str(len(made)), realm.seeds, engine, **more))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.close()


def same(end: End, calm: End) -> None:
    for name, expected in calm.items():
        assert end[name] == expected, name


def test_shards_left_in_peace_are_one_crawl(
    calm: End, engine: Engine, shards: Callable[..., Shards]
) -> None:
    crawl = shards(engine)
    crawl.finish()
    same(crawl.merged(), calm)
    for number in range(1, SHARDS + 1):
        [(least, left)] = rows(
            crawl.database(number), "SELECT min(id), (SELECT count(*) FROM outbox) FROM urls"
        )
        assert least > number << 40
        assert left == 0
    crawl.ended.clear()
    crawl.finish()
    same(crawl.merged(), calm)
    assert rows(crawl.folder / "merged.db", "SELECT id, state FROM runs") == [
        (1, "finished"),
        (2, "finished"),
    ], "run by run they are one crawl"


FAULTS = ("a shard", "the engine", "both", "all that the engine holds")


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_is_killed_they_come_to_the_same_end(
    calm: End, redis: Engine, shards: Callable[..., Shards], chance: Random, long: bool, fault: str,
    count: Callable[[str], Count],
) -> None:  # fmt: skip
    crawl, this = shards(redis), count(f"kill -9 of {fault}, {SHARDS} shards")
    rounds = 100 if long else 4

    def disturb() -> None:
        if this.rounds >= rounds:
            return
        gevent.sleep(chance.uniform(0.1, 1.5))
        number = chance.randint(1, SHARDS)
        # Who knows the end: the engine, as long as nobody kills it, or those that have come to it.
        if fault in ("a shard", "both") and not crawl.kill(number, spare_ended=fault == "both"):
            return
        if fault in ("the engine", "both"):
            redis.kill()
            gevent.sleep(chance.uniform(0, 0.5))
            redis.start()
        if fault == FAULTS[-1]:
            redis.ask("FLUSHALL")
        this.rounds += 1

    while this.rounds < rounds:
        crawl.finish(disturb)
        end = crawl.merged()
        this.lost += len(set(calm["urls"]) - set(end["urls"]))
        this.doubled += len(end["pages"]) - len({url for url, *_ in end["pages"]})
        same(end, calm)
        if this.rounds < rounds:
            crawl = shards(redis)


@pytest.mark.parametrize("number", [1, 2])
def test_one_killed_at_the_end_needs_no_other_to_come_to_it(
    calm: End, redis: Engine, shards: Callable[..., Shards], number: int
) -> None:
    """Its file did not say so yet; all others have gone when it is started again."""
    crawl = shards(redis)
    killed = crawl.start(number, "ending")
    crawl.start_all()
    others = [one for one in crawl.running if one != number]
    until(lambda: killed.poll() is not None and all(map(crawl.has_finished, others)))
    assert killed.poll() == -signal.SIGKILL
    assert not crawl.has_finished(number)
    for one in others:
        crawl.kill(one)
    again = crawl.start(number)
    until(lambda: again.poll() is not None)
    assert again.poll() == 0, crawl.said(number)
    same(crawl.merged(), calm)


def test_what_the_engine_had_forgotten_is_sent_again(
    calm: End, redis: Engine, shards: Callable[..., Shards]
) -> None:
    """One shard comes when the others have nothing to do any more, and all they sent is gone."""
    crawl = shards(redis)
    for number in (1, 2):
        crawl.start(number)
    asked = "SELECT count(*) FROM outbox WHERE peer = 3"
    until(lambda: crawl.database(1).exists() and crawl.database(2).exists())
    until(lambda: all(_there(crawl.database(number), asked) for number in (1, 2)))
    redis.ask("FLUSHALL")
    crawl.finish()
    same(crawl.merged(), calm)


def _there(database: Path, asked: str) -> bool:
    try:
        return bool(rows(database, asked)[0][0])
    except (StorageError, SQLiteError):
        return False  # it is being made


def test_a_shard_whose_file_is_another_is_refused(
    redis: Engine, shards: Callable[..., Shards]
) -> None:
    crawl = shards(redis)
    crawl.finish()
    for name in crawl.folder.glob("shard2.db*"):
        name.unlink()
    codes = {}
    crawl.ended.clear()
    for number in (1, 2, 3):
        crawl.start(number)
    until(lambda: any(process.poll() is not None for process in crawl.running.values()))
    for number, process in crawl.running.items():
        if process.poll() is not None:
            codes[number] = process.poll()
            assert "has another file than before" in crawl.said(number)
    assert set(codes.values()) == {StorageError.exit_code}

"""Do shards go as README says?"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import duckdb
from gevent import subprocess

from tests import engines
from tests.crawls import ends
from tests.patience import PATIENT_S
from tests.shards.realm import Realm
from tests.sites.skip import ROOT

PART = (ROOT / "README.md").read_text("utf-8").partition("## Shards")[2].partition("\n## ")[0]
LINES = [
    line for shell in re.findall(r"```sh\n(.+?)```", PART, re.DOTALL) for line in shell.splitlines()
]
PORT = "6379"


def test_four_shards_their_merging_and_their_table_are_one_crawl(
    tmp_path: Path,
) -> None:
    realm = Realm(hosts=4, pages=3, shards=4)
    (tmp_path / "seeds.txt").write_text("".join(f"{line}\n" for line in realm.seeds))
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    shards, merging, table = LINES
    with engines.serve() as engine:
        for line in (shards.replace(PORT, str(engine.port)), merging, table):
            ran = subprocess.run(
                ["sh", "-c", line], cwd=tmp_path, capture_output=True, timeout=PATIENT_S
            )
            assert ran.returncode == 0, ran.stderr
            if line not in (merging, table):
                told = merging.partition("crawler merge")[2].encode()
                assert b"One file of them all: crawler merge" + told in ran.stderr
    realm.calm(tmp_path)
    one, merged = ends(tmp_path / "calm.db"), ends(tmp_path / "data" / "seeds.db")
    assert merged == one
    [of_all] = re.findall(r"`'(pages/.+?)'`", PART)
    sql = f"SELECT url, shard FROM read_parquet('{tmp_path / of_all}') ORDER BY url"
    found = duckdb.sql(sql).fetchall()
    assert [url for url, _ in found] == [url for url, *_ in one[1]]
    assert {shard for _, shard in found} == {1, 2, 3, 4}
    realm.close()

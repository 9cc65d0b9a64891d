"""What do pages look like that a framework's own tools have built?

The sources stand in `sources`, one folder each, as somebody would write them who begins; npm brings
the tools, and what they build is kept outside of the tree, so that it is built once.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from gevent import subprocess

from tests.render.samples import CACHE, ITEMS, WORDS
from tests.sites.skip import _absent
from tests.sites.web import Host

SOURCES: Final = Path(__file__).parent / "sources"
RESULTS: Final = {
    "svelte": "out",
    "angular": "out",
    "next": "out",
    "nuxt": ".output/public",
}
"""By the folder of the sources: where what was built is found in it."""
PATIENT_S: Final = 1200.0
TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
}
QUIET: Final = {"NEXT_TELEMETRY_DISABLED": "1", "NUXT_TELEMETRY_DISABLED": "1", "CI": "1"}


@cache
def built(name: str) -> Path:
    """The folder of what was built; the test skips where npm cannot be had."""
    place = CACHE / f"{name}-{_hash(SOURCES / name)}"
    if not place.exists():
        _build(name, place)
    return place


def _hash(folder: Path) -> str:
    """Of other sources other things are built."""
    found = hashlib.sha256(f"{ITEMS} {WORDS}".encode())
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            found.update(f"{file.relative_to(folder)}".encode() + file.read_bytes())
    return found.hexdigest()[:16]


def _build(name: str, place: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        _absent("npm is not installed: apt-get install npm")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as made:
        folder = Path(made) / name
        shutil.copytree(SOURCES / name, folder)
        (folder / "items.json").write_text(items())
        install = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund"]
        ended = _run(install, folder)
        if ended.returncode:
            _absent(f"npm does not bring what {name} is built with: {ended.stderr[-300:]!r}")
        ended = _run([npm, "run", "build"], folder)
        assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
        (folder / RESULTS[name]).rename(place)


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command, cwd=folder, env=os.environ | QUIET, stdin=subprocess.DEVNULL,
        capture_output=True, timeout=PATIENT_S, check=False,
    )  # fmt: skip


def items() -> str:
    """What pages show, as they ask for it."""
    return json.dumps({"words": WORDS, "names": ITEMS})


def publish(host: Host, name: str) -> None:
    """All files that were built, and what they ask for; folders are their index.html."""
    folder = built(name)
    for file in folder.rglob("*"):
        kind = TYPES.get(file.suffix, "application/octet-stream")
        path = f"/{file.relative_to(folder).as_posix()}".removesuffix("index.html")
        if file.is_file():
            host.raw(path, headers={"Content-Type": kind}, body=file.read_bytes())
    host.raw("/items.json", headers={"Content-Type": TYPES[".json"]}, body=items())

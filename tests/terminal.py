"""How does a test run the command as a person does?"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crawler.store import database
from tests.patience import PATIENT_S
from tests.sites.skip import ROOT

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", "TERM": "xterm"}


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Terminal:
    """The command at work in a folder of its own."""

    folder: Path

    def __call__(self, *words: str, stdin: bytes = b"") -> Ran:
        """Run a command to its end."""
        with self.start(*words) as process:
            out, err = process.communicate(stdin, timeout=PATIENT_S)
        return Ran(process.returncode, out.decode(), err.decode())

    @contextmanager
    def start(self, *words: str, **kinds: Any) -> Iterator[subprocess.Popen[bytes]]:
        """Start a command; it does not outlive the test."""
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process = subprocess.Popen(
            [sys.executable, "-m", "crawler", *words],
            cwd=self.folder,
            **{"env": ENVIRONMENT, **pipes, **kinds},
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def seeds(self, *lines: str, name: str = "seeds.txt") -> str:
        """Write a seeds file and give its name."""
        (self.folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return name

    def ask(self, statement: str, name: str = "data/seeds.db") -> list[tuple[Any, ...]]:
        """What a database says."""
        with closing(database.open_for_reading(self.folder / name)) as connection:
            return list(connection.execute(statement))

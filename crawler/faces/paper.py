"""How does a page become a PDF? Chromium prints it, where there is one."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from gevent import subprocess

from crawler import whole
from crawler.errors import StorageError, UsageError

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LIMIT_S: Final = 120.0


def browser() -> str:
    """The path of a Chromium. Raises UsageError where there is none."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise UsageError("a PDF is printed by Chromium, and there is none (apt install chromium)")
    return found


def print_pdf(page: Path, out: Path) -> None:
    """Print a page of ours as a PDF, which is there whole or not at all. Raises UsageError without
    Chromium, StorageError where it fails."""
    program = browser()
    with tempfile.TemporaryDirectory(prefix="crawler-") as profile:
        made = Path(profile) / "page.pdf"
        command = [
            *(program, "--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer"),
            *(f"--user-data-dir={profile}", f"--print-to-pdf={made}"),
            *(("--no-sandbox",) if os.geteuid() == 0 else ()),  # it refuses root with one
            page.resolve().as_uri(),
        ]
        try:
            ended = subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=False)
        except subprocess.TimeoutExpired:
            raise StorageError(f"{out}: {program} took longer than {LIMIT_S:.0f} s") from None
        if ended.returncode or not made.exists():
            said = ended.stderr.decode("utf-8", "replace").strip().splitlines()
            raise StorageError(f"{out}: {program} failed: {said[-1] if said else 'nothing said'}")
        with whole.file(out) as part:
            shutil.copyfile(made, part)

"""Does a slow or vanished reader hold nobody up?"""

from __future__ import annotations

import os

import gevent
import pytest
from gevent.monkey import get_original

from crawler.faces.screen import Screen, Stream
from tests.patience import PATIENT_S

close = get_original("os", "close")
"""At once. gevent's own waits until the loop has something else to do, which may be never."""


def test_a_reader_that_pauses_delays_only_the_writer() -> None:
    reading, writing = os.pipe()
    text = "x" * 500_000
    ticks = 0

    def write() -> None:
        Stream(writing).write(text)
        close(writing)

    task = gevent.spawn(write)
    for _ in range(20):
        gevent.sleep(0.005)
        ticks += 1
    assert not task.dead
    assert ticks == 20
    size = 0
    while chunk := gevent.os.tp_read(reading, 65_536):
        size += len(chunk)
    close(reading)
    task.join(timeout=PATIENT_S)
    assert size == len(text)


def test_a_reader_that_is_gone_is_told_to_the_writer() -> None:
    reading, writing = os.pipe()
    close(reading)
    with pytest.raises(BrokenPipeError):
        Stream(writing).write("x")
    close(writing)


def test_a_screen_whose_reader_is_gone_stays_silent() -> None:
    reading, writing = os.pipe()
    close(reading)
    screen = Screen(Stream(writing))
    screen.print("one")
    screen.print("two")
    close(writing)
    assert screen.quiet

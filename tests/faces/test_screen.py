"""Does a slow or vanished reader hold nobody up?"""

from __future__ import annotations

import os

import gevent
import pytest

from crawler.faces.screen import Screen, Stream


def test_a_reader_that_pauses_delays_only_the_writer() -> None:
    reading, writing = os.pipe()
    text = "x" * 500_000
    ticks = 0

    def write() -> None:
        Stream(writing).write(text)
        os.close(writing)

    task = gevent.spawn(write)
    for _ in range(20):
        gevent.sleep(0.005)
        ticks += 1
    assert not task.dead
    assert ticks == 20
    size = 0
    while chunk := gevent.os.tp_read(reading, 65_536):
        size += len(chunk)
    os.close(reading)
    task.join(timeout=60)
    assert size == len(text)


def test_a_reader_that_is_gone_is_told_to_the_writer() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.raises(BrokenPipeError):
        Stream(writing).write("x")
    os.close(writing)


def test_a_screen_whose_reader_is_gone_stays_silent() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    screen = Screen(Stream(writing))
    screen.print("one")
    screen.print("two")
    os.close(writing)
    assert screen.quiet

"""Makes the standard library cooperative; must be the first import of a process that crawls."""

from importlib import metadata

from gevent import monkey


def _patch() -> None:
    """gevent asks all packages installed, 25 times, whether one wants a say in this: 40 ms.

    It gets its answer from one look at them.
    """
    all_packages = metadata.entry_points
    metadata.entry_points = all_packages().select
    try:
        monkey.patch_all()
    finally:
        metadata.entry_points = all_packages


_patch()

"""What may a machine say for itself that fetches for a crawl elsewhere?

All else is its conductor's to say, or two machines would find different pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from crawler.config.reading import gathered, load
from crawler.config.sections import Config
from crawler.config.values import Setting
from crawler.errors import UsageError

ITS_OWN: Final = (
    *("run.workers", "run.concurrency", "run.bodies_in_flight_bytes"),
    *("fetch.resolver", "fetch.proxy", "fetch.ca_file"),
)


class Adaptation:
    """What is set here. Raises UsageError for what cannot be, and for what is the conductor's."""

    def __init__(self, overrides: Sequence[str], flags: Sequence[Setting]) -> None:
        settings = gathered(None, overrides, flags)
        for setting in settings:
            if setting.key not in ITS_OWN:
                raise UsageError(
                    f"{setting.source}: {setting.key}: is for crawler crawl to say; here there are "
                    f"{', '.join(ITS_OWN)}"
                )
        self._said = load(None, overrides, flags)
        self._keys = [setting.key.split(".") for setting in settings]

    def __repr__(self) -> str:
        return f"<Adaptation of {self._keys}>"

    def of(self, config: Config) -> Config:
        """The conductor's configuration with what is set here in place of what it says."""
        changes: dict[str, dict[str, Any]] = {"run": {"workers": self._said.run.workers}}
        for section, name in self._keys:
            value = getattr(getattr(self._said, section), name)
            changes.setdefault(section, {})[name] = value
        sections = {
            section: msgspec.structs.replace(getattr(config, section), **values)
            for section, values in changes.items()
        }
        return msgspec.structs.replace(config, **sections)

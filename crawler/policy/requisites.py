"""What becomes of what pages need to look right: images, style sheets, scripts, fonts, media?"""

from __future__ import annotations

from crawler.config import Config


def mode(config: Config) -> str:
    """``record``, ``check`` or ``fetch``: the most that the settings ask for."""
    if config.assets.mode == "record" and "assets" in config.scope.check:
        return "check"
    return config.assets.mode


def reads_styles(config: Config) -> bool:
    """Are the addresses that styles name links, too? Nobody asks for them where all are only
    recorded, and reading styles takes as long as reading pages."""
    return mode(config) != "record"

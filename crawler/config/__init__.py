"""What did the person ask for, and what holds where they said nothing?

`sections` says what can be set, and every default; `reading` takes it from files, texts and flags,
`site` what is said of some sites alone; `written` gives the text of ``config/crawl.toml``.
"""

from __future__ import annotations

from crawler.config.reading import load
from crawler.config.sections import (
    AUTHORITIES,
    SECTIONS,
    SYSTEM_STORE,
    AssetsConfig,
    AuditConfig,
    Config,
    ExtractRule,
    FetchConfig,
    Http2,
    LoginConfig,
    PaceConfig,
    ParseConfig,
    RenderConfig,
    RobotsConfig,
    RunConfig,
    ScopeConfig,
    SiteConfig,
    StoreConfig,
)
from crawler.config.values import Setting
from crawler.config.written import default_toml

__all__ = [
    "AUTHORITIES", "SECTIONS", "SYSTEM_STORE", "AssetsConfig", "AuditConfig", "Config",
    "ExtractRule", "FetchConfig", "Http2", "LoginConfig", "PaceConfig", "ParseConfig",
    "RenderConfig", "RobotsConfig", "RunConfig", "ScopeConfig", "Setting", "SiteConfig",
    "StoreConfig", "default_toml", "load",
]  # fmt: skip

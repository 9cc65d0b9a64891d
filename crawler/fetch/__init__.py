"""What does the network say to a job? Job -> Reply."""

from __future__ import annotations

from crawler.fetch.fetcher import Fetcher, FetchStats
from crawler.fetch.memory_budget import Budget, Share

__all__ = ["Budget", "FetchStats", "Fetcher", "Share"]

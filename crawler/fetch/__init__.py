"""What does the network say to a job? Job -> Reply."""

from __future__ import annotations

from crawler.fetch.budget import Budget, Share
from crawler.fetch.fetcher import Fetcher, FetchStats

__all__ = ["Budget", "FetchStats", "Fetcher", "Share"]

"""Shards of a crawl, and files made of several."""

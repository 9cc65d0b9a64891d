"""An asynchronous web crawler whose whole crawl is one SQLite file that people query."""

__version__ = "0.1.0"

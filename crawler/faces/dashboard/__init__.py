"""How does a person look around in a crawl, while it runs and afterwards?

A process of its own, so that no question stalls the crawl: `server` answers browsers from the file
(reading only, `crawler.store.looks`) and from snapshots that the conductor sends it over a socket
(`feed`). What a person commands goes back over the same socket; the dashboard itself writes
nothing. `views` are its pages, `guard` says who may ask.
"""

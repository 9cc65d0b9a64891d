"""What is there to crawl in a test?

`web` (a few pages told by the test), `generated` (any number of pages, known in advance), `nginx`
(a folder of real documents), and `walk`, a second opinion on what a crawl of a site should find.
"""

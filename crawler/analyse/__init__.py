"""What do the pages of a crawl, taken together, tell?

After a crawl, over what it stored: facts of bodies, the graph of links, near-duplicates, and checks
that become findings. Nothing here asks the network, so that a check can be made of crawls that are
older than it is. `run.analyse` is the door.
"""

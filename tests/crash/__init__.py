"""Is anything ever lost, whatever happens to the machine?

Each test does to a crawl what machines do to programs, runs the same command again, and compares
the end with that of a crawl that was left in peace.
"""

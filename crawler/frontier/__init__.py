"""What may be fetched now?

`frontier` holds what waits and asks the store for more; `schedule` decides when a host may be
asked.
"""

"""What may be fetched, and how gently?

Every judgement of the crawler lives in this room, as pure functions over values: no network, no
disk, no clock. `urls` says what an address is, `robots` what a site allows, `traps` what never
ends. Import the module that answers your question; this door brings nothing in by itself.
"""

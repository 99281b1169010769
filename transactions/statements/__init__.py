"""A wallet's past: its balance at an instant by either clock, and statements of a period.

Two clocks: *recorded* is when an entry was written, under the wallet's lock, and never goes back; *effective* is when
the movement counts, which differs for corrections that staff date back. What was told about the past by the recorded
clock stays true for ever, so statements run on it alone.
"""

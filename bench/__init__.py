"""How fast the ledger is, beside hand-written SQL and other ways to do the same: ``make bench``.

Every figure is a median of rounds. In a round each contender runs once, alone, in an order that changes, so that a
noisy machine disturbs all of them alike. See ``docs/performance.md`` for what is compared with what.
"""

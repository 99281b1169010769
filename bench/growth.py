"""The same work on a ledger of ten thousand entries and on one of ten million."""

from bench import ground
from bench.ground import Ground

SMALL, LARGE = "bench_small", "bench_large"
PEOPLE = 5_000
WAVE = 2 * PEOPLE  # entries; the opening balances are as many
# Until then a question about the past takes the wallet's lock.
SETTLED_AFTER_S = 6.5 * 60


def prepare(entries: int) -> tuple[Ground, Ground]:
    """Return a ledger of ten thousand entries and one of ``entries``, with the same people.

    The large one takes a while; it is kept from run to run while schema and size are the same.
    """
    small = ground.make(SMALL, people=PEOPLE)
    small.inside("people:make_plain_people")
    small.execute("tables.sql")
    small.settle()
    kept = f"{LARGE}_{entries}_{ground.fingerprint()}"
    if ground.exists(kept):
        return small, Ground(small.servers, kept, PEOPLE)
    large = ground.copy(small, f"{kept}_building")
    for wave in range(1, entries // WAVE):
        large.execute("history.sql", {"step": wave % (PEOPLE - 1) + 1, "people": PEOPLE})
        if wave % 50 == 0:
            print(f"  history: {(wave + 1) * WAVE:,} of {entries:,} entries", flush=True)
    large.settle()
    return small, ground.rename(large, kept)

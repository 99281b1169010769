"""The sandbox's book: one SQLite file, one connection, one lock.

Every thread of the server shares the connection and takes turns by the lock. A transaction is committed
before the answer that tells of it leaves, and SQLite's write-ahead log keeps a commit when the process is
killed, so what a vendor said to have done is still done after `kill -9`. (`synchronous=NORMAL` may lose the
last commits when the machine itself loses power; for a stand-in that is the right price for speed.)
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources

Row = sqlite3.Row
Db = sqlite3.Connection

_WIPE = (
    "DELETE FROM meta WHERE key <> 'salt'",
    "DELETE FROM webhook_urls",
    "DELETE FROM paystack_transactions",
    "DELETE FROM vtpass_orders",
    "DELETE FROM verifier_checks",
    "DELETE FROM faults",
    "DELETE FROM deliveries",
    "DELETE FROM requests",
)


class Book:
    """Opens or creates the book at `path`."""

    def __init__(self, path: str) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(resources.files("sandbox").joinpath("schema.sql").read_text("utf-8"))

    @contextmanager
    def transaction(self) -> Iterator[Db]:
        """Give the connection for reading and writing; commits at the end, rolls back on an exception."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Read rows outside a transaction."""
        with self._lock:
            return self._db.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Sequence[object] = ()) -> Row | None:
        """Read the first row, or None."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    def meta(self, key: str) -> str | None:
        """Read one remembered value."""
        found = self.row("SELECT value FROM meta WHERE key = ?", (key,))
        return None if found is None else str(found["value"])

    def wipe(self) -> None:
        """Empty every table. Id counters go on, so an id that was given once never comes back."""
        with self.transaction() as db:
            for statement in _WIPE:
                db.execute(statement)


def set_meta(db: Db, key: str, value: str) -> None:
    """Remember one value; a later one replaces it."""
    db.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )

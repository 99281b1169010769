"""What "nothing changed" means: one statement over every table that a refused request leaves alone.

Every table is in it, with its rows counted and the columns that mean something hashed, unless it stands in
``OUTSIDE`` with a reason; so a table that is added tomorrow is watched from its first day.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

# Written by refusals on purpose, or by machines in the background.
OUTSIDE = {
    "fintech_core_auditrecord": "a refusal may be audited",
    "fintech_core_idempotencyrecord": "a refusal by rule is a stored answer; watched apart",
    "fintech_core_jobrun": "jobs run by themselves",
    "notifications_delivery": "e-mail is sent in the background",
    "transactions_ledgerseal": "what was posted earlier is sealed by a job",
    "transactions_balancesnapshot": "what was posted earlier is summed up by a job",
}
FRAMEWORK = ("django_", "auth_", "waffle_")
MEANING = frozenset({
    "id", "status", "balance", "held", "version", "amount", "fee", "hold_amount", "kind", "currency", "revoked_at",
    "consumed_at", "read_at", "password", "email", "phone", "first_name", "last_name", "language", "kyc_tier",
    "is_active", "is_staff", "is_superuser", "failed_attempts", "locked_at", "digest", "reason", "code", "used_at",
})  # fmt: skip
KEYS = "fintech_core_idempotencyrecord"
PATIENCE_S = 20.0
CALM_S = 0.3

Print = dict[str, tuple[int, str]]


class Fingerprint:
    """Reads the database as its owner, over one connection."""

    def __init__(self, owner_url: str) -> None:
        self._connection = psycopg.connect(
            owner_url, options="-c default_transaction_read_only=on", autocommit=True
        )
        columns = self._columns()
        watched = {
            table: names
            for table, names in columns.items()
            if table not in OUTSIDE and not table.startswith(FRAMEWORK)
        }
        assert {"transactions_ledgerentry", "wallet_wallet", "users_session"} <= set(watched)
        parts = [_part(table, names) for table, names in sorted(watched.items())] + [_part(KEYS, ["id"])]
        self._query = sql.SQL(" UNION ALL ").join(parts).as_bytes(self._connection)

    def _columns(self) -> dict[str, list[str]]:
        rows = self._connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns JOIN information_schema.tables "
            "USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        ).fetchall()
        found: dict[str, list[str]] = {}
        for table, column in rows:
            found.setdefault(table, []).append(column)
        return {table: sorted(MEANING.intersection(names)) for table, names in found.items()}

    def take(self) -> Print:
        """Return count and hash by table."""
        rows = self._connection.execute(self._query).fetchall()
        return {table: (count, digest) for table, count, digest in rows}

    def wait_for_relay(self) -> None:
        """Wait until every event that was published has been told on."""
        deadline = time.monotonic() + PATIENCE_S
        waiting = "SELECT count(*) FROM notifications_event WHERE relayed_at IS NULL AND parked_at IS NULL"
        while (row := self._connection.execute(waiting).fetchone()) and row[0]:
            assert time.monotonic() < deadline, f"{row[0]} events wait to be relayed"
            time.sleep(0.02)

    def settle(self) -> None:
        """Wait until nothing moves by itself any more: workers, late webhooks, the relay."""
        deadline = time.monotonic() + PATIENCE_S
        before = self.take()
        while True:
            time.sleep(CALM_S)
            self.wait_for_relay()
            after = self.take()
            if after == before:
                return
            assert time.monotonic() < deadline, f"still moving: {difference(before, after)}"
            before = after

    @contextmanager
    def unchanged(self, *, keys_too: bool = True, but: tuple[str, ...] = ()) -> Iterator[None]:
        """Hold whatever happens inside to leaving everything as it was, ``but`` for the named tables.

        A refusal by rule is stored under its key: then ``keys_too`` is False.
        """
        self.wait_for_relay()
        before = self.take()
        yield
        moved = difference(before, self.take())
        spared = {*but} if keys_too else {*but, KEYS}
        assert not moved.keys() - spared, f"something changed: {moved}"

    def kept_texts(self) -> dict[str, str]:
        """Return what is kept of requests beside the documents themselves: events, messages, answers, audit."""
        kept = {
            "events": "SELECT string_agg(payload::text, E'\\n') FROM notifications_event",
            "messages": "SELECT string_agg(concat(title, body, data::text), E'\\n') FROM notifications_message",
            "e-mail": "SELECT string_agg(concat(subject, body), E'\\n') FROM notifications_delivery",
            "stored answers": "SELECT string_agg(encode(response_body, 'escape'), E'\\n')"
            " FROM fintech_core_idempotencyrecord",
            "audit": "SELECT string_agg(concat(reason, changes::text), E'\\n') FROM fintech_core_auditrecord",
        }
        return {
            place: str((self._connection.execute(query).fetchone() or [""])[0] or "")
            for place, query in kept.items()
        }

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def difference(before: Print, after: Print) -> dict[str, tuple[object, object]]:
    """Return the tables that differ, with both readings."""
    return {
        table: (before.get(table), after.get(table))
        for table in before.keys() | after.keys()
        if before.get(table) != after.get(table)
    }


def _part(table: str, columns: list[str]) -> sql.Composed:
    row = sql.SQL(", ").join(map(sql.Identifier, columns)) if columns else sql.SQL("''")
    return sql.SQL(
        "SELECT {name}, count(*)::int,"
        " coalesce(sum(hashtextextended(concat_ws('|', {row}), 0)::numeric), 0)::text FROM {table}"
    ).format(name=sql.Literal(table), row=row, table=sql.Identifier(table))

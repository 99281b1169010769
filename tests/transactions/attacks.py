"""Direct SQL against the ledger: sessions of each role, the pieces of a posting, and what the tables hold."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings
from django.db import connections
from psycopg import sql

from fintech_core import embedded
from tests.transactions.money import main_wallet
from tests.transactions.story import Story

TABLES = (
    "transactions_ledgerentry", "transactions_transaction", "transactions_ledgeraccount", "transactions_parkedcredit",
    "wallet_wallet", "fintech_core_auditrecord",
)  # fmt: skip
REFUSED = (psycopg.errors.IntegrityError, psycopg.errors.InsufficientPrivilege)

MADE = """
made AS (
    INSERT INTO transactions_transaction (
        id, reference, type, status, currency, amount, fee, hold_amount, from_wallet_id, description, metadata,
        source_kind, converted_currency, failure_code, created_at, completed_at)
    VALUES (%(fresh)s, %(fresh)s::text, 'adjustment', 'completed', 'NGN', 5, 0, NULL, NULL, '', '{}', '', '', '',
            now(), now()))"""
HELD = """
INSERT INTO transactions_transaction (
    id, reference, type, status, currency, amount, fee, hold_amount, from_wallet_id, description, metadata,
    source_kind, converted_currency, failure_code, created_at)
VALUES (%(fresh)s, %(fresh)s::text, 'bill_payment', 'pending', 'NGN', 5, 0, 5, %(other)s, '', '{}', '', '', '',
        now())"""


def entries(*lines: str) -> str:
    """One INSERT of lines made by ``line``."""
    return (
        "INSERT INTO transactions_ledgerentry (transaction_id, account_id, wallet_id, direction, amount, currency, "
        f"wallet_balance_after, wallet_version, created_at) VALUES {', '.join(lines)}"
    )


def line(
    account: str, direction: str, amount: str = "5", *, currency: str = "NGN", wallet: str = "NULL",
    after: str = "NULL", version: str = "NULL", of: str = "%(fresh)s", at: str = "now()",
) -> str:  # fmt: skip
    """One line of the journal as a row of VALUES."""
    code, _, other = account.partition("@")
    found = f"(SELECT id FROM transactions_ledgeraccount WHERE code = '{code}' AND currency = '{other or currency}')"
    return (
        f"({of}::uuid, {found}, {wallet}::uuid, '{direction}', {amount}::numeric, '{currency}', {after}::numeric, "
        f"{version}::bigint, {at})"
    )


def wallet_line(
    direction: str, amount: str = "5", *, account: str = "customer_wallets", after: str = "", step: int = 1,
    **given: str,
) -> str:  # fmt: skip
    """One line of Chidi's wallet that follows its last entry, unless told otherwise."""
    sign = "+" if direction == "credit" else "-"
    return line(
        account, direction, amount, wallet="%(other)s",
        after=after or f"(%(balance)s {sign} {amount})", version=f"(%(version)s + {step})", **given,
    )  # fmt: skip


def wallet_moved(change: str, step: int = 1, at: str = "now()") -> str:
    """The change of Chidi's wallet that goes with ``wallet_line``."""
    return (
        f"UPDATE wallet_wallet SET balance = %(balance)s {change}, version = %(version)s + {step}, "
        f"last_entry_at = {at} WHERE id = %(other)s"
    )


def step(*parts: str) -> str:
    """One statement that does everything at once, as the ledger writes."""
    named = [
        part if part.lstrip().startswith("made AS") else f"part{n} AS ({part})"
        for n, part in enumerate(parts)
    ]
    return f"WITH {', '.join(named)} SELECT 1"


@dataclass(frozen=True, slots=True)
class Attacker:
    """Sessions of one role, each statement committed by itself, and the ids of the story."""

    story: Story
    role: str

    @contextmanager
    def session(self) -> Iterator[psycopg.Connection[Any]]:
        """Open a session in the story's database."""
        with psycopg.connect(conninfo(self.role), autocommit=True) as connection:
            yield connection

    def values(self) -> dict[str, Any]:
        """The story's ids, Chidi's wallet as it stands, and an id that nobody has."""
        story, wallet = self.story, main_wallet(self.story.chidi)
        return {
            "fresh": uuid4(), "funding": story.funding.pk, "transfer": story.transfer.pk, "pending": story.pending.pk,
            "voided": story.voided.pk, "newest": story.newest.pk, "ada": story.ada.pk, "staff": story.staff.pk,
            "wallet": main_wallet(story.ada).pk, "other": wallet.pk, "balance": wallet.balance,
            "version": wallet.version,
        }  # fmt: skip

    def refused(self, *statements: str) -> str:
        """Run statements in one session; assert that the last is refused and nothing changed; return the rule."""
        before = contents()
        with self.session() as session:
            for statement in statements[:-1]:
                session.execute(statement, self.values())
            with pytest.raises(REFUSED) as refusal:
                session.execute(statements[-1], self.values())
            session.rollback()
        assert contents() == before
        if isinstance(refusal.value, psycopg.errors.InsufficientPrivilege):
            return "no right"
        return str(refusal.value.diag.constraint_name)


def contents() -> dict[str, str]:
    """Return a digest of every row of every guarded table, as committed."""
    digest = sql.SQL("SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {} t")
    with psycopg.connect(conninfo("owner"), autocommit=True) as connection:
        rows = {name: connection.execute(digest.format(sql.Identifier(name))).fetchone() for name in TABLES}
    return {name: row[0] if row else "" for name, row in rows.items()}


def wait_for_a_waiter(watcher: psycopg.Connection[Any]) -> None:
    """Wait until a session of this database waits for a lock."""
    for _ in range(200):
        row = watcher.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).fetchone()
        if row and row[0]:
            return
        watcher.execute("SELECT pg_sleep(0.02)")
    raise AssertionError("nobody waits")


def conninfo(role: str) -> str:
    """Lead to the story's database as ``default`` (the application), ``owner`` or ``superuser``."""
    given = connections["owner" if role == "superuser" else role].settings_dict
    if role == "superuser" and settings.EMBEDDED:
        url = embedded.ensure(settings.LOCAL_DIR).superuser_database_url
        return psycopg.conninfo.make_conninfo(url, dbname=given["NAME"])
    wanted = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    return psycopg.conninfo.make_conninfo(
        "", **{key: given[name] for key, name in wanted.items() if given[name]}
    )

"""Edits of the books as somebody with the database's password would make them, drawn by a seed, each said in one line.

An edit is planted by the owner of the tables with their triggers off, and with their constraints dropped where one
stands in the way, in a transaction that is rolled back. That triggers are off is no merit of what finds the edit.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.db import IntegrityError, connections, transaction

from tests.transactions.test_verify_ledger import rolled_back
from transactions.models import LedgerEntry, LedgerSeal, Transaction
from transactions.sealing.publishing import Head
from transactions.verification import definitions, structure, verify
from wallet.models import Wallet

ENTRY, MOVEMENT, WALLET = "transactions_ledgerentry", "transactions_transaction", "wallet_wallet"
SNAPSHOT, SEAL = "transactions_balancesnapshot", "transactions_ledgerseal"
TABLES: Final = (ENTRY, MOVEMENT, WALLET, SNAPSHOT, SEAL)
# What the planting itself leaves behind.
OWN_TRACES: Final = frozenset(rule.code for rule in (*structure.CHECKS, *definitions.RULES))

NEW_VALUES: Final = {
    "DecimalField": ("{c} + 0.01", "{c} * 2 + 1", "{c} + 100", "'NaN'", "{c} - 0.5"),
    "DateTimeField": (
        "coalesce({c}, now()) + interval '1 us'", "coalesce({c}, now()) - interval '1 day'", "'infinity'",
        "now() + interval '1 year'",
    ),
    "DateField": ("coalesce({c}, current_date) - 1", "coalesce({c}, current_date) + 40"),
    "UUIDField": ("gen_random_uuid()", "'00000000-0000-0000-0000-000000000000'"),
    "CharField": ("'Z' || substr({c}, 2)", "'Ẹ'", "reverse({c})"),
    "BigIntegerField": ("coalesce({c}, 0) + 1", "coalesce({c}, 0) + 1000000", "-coalesce({c}, 0) - 5"),
    "PositiveSmallIntegerField": ("{c} + 1",),
    "PositiveIntegerField": ("{c} + 1", "{c} + 7"),
    "BigAutoField": ("{c} + 1000000", "-{c}"),
    "JSONField": ("'{{\"colour\": \"red\"}}'", "{c} || '{{\"a\": [1, 2.50]}}'", "'[]'"),
}  # fmt: skip
OTHER_CURRENCY: Final = "CASE currency WHEN 'NGN' THEN 'USD' ELSE 'NGN' END"
# Besides what a type allows: what would look right.
LIKELY: Final = {
    "direction": ("CASE {c} WHEN 'debit' THEN 'credit' ELSE 'debit' END",),
    "currency": ("CASE {c} WHEN 'NGN' THEN 'USD' ELSE 'NGN' END",),
    "status": ("'failed'", "'completed'", "'frozen'"),
    "type": ("'adjustment'", "'funding'", "'refund'"),
    "kind": ("CASE {c} WHEN 'main' THEN 'cashback' ELSE 'main' END",),
    "account_id": ("(SELECT id FROM transactions_ledgeraccount WHERE currency = 'NGN' AND id <> {c} "
                   "ORDER BY md5(id::text) LIMIT 1)",),
    "transaction_id": (f"(SELECT id FROM {MOVEMENT} WHERE id <> {{c}} ORDER BY id LIMIT 1)",),
    "wallet_id": ("NULL",), "from_wallet_id": ("NULL",), "to_wallet_id": ("NULL",), "from_user_id": ("NULL",),
    "to_user_id": ("NULL",), "initiated_by_id": ("NULL",), "expires_at": ("NULL",), "hold_amount": ("NULL",),
    "owner_id": ("(SELECT id FROM users_user WHERE id <> {c} ORDER BY id LIMIT 1)",),
    "reverses_id": ("NULL",), "refund_of_id": ("NULL",), "source_id": ("NULL",), "hold_number": ("NULL",),
    "end_number": ("NULL",), "effective_at": ("NULL",),
}  # fmt: skip

# What of a wallet without entries somebody would change.
EMPTY_WALLET: Final = {
    "balance": "100", "held": "1", "status": "'frozen'", "version": "1", "last_entry_at": "now()",
    "spent_today": "5", "spent_this_month": "5", "spent_on": "current_date", "currency": OTHER_CURRENCY,
    "kind": "CASE kind WHEN 'main' THEN 'cashback' ELSE 'main' END", "id": "gen_random_uuid()",
    "owner_id": "(SELECT id FROM users_user WHERE id <> owner_id ORDER BY id LIMIT 1)",
    "created_at": "created_at - interval '1 day'", "opening_number": "opening_number + 1000000",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Edit:
    """One change: its kind, the statements that make it, and what is made instead where they change nothing."""

    kind: str
    statements: tuple[str, ...]
    instead: "Edit | None" = None

    def __str__(self) -> str:
        return f"{self.kind}: {'; '.join(self.statements)}"


def edits(count: int, seed: int) -> list[Edit]:
    """Draw edits: every kind at least once when there is room, in an order that the seed gives."""
    draw = random.Random(seed)
    kinds: list[Callable[[random.Random], Edit]] = [*_columns(), *ROWS]
    draw.shuffle(kinds)
    drawn = [kinds[number % len(kinds)](draw) for number in range(count)]
    assert len({str(edit) for edit in drawn}) > count * 9 // 10
    return drawn


def missed(edit: Edit, published: list[Head]) -> bool:
    """Plant an edit, verify with seals, roll back; say whether nothing was found."""
    with rolled_back():
        _plant(edit)
        report = verify(using="owner", with_seals=True, published=published)
        return not set(report.broken) - OWN_TRACES


def passes_find_otherwise(edit: Edit) -> bool:
    """Plant an edit, verify by combined passes and rule by rule, roll back; say whether the two differ."""
    with rolled_back():
        _plant(edit)
        return verify(using="owner").broken != verify(using="owner", combined=False).broken


def _plant(edit: Edit) -> None:
    with connections["owner"].cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        made: Edit | None = edit
        while made is not None:
            try:
                with transaction.atomic(using="owner"):
                    changed = _run(cursor, made)
            except IntegrityError:
                _drop_constraints(cursor)
                changed = _run(cursor, made)
            if changed:
                return
            made = made.instead
    raise AssertionError(f"nothing was changed by {edit}")


def _run(cursor: Any, edit: Edit) -> int:
    changed = 0
    for statement in edit.statements:
        cursor.execute(statement.replace("%", "%%"), [])
        changed += cursor.rowcount
    return changed


def _drop_constraints(cursor: Any) -> None:
    cursor.execute(
        "SELECT format('ALTER TABLE %%I DROP CONSTRAINT %%I', conrelid::regclass, conname) FROM pg_constraint"
        " WHERE conrelid = ANY(%s::regclass[]) AND (contype IN ('c', 'u') OR contype = 'p' AND conrelid = %s::regclass)"
        " UNION ALL SELECT format('DROP INDEX %%I', i.indexrelid::regclass) FROM pg_index i"
        " WHERE i.indrelid = ANY(%s::regclass[]) AND i.indisunique AND NOT i.indisprimary"
        " AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)",
        [list(TABLES), SEAL, list(TABLES)],
    )
    for (statement,) in cursor.fetchall():
        cursor.execute(statement)


def _columns() -> Iterator[Callable[[random.Random], Edit]]:
    """Yield an editor of each column of the books and of the seals."""
    for model in (LedgerEntry, Transaction, Wallet, LedgerSeal):
        for field in model._meta.concrete_fields:
            column = str(field.column)
            target = field.target_field if field.is_relation else field
            values = [*NEW_VALUES[target.get_internal_type()], *LIKELY.get(column, ())]
            if not field.null:
                values = [value for value in values if value != "NULL"]
            yield _editor(model._meta.db_table, str(model._meta.pk.column), column, values)


def _editor(table: str, key: str, column: str, values: list[str]) -> Callable[[random.Random], Edit]:
    def draw(given: random.Random) -> Edit:
        made = None
        for template in given.sample(values, len(values)):
            value = template.replace("{c}", column).replace("{{", "{").replace("}}", "}")
            # A row of which the value really changes, drawn by a hash, so that it is another one each time.
            chosen = (
                f"SELECT {key} FROM {table} WHERE {column} IS DISTINCT FROM ({value}) "
                f"ORDER BY md5({key}::text || '{given.randrange(10**6)}') LIMIT 1"
            )
            statement = f"UPDATE {table} SET {column} = {value} WHERE {key} = ({chosen})"
            made = Edit(f"{table}.{column}", (statement,), made)
        assert made is not None
        return made

    return draw


def _some(table: str, key: str, given: random.Random, where: str = "true") -> str:
    salt = given.randrange(10**6)
    return f"(SELECT {key} FROM {table} WHERE {where} ORDER BY md5({key}::text || '{salt}') LIMIT 1)"


def _deleted_entry(given: random.Random) -> Edit:
    return Edit("deleted entry", (f"DELETE FROM {ENTRY} WHERE id = {_some(ENTRY, 'id', given)}",))


def _deleted_movement(given: random.Random) -> Edit:
    return Edit("deleted transaction", (f"DELETE FROM {MOVEMENT} WHERE id = {_some(MOVEMENT, 'id', given)}",))


def _deleted_wallet(given: random.Random) -> Edit:
    some = _some(WALLET, "id", given)
    return Edit("deleted wallet", (f"DELETE FROM {WALLET} WHERE id = {some}",))


def _deleted_pair(given: random.Random) -> Edit:
    some = _some(
        MOVEMENT, "id", given, f"(SELECT count(*) FROM {ENTRY} e WHERE e.transaction_id = {MOVEMENT}.id) = 2"
    )
    return Edit("deleted balanced pair", (f"DELETE FROM {ENTRY} WHERE transaction_id = {some}",))


def _deleted_whole(given: random.Random) -> Edit:
    """A movement between accounts goes with all its entries: no sum, no wallet shows it."""
    some = _some(MOVEMENT, "id", given, f"NOT EXISTS (SELECT FROM {ENTRY} e WHERE e.transaction_id = {MOVEMENT}.id "
                                        "AND e.wallet_id IS NOT NULL) AND status = 'completed'")  # fmt: skip
    return Edit(
        "deleted whole movement",
        (f"CREATE TEMPORARY TABLE gone ON COMMIT DROP AS SELECT {some} AS id",
         f"DELETE FROM {ENTRY} WHERE transaction_id = (SELECT id FROM gone)",
         f"DELETE FROM {MOVEMENT} WHERE id = (SELECT id FROM gone)"),
    )  # fmt: skip


_ENTRY_FACTS = "transaction_id, account_id, direction, amount, currency, created_at"


def _inserted_entry(given: random.Random) -> Edit:
    some = _some(ENTRY, "id", given)
    return Edit(
        "inserted entry",
        (f"INSERT INTO {ENTRY} ({_ENTRY_FACTS}) SELECT {_ENTRY_FACTS} FROM {ENTRY} WHERE id = {some}",),
    )


def _inserted_pair(given: random.Random) -> Edit:
    some = _some(ENTRY, "id", given, "wallet_id IS NULL")
    sides = "(VALUES ('debit'), ('credit')) side(direction)"
    facts = _ENTRY_FACTS.replace("direction", "side.direction")
    return Edit(
        "inserted balanced pair",
        (f"INSERT INTO {ENTRY} ({_ENTRY_FACTS}) SELECT {facts} FROM {ENTRY} e, {sides} WHERE e.id = {some}",),
    )


def _inserted_below(given: random.Random) -> Edit:
    some = _some(ENTRY, "id", given, "wallet_id IS NULL")
    return Edit(
        "inserted entry with an old id",
        (
            f"INSERT INTO {ENTRY} (id, {_ENTRY_FACTS}) SELECT -id, {_ENTRY_FACTS} FROM {ENTRY} WHERE id = {some}",
        ),
    )


def _given_money(given: random.Random) -> Edit:
    return Edit("wallet given money", (f"UPDATE {WALLET} SET balance = balance + 1000 WHERE id = "
                                       f"{_some(WALLET, 'id', given)}",))  # fmt: skip


def _moved_money(given: random.Random) -> Edit:
    """One wallet's balance goes to another: the sum over all of them stays."""
    taken = _some(
        WALLET, "id", given, "balance > 10 AND id::text > (SELECT min(id::text) FROM wallet_wallet)"
    )
    return Edit(
        "money moved between wallets",
        (f"UPDATE {WALLET} SET balance = balance - 5 WHERE id = {taken}",
         f"UPDATE {WALLET} SET balance = balance + 5 WHERE id = (SELECT min(id::text)::uuid FROM {WALLET})"),
    )  # fmt: skip


def _empty_wallet(column: str, value: str) -> Callable[[random.Random], Edit]:
    def draw(given: random.Random) -> Edit:
        some = _some(WALLET, "id", given, "version = 0")
        return Edit(f"empty wallet {column}", (f"UPDATE {WALLET} SET {column} = {value} WHERE id = {some}",))

    return draw


def _split_otherwise(given: random.Random) -> Edit:
    """A pending hold is for another amount and another fee, which still sum to what is held."""
    some = _some(MOVEMENT, "id", given, "status = 'pending'")
    kept = given.choice(("", ", hold_fee = hold_fee + 1", ", hold_fee = NULL"))
    return Edit(
        "hold split otherwise",
        (f"UPDATE {MOVEMENT} SET amount = amount - 1, fee = fee + 1{kept} WHERE id = {some}",),
    )


def _snapshot(column: str, value: str) -> Callable[[random.Random], Edit]:
    def draw(given: random.Random) -> Edit:
        some = _some(SNAPSHOT, "id", given)
        return Edit(f"snapshot {column}", (f"UPDATE {SNAPSHOT} SET {column} = {value} WHERE id = {some}",))

    return draw


def _inserted_snapshot(given: random.Random) -> Edit:
    some = _some(SNAPSHOT, "id", given)
    return Edit(
        "inserted snapshot",
        (f"INSERT INTO {SNAPSHOT} (account_id, last_entry_id, balance, currency, taken_at) "
         f"SELECT account_id, last_entry_id - 1, balance + 7, currency, taken_at FROM {SNAPSHOT} WHERE id = {some}",),
    )  # fmt: skip


def _deleted_seal(given: random.Random) -> Edit:
    return Edit("deleted seal", (f"DELETE FROM {SEAL} WHERE number = {_some(SEAL, 'number', given)}",))


def _cut_seals(given: random.Random) -> Edit:
    keep = given.randrange(1, 4)
    return Edit(
        "cut tail of seals", (f"DELETE FROM {SEAL} WHERE number > (SELECT max(number) - {keep} FROM {SEAL})",)
    )


def _cut_tail(given: random.Random) -> Edit:
    """The newest movements go with their seals, and everything that is left is made to fit."""
    keep = given.randrange(1, 4)
    return Edit(
        "cut tail of everything",
        (f"CREATE TEMPORARY TABLE kept ON COMMIT DROP AS SELECT through_entry AS entry, through_hold AS hold, number "
         f"FROM {SEAL} WHERE number = (SELECT max(number) - {keep} FROM {SEAL})",
         f"DELETE FROM {SEAL} WHERE number > (SELECT number FROM kept)",
         f"DELETE FROM {SNAPSHOT} WHERE last_entry_id > (SELECT entry FROM kept)",
         f"DELETE FROM {ENTRY} WHERE transaction_id IN (SELECT transaction_id FROM {ENTRY} "
         "WHERE id > (SELECT entry FROM kept))",
         f"DELETE FROM {MOVEMENT} t WHERE status = 'completed' AND NOT EXISTS "
         f"(SELECT FROM {ENTRY} e WHERE e.transaction_id = t.id)",
         f"UPDATE {WALLET} w SET version = l.wallet_version, balance = l.wallet_balance_after, "
         "last_entry_at = l.created_at FROM (SELECT DISTINCT ON (wallet_id) * FROM "
         f"{ENTRY} WHERE wallet_id IS NOT NULL ORDER BY wallet_id, wallet_version DESC) l WHERE l.wallet_id = w.id"),
    )  # fmt: skip


ROWS: Final[tuple[Callable[[random.Random], Edit], ...]] = (
    *(_empty_wallet(column, value) for column, value in EMPTY_WALLET.items()), _split_otherwise,
    _deleted_entry, _deleted_movement, _deleted_wallet, _deleted_pair, _deleted_whole, _inserted_entry, _inserted_pair,
    _inserted_below, _given_money, _moved_money, _snapshot("balance", "balance + 1"),
    _snapshot("last_entry_id", "last_entry_id + 1000"), _snapshot("taken_at", "taken_at - interval '1 day'"),
    _snapshot("currency", OTHER_CURRENCY), _inserted_snapshot, _deleted_seal, _cut_seals, _cut_tail,
)  # fmt: skip

"""Combined passes: they hide no edit that a rule finds, not even one that fits, and are silent when all is well."""

from collections.abc import Iterator
from itertools import islice

import pytest
from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import AutoField, Model
from pytest_django.plugin import DjangoDbBlocker

from tests.transactions.story import Story
from tests.transactions.test_verify_ledger import ACCOUNT, ENTRY, MOVEMENT, WALLET, Owner, rolled_back
from transactions.models import LedgerAccount, LedgerEntry, Transaction
from transactions.verification import every_check
from transactions.verification.combined_passes import COMBINED_PASSES, CombinedPasses
from wallet.models import Wallet

SHARES = 12
NEGATIVE = "amount = -amount"
FINE = "amount = amount + 0.001"
OF_PARKED, OF_TRANSFER = "transaction_id = %(parked)s", "transaction_id = %(transfer)s"
EARLIER = "interval '30 days'"
# Edits of several rows that fit each other, so that one part of a combined pass alone can see them.
FITTING = {
    "less than nothing moved": (
        ("entry_is_whole", "transaction_is_whole"),
        (f"UPDATE {ENTRY} SET {NEGATIVE} WHERE {OF_PARKED}", f"UPDATE {MOVEMENT} SET {NEGATIVE} WHERE id = %(parked)s"),
    ),
    "parts of the smallest coin moved": (
        ("entry_is_whole", "transaction_is_whole"),
        (f"UPDATE {ENTRY} SET {FINE} WHERE {OF_PARKED}", f"UPDATE {MOVEMENT} SET {FINE} WHERE id = %(parked)s"),
    ),
    "a fee of less than nothing": (
        ("transaction_is_whole",),
        (f"UPDATE {MOVEMENT} SET amount = amount + fee + 1, fee = -1 WHERE id = %(transfer)s",),
    ),
    "a fee in parts of the smallest coin": (
        ("transaction_is_whole",),
        (f"UPDATE {MOVEMENT} SET amount = amount - 0.001, fee = fee + 0.001, hold_fee = hold_fee + 0.001 "
         "WHERE id = %(pending)s",),
    ),
    "a movement before the one before it": (
        ("entry_follows_the_one_before",),
        (f"UPDATE {ENTRY} SET created_at = created_at - {EARLIER} WHERE {OF_TRANSFER}",
         f"UPDATE {MOVEMENT} SET created_at = created_at - {EARLIER}, completed_at = completed_at - {EARLIER} "
         "WHERE id = %(transfer)s"),
    ),
    "a pair in another currency": (
        ("entries_are_of_its_currency",),
        (f"INSERT INTO {ENTRY} (transaction_id, account_id, direction, amount, currency, created_at) "
         "SELECT t.id, a.id, side.direction, 5, 'USD', t.completed_at "
         f"FROM {MOVEMENT} t, transactions_ledgeraccount a, (VALUES ('debit'), ('credit')) side(direction) "
         "WHERE t.id = %(reversal)s AND (a.code, a.currency) = ('suspense', 'USD')",),
    ),
    "an entry twice": (
        ("entry_follows_the_one_before", "wallet_shows_its_entries"),
        (f"INSERT INTO {ENTRY} (transaction_id, account_id, wallet_id, direction, amount, currency, wallet_version, "
         "wallet_balance_after, created_at) SELECT transaction_id, account_id, wallet_id, direction, amount, currency, "
         f"wallet_version, wallet_balance_after, created_at FROM {ENTRY} WHERE {OF_TRANSFER} "
         "AND wallet_id = %(wallet)s",),
    ),
    "an entry of no transaction": (
        ("entries_are_of_completed_transactions",),
        (f"UPDATE {ENTRY} SET transaction_id = gen_random_uuid() WHERE {OF_PARKED}",
         f"DELETE FROM {MOVEMENT} WHERE id = %(parked)s"),
    ),
    "a capture above its hold": (
        ("capture_is_within_its_hold",),
        (f"UPDATE {MOVEMENT} SET hold_amount = amount + fee - 1 WHERE id = %(bill)s",),
    ),
    "a capture of nobody's": (
        ("capture_is_within_its_hold",),
        (f"UPDATE {MOVEMENT} SET from_wallet_id = NULL, from_user_id = NULL WHERE id = %(bill)s",),
    ),
    "a capture before its hold": (
        ("status_fits_the_facts",),
        (f"UPDATE {MOVEMENT} SET created_at = completed_at + {EARLIER} WHERE id = %(bill)s",),
    ),
    "a hold in parts of the smallest coin": (
        ("transaction_is_whole",),
        (f"UPDATE {MOVEMENT} SET hold_amount = hold_amount + 0.001 WHERE id = %(bill)s",),
    ),
    "a fee of a movement in parts of the smallest coin": (
        ("transaction_is_whole",),
        (f"UPDATE {MOVEMENT} SET fee = fee + 0.001 WHERE id = %(transfer)s",),
    ),
    "an open hold that failed": (
        ("status_fits_the_facts",),
        (f"UPDATE {MOVEMENT} SET failure_code = 'x' WHERE id = %(pending)s",),
    ),
    "an open hold that ended": (
        ("status_fits_the_facts",),
        (f"UPDATE {MOVEMENT} SET end_number = 5 WHERE id = %(pending)s",),
    ),
    "a movement that failed and did not": (
        ("status_fits_the_facts",),
        (f"UPDATE {MOVEMENT} SET failure_code = 'x' WHERE id = %(transfer)s",),
    ),
    "a movement that ended without entries and did not": (
        ("status_fits_the_facts",),
        (f"UPDATE {MOVEMENT} SET end_number = 5 WHERE id = %(transfer)s",),
    ),
    "money to itself": (
        ("transaction_is_whole",),
        (f"UPDATE {MOVEMENT} SET to_wallet_id = from_wallet_id, to_user_id = from_user_id WHERE id = %(transfer)s",),
    ),
    "a conversion without a rate": (
        ("transaction_is_whole",),
        (f"UPDATE {MOVEMENT} SET type = 'conversion', converted_amount = 1, converted_currency = 'USD' "
         "WHERE id = %(voided)s",),
    ),
    "a conversion into its own currency": (
        ("transaction_is_whole",),
        (f"UPDATE {MOVEMENT} SET type = 'conversion', converted_amount = 1, converted_currency = currency, "
         "conversion_rate = 1 WHERE id = %(voided)s",),
    ),
    "a void of nobody's": (
        ("capture_is_within_its_hold",),
        (f"UPDATE {MOVEMENT} SET from_wallet_id = NULL, from_user_id = NULL WHERE id = %(voided)s",),
    ),
    "a void that never ended": (
        ("status_fits_the_facts",),
        (f"UPDATE {MOVEMENT} SET completed_at = NULL WHERE id = %(voided)s",),
    ),
    "a wallet's money that nothing moved": (
        ("wallet_shows_its_entries",),
        (f"UPDATE {WALLET} SET balance = balance + 1 WHERE version = 0",),
    ),
    "a reference of two that is none": (
        ("booked_once",),
        (f"UPDATE {MOVEMENT} SET reference = NULL WHERE id IN (%(transfer)s, %(newest)s)",),
    ),
    "one currency that becomes another": (
        ("entries_sum_to_zero", "currency_sums_to_zero", "entries_are_of_its_currency"),
        (f"UPDATE {MOVEMENT} SET converted_currency = NULL WHERE id = %(parked)s",
         f"INSERT INTO {ENTRY} (transaction_id, account_id, direction, amount, currency, created_at) "
         "SELECT t.id, a.id, side.direction, 5, side.currency, t.completed_at "
         f"FROM {MOVEMENT} t, (VALUES ('debit', 'gateway_clearing:paystack', 'USD'), ('credit', 'suspense', 'JPY')) "
         "side(direction, code, currency) JOIN transactions_ledgeraccount a USING (code, currency) "
         "WHERE t.id = %(parked)s",),
    ),
    "a wallet that was emptied by nothing": (
        ("entry_is_whole", "wallet_shows_its_entries"),
        (f"INSERT INTO {ENTRY} (transaction_id, account_id, wallet_id, direction, amount, currency, wallet_version, "
         "wallet_balance_after, created_at) SELECT e.transaction_id, e.account_id, e.wallet_id, e.direction, NULL, "
         f"e.currency, w.version + 1, NULL, e.created_at FROM {ENTRY} e JOIN {WALLET} w "
         "ON w.id = e.wallet_id AND w.version = e.wallet_version WHERE w.id = %(wallet)s",
         f"UPDATE {WALLET} SET balance = 0, version = version + 1 WHERE id = %(wallet)s"),
    ),
    "an entry and its account of no currency": (
        ("entry_fits_its_account", "entry_is_whole"),
        (f"UPDATE {ENTRY} SET currency = NULL, account_id = -1 WHERE {OF_TRANSFER} AND wallet_id IS NULL",),
    ),
    "a movement of the future": (
        ("entry_is_booked_with_its_transaction", "status_fits_the_facts"),
        (f"UPDATE {ENTRY} SET created_at = created_at + {EARLIER} WHERE {OF_PARKED}",
         f"UPDATE {MOVEMENT} SET created_at = created_at + {EARLIER}, completed_at = completed_at + {EARLIER} "
         f"WHERE id = %(parked)s"),
    ),
    "a movement at no time": (
        ("entry_is_booked_with_its_transaction", "status_fits_the_facts"),
        (f"UPDATE {ENTRY} SET created_at = 'infinity' WHERE {OF_PARKED}",
         f"UPDATE {MOVEMENT} SET created_at = 'infinity', completed_at = 'infinity' WHERE id = %(parked)s"),
    ),
    "a movement that takes effect in the future": (
        ("status_fits_the_facts",),
        (f"UPDATE {ENTRY} SET effective_at = 'infinity' WHERE {OF_PARKED}",
         f"UPDATE {MOVEMENT} SET effective_at = 'infinity' WHERE id = %(parked)s"),
    ),
    "a hold before all times": (
        ("status_fits_the_facts",),
        (f"UPDATE {MOVEMENT} SET created_at = '-infinity' WHERE id = %(voided)s",),
    ),
    "an id at the end of all numbers": (
        ("entries_sum_to_zero",),
        (f"UPDATE {ENTRY} SET id = 9223372036854775807, amount = amount + 1 WHERE {OF_TRANSFER} AND wallet_id IS NULL",
        ),
    ),
    "a day without a movement": (
        ("spent_is_what_was_sent",),
        (f"UPDATE {WALLET} SET spent_on = current_date + 400, spent_today = 0, spent_this_month = 0 "
         "WHERE id = %(other)s",),
    ),
}  # fmt: skip


TABLES = (ENTRY, MOVEMENT, WALLET, ACCOUNT)
KINDS_OF_MOVEMENTS = ("funding", "transfer", "bill", "voided", "pending", "reversal", "refund")
OF_MODEL: dict[type[Model], tuple[str, ...]] = {
    LedgerEntry: tuple(f"transaction_id = %({kind})s{lines}" for kind in ("transfer", "bill", "reversal", "refund")
                       for lines in ("", " AND direction = 'debit'", " AND wallet_id IS NULL")),
    Transaction: tuple(f"id = %({kind})s" for kind in KINDS_OF_MOVEMENTS),
    Wallet: ("id = %(wallet)s", "version = 0"),
    LedgerAccount: ("(code, currency) = ('customer_wallets', 'NGN')", "(code, currency) = ('fees', 'NGN')"),
}  # fmt: skip


@pytest.fixture
def owner(story: Story, django_db_blocker: DjangoDbBlocker) -> Iterator[Owner]:
    """The owner, in a transaction that is rolled back."""
    with django_db_blocker.unblock(), rolled_back():
        yield Owner(story)


def unhindered(cursor: CursorWrapper) -> None:
    """Take away what refuses such edits: triggers, and every constraint, keys and what may not be NULL among them."""
    for table in TABLES:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(
            "SELECT format('ALTER TABLE %%I DROP CONSTRAINT IF EXISTS %%I CASCADE', conrelid::regclass, conname)"
            " FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('c', 'u', 'f', 'p')"
            " UNION ALL SELECT format('ALTER TABLE %%I ALTER COLUMN %%I DROP NOT NULL', attrelid::regclass, attname)"
            " FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND attnotnull AND attidentity = ''",
            [table, table],
        )
        for (statement,) in cursor.fetchall():
            cursor.execute(statement)


def nulls() -> Iterator[str]:
    """Yield an edit for each column of the books that makes it NULL in one row, or in all lines of a movement."""
    for model in (LedgerEntry, Transaction, Wallet, LedgerAccount):
        for field in model._meta.concrete_fields:
            for where in () if isinstance(field, AutoField) else OF_MODEL[model]:
                column = field.column
                yield f"UPDATE {model._meta.db_table} SET {column} = NULL WHERE {where} AND {column} IS NOT NULL"


@pytest.mark.parametrize("what", FITTING)
def test_an_edit_that_fits_is_found_as_by_each_rule(owner: Owner, what: str) -> None:
    codes, statements = FITTING[what]
    ids = owner.ids()
    with connections["owner"].cursor() as cursor:
        unhindered(cursor)
        for statement in statements:
            cursor.execute(statement, ids)
            assert cursor.rowcount > 0
    broken = owner.verify().broken
    assert set(codes) <= set(broken)
    assert broken == owner.verify(combined=False).broken


# In shares, since a transaction that is open for long holds up the watermark of every other test.
@pytest.mark.parametrize("share", range(SHARES))
def test_a_null_is_found_as_by_each_rule(owner: Owner, share: int) -> None:
    ids, hidden, planted = owner.ids(), [], 0
    with connections["owner"].cursor() as cursor:
        unhindered(cursor)
        for statement in islice(nulls(), share, None, SHARES):
            with transaction.atomic(using="owner"):
                cursor.execute(statement, ids)
                planted += min(cursor.rowcount, 1)
                if cursor.rowcount > 0 and owner.verify().broken != owner.verify(combined=False).broken:
                    hidden.append(statement)
                transaction.set_rollback(True, using="owner")
    assert hidden == []
    assert planted > 100 // SHARES


def test_combined_passes_alone_prove_a_ledger_that_is_sound(owner: Owner) -> None:
    covered = {check.code for one in COMBINED_PASSES for check in one.checks}
    with connections["owner"].cursor() as cursor:
        passes = CombinedPasses(cursor)
        proven = {check.code for check in every_check() if passes.proves(check)}
    assert proven == covered
    assert len(covered) == sum(len(one.checks) for one in COMBINED_PASSES)

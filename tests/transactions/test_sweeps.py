"""Sweeps: they hide no edit that a rule finds, not even one that is made to fit, and are silent when all is well."""

from collections.abc import Iterator

import pytest
from django.db import connections
from django.db.backends.utils import CursorWrapper
from pytest_django.plugin import DjangoDbBlocker

from tests.transactions.story import Story
from tests.transactions.test_verify_ledger import ENTRY, MOVEMENT, WALLET, Owner, rolled_back
from transactions.verification import every_check
from transactions.verification.sweeps import SWEEPS, Sweeping

NEGATIVE = "amount = -amount"
FINE = "amount = amount + 0.001"
OF_PARKED, OF_TRANSFER = "transaction_id = %(parked)s", "transaction_id = %(transfer)s"
EARLIER = "interval '30 days'"
# Edits of several rows that fit each other, so that one part of a sweep alone can see them.
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
    "a day without a movement": (
        ("spent_is_what_was_sent",),
        (f"UPDATE {WALLET} SET spent_on = current_date + 400, spent_today = 0, spent_this_month = 0 "
         "WHERE id = %(other)s",),
    ),
}  # fmt: skip


@pytest.fixture
def owner(story: Story, django_db_blocker: DjangoDbBlocker) -> Iterator[Owner]:
    """The owner, in a transaction that is rolled back."""
    with django_db_blocker.unblock(), rolled_back():
        yield Owner(story)


def unhindered(cursor: CursorWrapper) -> None:
    """Take away what refuses such edits: triggers, and every constraint that is no key."""
    for table in (ENTRY, MOVEMENT, WALLET):
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    cursor.execute(
        "SELECT format('ALTER TABLE %%I DROP CONSTRAINT %%I', conrelid::regclass, conname) FROM pg_constraint"
        " WHERE conrelid = ANY(%s::regclass[]) AND contype IN ('c', 'u', 'f')",
        [[ENTRY, MOVEMENT, WALLET]],
    )
    for (statement,) in cursor.fetchall():
        cursor.execute(statement)


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
    assert broken == owner.verify(sweep=False).broken


def test_sweeps_alone_prove_a_ledger_that_is_sound(owner: Owner) -> None:
    swept = {check.code for sweep in SWEEPS for check in sweep.checks}
    with connections["owner"].cursor() as cursor:
        sweeping = Sweeping(cursor)
        proven = {check.code for check in every_check() if sweeping.proves(check)}
    assert proven == swept
    assert len(swept) == sum(len(sweep.checks) for sweep in SWEEPS)

"""verify_ledger about parked credits that were reversed: what the row says, and what the books say, without the other.

Lies are planted by the owner of the tables with their guards off, in a transaction that is rolled back.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections
from django.test import override_settings
from pytest_django.plugin import DjangoDbBlocker

from fintech_core import clock
from tests.databases import Databases
from tests.factories import ManagerFactory, StaffFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.parked import land, parked_funding, parked_refund, reverse, spend
from tests.transactions.requests import asked_for
from tests.transactions.story import happened, transfer_draft
from tests.transactions.test_verify_ledger import ENTRY, MOVEMENT, PARKED, rolled_back
from transactions.drafts import Post
from transactions.models import Transaction
from transactions.sealing import chain
from transactions.services.undoing_by_staff import book_undoing
from transactions.verification import verify
from transactions.verification.incremental_queries import Since

# Tests beside this one, in other databases of the same server, may keep a transaction open for a while.
WITHIN_S = 60
TABLES = (ENTRY, MOVEMENT, PARKED, "transactions_undoing")
OWN_TRACES = {"triggers_are_on", "constraints_are_valid"}
ROW, BALANCE, LINES = (
    "parked_credit_fits_its_transactions",
    "suspense_is_what_is_parked",
    "suspense_moves_with_a_parked_credit",
)
APPROVED, MIRROR, PASSAGE = (
    "undoing_is_what_was_approved",
    "reversal_is_the_mirror",
    "passage_is_of_a_parked_credit",
)


@dataclass(frozen=True, slots=True)
class Scene:
    """Credits that were reversed while they waited and after they had landed, one by two people and owed in part."""

    waited: Transaction
    landed: Transaction
    owed: Transaction
    sent: Transaction

    def ids(self) -> dict[str, Any]:
        named = {name: getattr(self, name).pk for name in ("waited", "landed", "owed", "sent")}
        mirrors = {
            f"{name}_mirror": Transaction.objects.get(reverses_id=pk).pk
            for name, pk in named.items()
            if name != "sent"
        }
        back = {
            name: Transaction.objects.get(
                type="reversal", source_kind="parked_credit", to_user=None, from_user_id=made.to_user_id
            ).pk
            for name, made in (("landed_back", self.landed), ("owed_back", self.owed))
        }
        return named | mirrors | back


@pytest.fixture(scope="module")
def scene(databases: Databases, django_db_blocker: DjangoDbBlocker, django_db_setup: None) -> Iterator[Scene]:
    """A committed scene in a database of the module's own."""
    with (
        django_db_blocker.unblock(),
        databases.another("reversed"),
        override_settings(SECOND_PERSON_ABOVE={"NGN": Decimal(100)}),
    ):
        waiting, risen, spender, chidi = (UserFactory() for _ in range(4))
        waited, landed, owed = (parked_funding(user) for user in (waiting, risen, spender))
        reverse(waited)
        land(risen)
        reverse(landed)
        land(spender)
        spend(spender, "20.00")
        request = asked_for(owed, ManagerFactory(), book_shortfall=True)
        book_undoing(undoing_id=request.pk, checker=StaffFactory(), reason="seen", now=clock.now())
        _, giver, refunded = parked_refund()
        reverse(refunded)
        fund(chidi, "10.00")
        sent = happened(Post(transfer_draft(main_wallet(chidi), main_wallet(giver), "10.00")))
        yield Scene(waited, landed, owed, sent)


@pytest.fixture
def forger(scene: Scene, django_db_blocker: DjangoDbBlocker) -> Iterator["Forger"]:
    with django_db_blocker.unblock():
        ids = scene.ids()
        with rolled_back():
            yield Forger(ids)


@dataclass(frozen=True, slots=True)
class Forger:
    """The owner of the tables."""

    ids: dict[str, Any]

    def run(self, statement: str) -> None:
        with connections["owner"].cursor() as cursor:
            for table in TABLES:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute(statement, self.ids)
            assert cursor.rowcount > 0

    def lift(self, name: str) -> None:
        with connections["owner"].cursor() as cursor:
            cursor.execute(f"ALTER TABLE {PARKED} DROP CONSTRAINT {name}")

    def found(self) -> set[str]:
        """Return which rules are broken; a verification that goes on from the beginning says the same."""
        full = set(verify(using="owner").broken) - OWN_TRACES
        assert set(verify(using="owner", combined=False).broken) - OWN_TRACES == full
        return full


class TestTruth:
    def test_nothing_is_found_of_it_with_seals_and_without(
        self, scene: Scene, django_db_blocker: DjangoDbBlocker
    ) -> None:
        with django_db_blocker.unblock():
            chain.seal(wait_s=WITHIN_S)
            assert verify(with_seals=True).findings == ()
            assert verify(since=Since(0, 0)).findings == ()


class TestRowThatLies:
    def test_that_it_was_reversed(self, forger: Forger) -> None:
        """What is named as its mirror reverses something else."""
        forger.run(f"UPDATE {MOVEMENT} SET reverses_id = %(sent)s WHERE id = %(waited_mirror)s")
        assert {ROW, BALANCE} <= forger.found()

    def test_that_it_still_waits(self, forger: Forger) -> None:
        forger.run(
            f"UPDATE {PARKED} SET status = 'parked', reversed_by_id = NULL, reversed_at = NULL"
            " WHERE parked_by_id = %(waited)s"
        )
        assert forger.found() == {ROW, BALANCE}

    def test_that_it_has_landed_and_stayed(self, forger: Forger) -> None:
        forger.run(
            f"UPDATE {PARKED} SET status = 'released', reversed_by_id = NULL, reversed_at = NULL"
            " WHERE parked_by_id = %(landed)s"
        )
        assert forger.found() == {ROW}

    def test_that_it_never_landed(self, forger: Forger) -> None:
        forger.run(
            f"UPDATE {PARKED} SET released_by_id = NULL, released_at = NULL WHERE parked_by_id = %(landed)s"
        )
        assert forger.found() == {BALANCE, LINES, PASSAGE}

    @pytest.mark.parametrize(
        "change",
        ["reversed_by_id = %(landed_back)s", "reversed_at = reversed_at + interval '1 s'", "reversed_at = NULL",
         "released_at = NULL", "released_by_id = NULL"],
    )  # fmt: skip
    def test_of_what_took_it_back_or_when(self, forger: Forger, change: str) -> None:
        forger.run(f"UPDATE {PARKED} SET {change} WHERE parked_by_id = %(landed)s")
        assert ROW in forger.found()

    @pytest.mark.parametrize("status", ["parked", "released", "unknown"])
    def test_of_its_status_alone(self, forger: Forger, status: str) -> None:
        forger.lift("parked_until_released_or_reversed")
        forger.run(f"UPDATE {PARKED} SET status = '{status}' WHERE parked_by_id = %(landed)s")
        assert ROW in forger.found()


class TestBooksThatLie:
    @pytest.mark.parametrize("gone", ["%(landed_mirror)s", "%(landed_back)s"])
    def test_of_one_leg_alone(self, forger: Forger, gone: str) -> None:
        forger.run(f"DELETE FROM {ENTRY} WHERE transaction_id = {gone} AND wallet_id IS NULL")
        assert BALANCE in forger.found()

    def test_of_the_release_that_was_mirrored(self, forger: Forger) -> None:
        forger.run(f"UPDATE {MOVEMENT} SET reverses_id = %(sent)s WHERE id = %(landed_back)s")
        assert {ROW, BALANCE, PASSAGE} <= forger.found()

    @pytest.mark.parametrize("source", ["''", "'refund'"])
    def test_of_whose_passage_it_is(self, forger: Forger, source: str) -> None:
        value = "NULL" if source == "''" else "source_id"
        forger.run(
            f"UPDATE {MOVEMENT} SET source_kind = {source}, source_id = {value} WHERE id = %(landed_back)s"
        )
        assert forger.found() == {ROW}

    def test_of_when_one_leg_went(self, forger: Forger) -> None:
        forger.run(
            f"UPDATE {MOVEMENT} SET created_at = created_at + interval '1 us' WHERE id = %(landed_back)s"
        )
        assert ROW in forger.found()

    def test_of_how_much(self, forger: Forger) -> None:
        forger.run(f"UPDATE {ENTRY} SET amount = amount + 1 WHERE transaction_id = %(waited_mirror)s")
        assert {MIRROR, BALANCE, LINES} <= forger.found()

    def test_of_a_movement_that_its_owner_is_not_to_see(self, forger: Forger) -> None:
        forger.run(
            f"UPDATE {MOVEMENT} SET source_kind = 'parked_credit', source_id = gen_random_uuid() WHERE id = %(sent)s"
        )
        assert forger.found() == {PASSAGE}

    def test_of_what_the_house_was_to_bear(self, forger: Forger) -> None:
        """Nobody had asked for it: what is owed stands in the mirror of the release."""
        forger.run("UPDATE transactions_undoing SET book_shortfall = false")
        assert forger.found() == {APPROVED}

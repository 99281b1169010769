"""Migrations of the ledger: the way there from a database with movements, and back."""

from dataclasses import replace

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connections

from fintech_core import clock
from tests.factories import ManagerFactory, StaffFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.parked import land, parked_funding, reverse
from tests.transactions.requests import asked_for
from tests.transactions.story import happened, transfer_draft
from tests.transactions.test_adjustments import asked, booked
from transactions.drafts import Post
from transactions.models import Adjustment, ParkedCredit, Transaction, Undoing
from transactions.sealing import chain
from transactions.services.adjustments import reject_adjustment
from transactions.services.undoing_by_staff import book_undoing
from transactions.verification import verify
from wallet.models import Wallet

pytestmark = pytest.mark.usefixtures("own_database")
BEFORE, AFTER = "0017", "0018"


def migrate(target: str | None = None) -> None:
    """Migrate to one of the ledger's migrations, or to the newest."""
    call_command("migrate", *(["transactions", target] if target else []), verbosity=0)


def uniques() -> dict[str, str]:
    """Return how each index of the references is made, by its name."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'transactions_transaction'"
            " AND indexdef LIKE '%%reference%%'"
        )
        return dict(cursor.fetchall())


def people() -> tuple[Wallet, Wallet]:
    """Two people of whom the first has sent under a reference of their own; sealed."""
    ada, chidi = UserFactory(), UserFactory()
    fund(ada, "100.00")
    fund(chidi, "100.00")
    send(main_wallet(ada), main_wallet(chidi))
    chain.seal()
    return main_wallet(ada), main_wallet(chidi)


def send(sender: Wallet, receiver: Wallet) -> None:
    happened(Post(replace(transfer_draft(sender, receiver, "10.00"), reference="rent/11")))


def rows() -> list[dict[str, object]]:
    return list(Transaction.objects.order_by("pk").values())


def test_there_and_back_every_row_stays_and_its_seal_holds() -> None:
    people()
    stored, made = rows(), uniques()
    migrate(BEFORE)
    assert set(uniques()) == {
        "transactions_transaction_reference_key",
        "transactions_transaction_reference_65ce6e73_like",
    }
    assert rows() == stored
    migrate(AFTER)
    assert (rows(), uniques()) == (stored, made)
    assert list(made) == ["transaction_reference_once_per_sender"]
    migrate()
    assert verify(with_seals=True).findings == ()


def test_the_way_back_is_refused_once_two_senders_share_a_reference() -> None:
    ada, chidi = people()
    send(chidi, ada)
    stored, made = rows(), uniques()
    with pytest.raises(IntegrityError, match="transactions_transaction_reference_key"):
        migrate(BEFORE)
    assert (rows(), uniques()) == (stored, made)
    migrate()
    assert verify(with_seals=True).findings == ()


def test_the_index_of_histories_is_changed_there_and_back_and_after_a_run_that_broke_off() -> None:
    people()
    assert histories() == {"entry_history_of_wallet": True}
    migrate("0018")
    assert histories() == {"entry_wallet_history": True}
    with connections["owner"].cursor() as cursor, pytest.raises(IntegrityError):
        cursor.execute(
            "CREATE UNIQUE INDEX CONCURRENTLY entry_history_of_wallet ON transactions_ledgerentry (currency)"
        )
    assert histories() == {"entry_wallet_history": True, "entry_history_of_wallet": False}
    migrate("0019")
    assert histories() == {"entry_history_of_wallet": True}


def test_the_index_of_rare_movements_is_made_there_and_back_and_after_a_run_that_broke_off() -> None:
    people()
    name = "transaction_out_of_ordinary"
    assert indexes(name, columns=2) == {name: True}
    migrate("0023")
    assert indexes(name, columns=2) == {}
    with connections["owner"].cursor() as cursor, pytest.raises(IntegrityError):
        cursor.execute(f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON transactions_transaction (currency)")
    assert indexes(name, columns=2) == {name: False}
    migrate()
    assert indexes(name, columns=2) == {name: True}
    assert verify().findings == ()


def indexes(*names: str, columns: int) -> dict[str, bool]:
    """Return which of these indexes there are, and whether each is valid and has so many columns."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, i.indisvalid AND i.indnatts = %s FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " WHERE c.relname = ANY(%s)",
            [columns, list(names)],
        )
        return dict(cursor.fetchall())


def histories() -> dict[str, bool]:
    """Return the indexes of wallets' histories, and whether each is as it should be."""
    return indexes("entry_history_of_wallet", "entry_wallet_history", columns=3)


class TestReversedCredits:
    """Parked credits before and after they could be reversed."""

    def rules(self) -> set[str]:
        """Return the names of the table's CHECKs, and of the triggers about it."""
        with connections["owner"].cursor() as cursor:
            cursor.execute(
                "SELECT conname FROM pg_constraint WHERE contype = 'c'"
                " AND conrelid = 'transactions_parkedcredit'::regclass AND conname LIKE 'parked_until%%'"
                " UNION SELECT tgname FROM pg_trigger"
                " WHERE tgname IN ('ledger_parked_credit', 'ledger_reversed_credit')"
            )
            return {name for (name,) in cursor.fetchall()}

    def test_there_and_back_each_keeps_what_it_says(self) -> None:
        waiting, risen = UserFactory(), UserFactory()
        funding = parked_funding(waiting)
        parked_funding(risen)
        land(risen)
        stored = list(ParkedCredit.objects.order_by("pk").values())
        migrate("0021")
        assert self.rules() == {"parked_until_released"}
        migrate()
        assert self.rules() == {
            "parked_until_released_or_reversed", "ledger_parked_credit", "ledger_reversed_credit",
        }  # fmt: skip
        assert list(ParkedCredit.objects.order_by("pk").values()) == stored
        reverse(funding)
        assert verify().findings == ()

    def test_the_way_back_is_refused_once_one_was_reversed(self) -> None:
        reverse(parked_funding(UserFactory()))
        stored, made = list(ParkedCredit.objects.values()), self.rules()
        with pytest.raises(IntegrityError, match="reversed_credits_stay"):
            migrate("0021")
        assert (list(ParkedCredit.objects.values()), self.rules()) == (stored, made)
        migrate()
        assert verify().findings == ()


class TestRequests:
    """Corrections that became requests like those of reversals and refunds, and back."""

    def test_the_way_back_is_refused_once_two_people_have_decided_a_reversal(self) -> None:
        ada, chidi = UserFactory(), UserFactory()
        fund(ada, "100.00")
        original = happened(Post(transfer_draft(main_wallet(ada), main_wallet(chidi), "10.00")))
        request = asked_for(original, ManagerFactory())
        book_undoing(undoing_id=request.pk, checker=StaffFactory(), reason="seen", now=clock.now())
        with pytest.raises(IntegrityError, match="approvals_stay"):
            migrate("0020")
        assert Undoing.objects.get().status == "approved"
        migrate()
        assert verify().findings == ()

    def corrections(self) -> list[tuple[object, ...]]:
        """Return every correction as the table of before has it."""
        with connections["owner"].cursor() as cursor:
            cursor.execute(
                "SELECT id, wallet_id, direction, amount, currency, effective_at, reason, status, requested_by_id,"
                " requested_at, decided_by_id, decided_at, transaction_id FROM transactions_adjustment ORDER BY id"
            )
            return cursor.fetchall()

    def test_there_and_back_each_keeps_its_id_its_people_and_its_movement(self) -> None:
        ada, maker, checker = UserFactory(), ManagerFactory(), StaffFactory()
        fund(ada, "100.00")
        opened = main_wallet(ada).created_at
        waiting, refused, done = (asked(ada, maker, effective_at=at) for at in (None, None, opened))
        reject_adjustment(adjustment_id=refused.pk, checker=checker, reason="x", now=clock.now())
        booked(done, checker)
        stored = list(Adjustment.objects.order_by("pk").values())
        migrate("0020")
        told = self.corrections()
        assert [(row[0], row[7]) for row in told] == [
            (waiting.pk, "requested"), (refused.pk, "rejected"), (done.pk, "booked"),
        ]  # fmt: skip
        assert told[2][5] == opened
        with (
            pytest.raises(IntegrityError, match="adjustment_needs_two_people"),
            connections["owner"].cursor() as cursor,
        ):
            cursor.execute(
                "UPDATE transactions_adjustment SET decided_by_id = requested_by_id WHERE status = 'booked'"
            )
        migrate()
        assert list(Adjustment.objects.order_by("pk").values()) == stored
        assert verify().findings == ()
        migrate("0020")
        assert self.corrections() == told
        migrate()
        assert verify().findings == ()

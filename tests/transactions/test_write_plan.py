"""A business step looks rows up by their keys, however few there are, and is planned once: not for each movement."""

import pytest
from django.db import connection, transaction

from fintech_core import clock
from fintech_core.ids import uuid7
from tests.databases import owner_session
from tests.factories import UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import bill_draft, transfer_draft
from transactions.services import TransactionService
from users.models import User
from wallet.models import Wallet

PEOPLE = 4_000
# PostgreSQL plans a prepared statement five times, then keeps a plan, unless one for the very values looks cheaper.
TRIED, OFTEN = 5, 8
BUSY = 300

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def pair() -> tuple[Wallet, Wallet]:
    """Two wallets with money among some thousand: so few that to read them all looks cheap."""
    people = [User(email=f"p{number}@small.example", referral_code=f"S{number}") for number in range(PEOPLE)]
    User.objects.bulk_create(people)
    Wallet.objects.bulk_create(Wallet(id=uuid7(), owner=user, currency="NGN") for user in people)
    ada, bola = UserFactory(), UserFactory()
    fund(ada, "100.00")
    fund(bola, "100.00")
    with owner_session() as owner:  # nobody else may; and it sees what is committed only
        owner.execute("ANALYZE")
        ((known,),) = owner.execute("SELECT reltuples FROM pg_class WHERE relname = 'users_user'").fetchall()
    assert known > PEOPLE
    connection.close()  # the next session has no plan yet
    return main_wallet(ada), main_wallet(bola)


def so_far(figure: str, *tables: str) -> int:
    """Return what PostgreSQL has counted for these tables in this transaction; what is queued is written before."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT sum({figure}) FROM pg_stat_xact_user_tables WHERE relname = ANY(%s)", [list(tables)]
        )
        (count,) = cursor.fetchone()
    return int(count)


def tables_read_whole() -> int:
    """Count how often this transaction has read the table of wallets or of people from one end to the other."""
    return so_far("seq_scan", "wallet_wallet", "users_user")


def entries_read() -> int:
    """Count the entries that this transaction has looked up."""
    return so_far("idx_tup_fetch", "transactions_ledgerentry")


def statements_planned_each_time() -> list[str]:
    """Return the prepared statements for which PostgreSQL has not settled on one plan, though it has run them often."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements WHERE custom_plans > %s", [TRIED])
        return [statement for (statement,) in cursor.fetchall()]


class TestASmallLedger:
    def test_a_transfer_reads_no_table_as_a_whole(self, pair: tuple[Wallet, Wallet]) -> None:
        with transaction.atomic():
            for _ in range(OFTEN):
                TransactionService.post(transfer_draft(*pair, "1.00"), now=clock.now())
            assert tables_read_whole() == 0
        assert statements_planned_each_time() == []

    def test_neither_do_a_hold_and_its_end(self, pair: tuple[Wallet, Wallet]) -> None:
        with transaction.atomic():
            for _ in range(OFTEN):
                held = TransactionService.authorize(bill_draft(pair[0], "1.00"), now=clock.now())
                TransactionService.void(held, failure_code="declined", now=clock.now())
            assert tables_read_whole() == 0
        assert statements_planned_each_time() == []


class TestABusyWallet:
    def test_costs_a_posting_as_much_as_any_other(self, pair: tuple[Wallet, Wallet]) -> None:
        """PostgreSQL knows of wallets with an entry or two; what it plans must do for one with hundreds, too."""
        many = [transfer_draft(*pair, "0.01") for _ in range(BUSY)]
        with transaction.atomic():
            TransactionService.post_many(many, now=clock.now())
        connection.close()  # the next session plans its triggers anew, and knows no more of these wallets
        with transaction.atomic():
            TransactionService.post(transfer_draft(*pair, "1.00"), now=clock.now())
            once = entries_read()
            assert 0 < once < BUSY / 10
            TransactionService.post(transfer_draft(*pair, "1.00"), now=clock.now())
            assert entries_read() == 2 * once

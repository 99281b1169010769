"""Many postings at once are written in parts, each while the next is decided; together they are one step."""

from collections.abc import Iterator

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from fintech_core import clock
from tests.factories import UserFactory
from tests.transactions.money import main_wallet
from tests.transactions.story import bill_draft
from tests.transactions.test_post_many import balances, funded, post_each, post_many, transfer
from transactions.drafts import Authorize, Post
from transactions.errors import DuplicateReference, InsufficientFunds
from transactions.models import LedgerEntry, Transaction
from transactions.services import TransactionService, writing
from transactions.verification import verify
from users.models import User

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Write the first transfer of a batch as a part, then every second, and prove the ledger in the end."""
    monkeypatch.setattr(writing, "FIRST_PART_ENTRIES", 2)
    monkeypatch.setattr(writing, "PART_ENTRIES", 4)
    yield
    assert verify().findings == ()


@pytest.fixture
def ada() -> User:
    """Somebody with ₦100."""
    return funded()


class TestParts:
    def test_wallets_of_several_parts_go_on_from_the_last(self, ada: User) -> None:
        bola, chidi = funded("1.00"), UserFactory()
        drafts = [transfer(ada, bola, f"{n}.00") for n in range(1, 10)] + [transfer(bola, chidi, "46.00")]
        made = post_many(*drafts)
        assert balances(ada, bola, chidi) == [55, 0, 46]
        stored = Transaction.objects.in_bulk([row.pk for row in made])
        for row in made:
            assert {name: getattr(stored[row.pk], name) for name in row.__dict__ if name != "_state"} == {
                name: value for name, value in row.__dict__.items() if name != "_state"
            }
        assert len({row.created_at for row in made}) == 1
        lines = LedgerEntry.objects.filter(wallet=main_wallet(bola)).order_by("wallet_version")
        assert [line.wallet_version for line in lines] == list(range(1, 12))
        assert main_wallet(bola).last_entry_at == made[0].created_at

    def test_a_refusal_in_the_last_part_leaves_nothing_of_the_first(self, ada: User) -> None:
        bola = UserFactory()
        with pytest.raises(InsufficientFunds):
            post_many(*[transfer(ada, bola, "10.00") for _ in range(11)])
        assert balances(ada, bola) == [100, 0]
        assert post_many(transfer(ada, bola, "100.00"))

    def test_what_only_the_database_knows_is_still_told_by_its_name(self, ada: User) -> None:
        bola = UserFactory()
        plain = [transfer(ada, bola, "1.00") for _ in range(7)]
        post_many(*plain[:1], transfer(ada, bola, "1.00", "rent-1"))
        with pytest.raises(DuplicateReference):
            post_many(*plain[1:], transfer(ada, bola, "1.00", "rent-1"))
        with pytest.raises(DuplicateReference):
            post_many(transfer(ada, bola, "1.00", "rent-1"), *plain[1:])
        assert balances(ada, bola) == [98, 2]

    def test_what_it_may_refuse_is_written_in_parts_like_everything(self, ada: User) -> None:
        drafts = [transfer(ada, UserFactory(), "1.00", f"rent-{number}") for number in range(5)]
        with CaptureQueriesContext(connection) as asked:
            post_many(*drafts)
        assert sum("INSERT INTO transactions_ledgerentry" in query["sql"] for query in asked) == 3

    def test_the_first_is_short_so_that_the_server_begins(self, ada: User) -> None:
        made = post_many(*[transfer(ada, UserFactory(), "1.00") for _ in range(6)])
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM transactions_transaction WHERE id = ANY(%s)"
                " GROUP BY cmin::text::int ORDER BY cmin::text::int",
                [[row.pk for row in made]],
            )
            assert [count for (count,) in cursor.fetchall()] == [1, 2, 2, 1]

    def test_each_on_its_own_goes_round_what_is_refused(self, ada: User) -> None:
        bola = UserFactory()
        amounts = ["30.00", "80.00", "30.00", "80.00", "30.00", "80.00", "9.00", "2.00", "1.00"]
        outcomes = post_each(*[transfer(ada, bola, amount) for amount in amounts])
        moved = [
            amount for amount, one in zip(amounts, outcomes, strict=True) if isinstance(one, Transaction)
        ]
        assert moved == ["30.00", "30.00", "30.00", "9.00", "1.00"]
        assert balances(ada, bola) == [0, 100]

    def test_a_fault_of_a_part_is_raised_and_nothing_is_kept(self, ada: User) -> None:
        bola = UserFactory()
        drafts = [transfer(ada, bola, "1.00") for _ in range(9)]
        with pytest.raises(IntegrityError):
            post_many(*drafts[:3], drafts[0], *drafts[3:])  # the same id twice
        assert balances(ada, bola) == [100, 0]

    def test_a_savepoint_takes_all_parts_back(self, ada: User) -> None:
        bola = UserFactory()
        with transaction.atomic():
            with pytest.raises(InsufficientFunds), transaction.atomic():
                TransactionService.post_many(
                    [transfer(ada, bola, "10.00") for _ in range(11)], now=clock.now()
                )
            TransactionService.post_many([transfer(ada, bola, "10.00")], now=clock.now())
        assert balances(ada, bola) == [90, 10]

    def test_holds_and_postings_in_one_step_are_written_at_once(self, ada: User) -> None:
        bola = UserFactory()
        operations = [Post(transfer(ada, bola, "1.00")) for _ in range(6)]
        with transaction.atomic():
            TransactionService.apply(
                [*operations, Authorize(bill_draft(main_wallet(ada), "5.00"))], now=clock.now()
            )
        wallet = main_wallet(ada)
        assert (wallet.balance, wallet.held) == (94, 5)

"""The last of a daily limit, asked for by many at once, while holds take of it and give back."""

from decimal import Decimal

import pytest

from fintech_core import clock
from tests.concurrency.racing import DONE, hold, race, send, settle, void
from tests.factories import UserFactory
from tests.transactions.money import fund, main_wallet
from transactions.models import Transaction
from transactions.selectors import limits_of
from users.models import User

LIMIT = Decimal("50000.00")


@pytest.fixture
def ada() -> User:
    """A sender of tier 1, who may send 50,000 a day, has 200,000, and has sent all but the last 100."""
    user: User = UserFactory()
    fund(user, "200000.00")
    send(main_wallet(user), main_wallet(UserFactory()), "49900.00")
    return user


def daily(user: User) -> dict[str, str]:
    told: dict[str, str] = limits_of(user=user, at=clock.now())["NGN"]["daily"]
    return told


def gone(user: User) -> Decimal:
    """Return what has left the user's wallet or is promised, by the ledger itself."""
    rows = Transaction.objects.filter(from_user=user).exclude(status__in=("failed", "cancelled"))
    return sum(rows.values_list("amount", flat=True), Decimal(0))


class TestTheLastOfALimit:
    def test_lesson_11_20_sends_of_100_against_the_last_100(self, ada: User) -> None:
        wallet, chidi = main_wallet(ada), main_wallet(UserFactory())
        assert daily(ada)["remaining"] == "100.00"
        assert race(20, lambda _: send(wallet, chidi, "100.00")) == {DONE: 1, "limit_exceeded": 19}
        assert (daily(ada)["used"], daily(ada)["remaining"]) == ("50000.00", "0.00")
        assert gone(ada) == LIMIT

    def test_20_sends_of_30_pass_three_and_leave_the_rest(self, ada: User) -> None:
        wallet, chidi = main_wallet(ada), main_wallet(UserFactory())
        assert race(20, lambda _: send(wallet, chidi, "30.00")) == {DONE: 3, "limit_exceeded": 17}
        assert (daily(ada)["used"], daily(ada)["remaining"]) == ("49990.00", "10.00")

    def test_sends_beside_holds_never_pass_it(self, ada: User) -> None:
        wallet, chidi = main_wallet(ada), main_wallet(UserFactory())
        outcomes = race(20, lambda n: send(wallet, chidi, "60.00") if n % 2 else hold(wallet, "60.00"))
        assert outcomes == {DONE: 1, "limit_exceeded": 19}
        assert gone(ada) == LIMIT - 40

    def test_what_a_void_gives_back_is_sent_once(self, ada: User) -> None:
        """Twenty sends while the hold of the last 100 is given back: at most one of them comes through."""
        wallet, chidi = main_wallet(ada), main_wallet(UserFactory())
        held = hold(wallet, "100.00")
        assert daily(ada)["remaining"] == "0.00"
        outcomes = race(21, lambda n: void(held) if n == 10 else send(wallet, chidi, "100.00"))
        assert outcomes[DONE] in {1, 2}
        assert outcomes["limit_exceeded"] == 21 - outcomes[DONE]
        sent = outcomes[DONE] - 1
        assert gone(ada) == LIMIT - 100 + 100 * sent
        assert daily(ada)["remaining"] == f"{100 - 100 * sent:.2f}"
        after = race(20, lambda _: send(wallet, chidi, "100.00"))
        assert after[DONE] == 1 - sent
        assert gone(ada) == LIMIT

    def test_what_a_capture_leaves_is_given_back_once(self, ada: User) -> None:
        wallet, chidi = main_wallet(ada), main_wallet(UserFactory())
        kept, freed = hold(wallet, "60.00"), hold(wallet, "40.00")
        race(2, lambda n: settle(kept, wallet) if n else void(freed))
        assert daily(ada)["remaining"] == "40.00"
        assert race(20, lambda _: send(wallet, chidi, "40.00")) == {DONE: 1, "limit_exceeded": 19}
        assert gone(ada) == LIMIT

"""Redeeming: exact amounts from one wallet of a customer to the other, once."""

from decimal import Decimal

import pytest
from django.db import transaction

from cashback import services
from fintech_core import clock
from fintech_core.exceptions import DomainError, NotFound
from notifications.models import Event
from tests.cashback.offers import books, cashback_wallet, earn, purse
from tests.factories import StaffFactory, UnverifiedUserFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from tests.users.parallel import in_parallel
from transactions.enums import ParkedCreditStatus
from transactions.errors import InsufficientFunds, RecipientCannotReceive, WalletFrozen
from transactions.models import LedgerEntry, ParkedCredit, Transaction
from transactions.verification import verify
from users.models import User
from wallet.models import Wallet
from wallet.services import ensure_cashback_wallet, freeze_wallet, open_wallet


def redeem(user: User, amount: str | None = None, currency: str = "NGN") -> Transaction:
    """Redeem as the API does."""
    wanted = None if amount is None else Decimal(amount)
    return services.redeem(user=user, amount=wanted, currency=currency, now=clock.now())


def earner(amount: str = "100.00", **facts: object) -> User:
    """A customer with cashback and an empty main wallet."""
    user: User = UserFactory(**{"kyc_tier": 3, **facts})
    earn(user, amount)
    return user


@pytest.mark.django_db
class TestAmounts:
    def test_everything_is_moved_when_no_amount_is_said(self) -> None:
        user = earner("120.55")
        moved = redeem(user)
        assert (moved.amount, moved.fee, moved.currency) == (Decimal("120.55"), 0, "NGN")
        assert purse(user) == (Decimal("120.55"), 0)
        assert verify().findings == ()

    def test_a_part_leaves_the_rest(self) -> None:
        user = earner("120.55")
        redeem(user, "20.05")
        assert purse(user) == (Decimal("20.05"), Decimal("100.50"))
        redeem(user, "100.50")
        assert purse(user) == (Decimal("120.55"), 0)

    def test_the_entries_say_from_where_to_where(self) -> None:
        user = earner()
        moved = redeem(user, "40.00")
        lines = LedgerEntry.objects.filter(transaction=moved).select_related("account").order_by("id")
        assert sorted((line.account.code, line.direction, line.wallet_id) for line in lines) == [
            ("cashback_wallets", "debit", cashback_wallet(user).pk),
            ("customer_wallets", "credit", main_wallet(user).pk),
        ]
        stored = Transaction.objects.get(pk=moved.pk)
        assert (stored.type, stored.from_user_id, stored.to_user_id, stored.initiated_by_id) == (
            "cashback_redemption",
            user.pk,
            user.pk,
            user.pk,
        )

    def test_it_is_told_once(self) -> None:
        user = earner()
        moved = redeem(user)
        [event] = Event.objects.filter(type="cashback.redeemed", user_id=user.pk)
        assert event.payload == {
            "amount": "100.00",
            "currency": "NGN",
            "transaction_id": str(moved.pk),
            "reference": moved.reference,
        }

    def test_it_counts_against_no_limit(self) -> None:
        user = earner()
        before = main_wallet(user).spent_today, cashback_wallet(user).spent_today
        redeem(user)
        assert (main_wallet(user).spent_today, cashback_wallet(user).spent_today) == before


@pytest.mark.django_db
class TestRefusals:
    """A refusal moves nothing, tells nothing and opens no wallet."""

    @staticmethod
    def is_refused(user: User, refusal: type[DomainError], *given: str) -> DomainError:
        before = books(), Wallet.objects.count()
        with pytest.raises(refusal) as told, transaction.atomic():
            redeem(user, *given)
        assert (books(), Wallet.objects.count()) == before
        return told.value

    def test_somebody_who_never_earned_has_nothing(self) -> None:
        told = self.is_refused(UserFactory(), InsufficientFunds)
        assert (told.detail, told.facts) == (
            "There is no cashback to redeem.",
            {"available": "0.00", "currency": "NGN"},
        )

    @pytest.mark.parametrize("amount", [[], ["1.00"]])
    def test_an_empty_wallet_has_nothing(self, amount: list[str]) -> None:
        user = UserFactory()
        ensure_cashback_wallet(user_id=user.pk, currency="NGN")
        assert self.is_refused(user, InsufficientFunds, *amount).facts["available"] == "0.00"

    def test_a_kobo_more_than_there_is(self) -> None:
        told = self.is_refused(earner("100.00"), InsufficientFunds, "100.01")
        assert told.facts == {"available": "100.00", "required": "100.01", "currency": "NGN"}

    def test_a_currency_without_a_main_wallet_is_not_found(self) -> None:
        self.is_refused(earner(), NotFound, "1.00", "USD")

    def test_cashback_of_one_currency_is_not_there_in_another(self) -> None:
        user = earner()
        open_wallet(user=user, currency="USD")
        self.is_refused(user, InsufficientFunds, "1.00", "USD")

    @pytest.mark.parametrize("status", ["frozen", "no_debit"])
    @pytest.mark.parametrize("amount", [[], ["1.00"]])
    def test_a_stopped_cashback_wallet_gives_nothing(self, status: str, amount: list[str]) -> None:
        user = earner()
        wallet = cashback_wallet(user)
        freeze_wallet(wallet_id=wallet.pk, actor=StaffFactory(), reason="alert", status=status)
        assert self.is_refused(user, WalletFrozen, *amount).facts == {"wallet_status": status}

    def test_a_frozen_main_wallet_is_told_as_the_customers_own(self) -> None:
        user = earner()
        freeze_wallet(wallet_id=main_wallet(user).pk, actor=StaffFactory(), reason="alert")
        told = self.is_refused(user, WalletFrozen)
        assert (told.status, told.facts) == (403, {"wallet_status": "frozen"})

    def test_a_main_wallet_that_only_receives_takes_it(self) -> None:
        user = earner()
        wallet = main_wallet(user)
        freeze_wallet(wallet_id=wallet.pk, actor=StaffFactory(), reason="alert", status="no_debit")
        redeem(user)
        assert purse(user) == (100, 0)

    def test_a_main_wallet_that_would_be_too_full_says_so(self) -> None:
        user = earner("100.00")
        User.objects.filter(pk=user.pk).update(kyc_tier=0)
        fund(user, "49950.00")
        told = self.is_refused(user, RecipientCannotReceive)
        assert told.detail == "Your main wallet would hold more than your tier allows."
        redeem(user, "50.00")
        assert purse(user) == (50_000, 50)

    def test_nothing_is_parked_of_what_is_the_customers_already(self) -> None:
        user = earner("100.00")
        User.objects.filter(pk=user.pk).update(kyc_tier=0)
        fund(user, "49950.00")
        self.is_refused(user, RecipientCannotReceive)
        assert not ParkedCredit.objects.filter(status=ParkedCreditStatus.PARKED).exists()

    def test_somebody_unverified_may_redeem(self) -> None:
        user = earner()
        User.objects.filter(pk=user.pk).update(kyc_tier=UnverifiedUserFactory().kyc_tier)
        redeem(user)
        assert purse(user) == (100, 0)


@pytest.mark.usefixtures("committed_db")
class TestRaces:
    @staticmethod
    def race(count: int, user: User, amount: str | None) -> list[str]:
        """Redeem ``count`` times at once and return what came of each."""

        def work(_: int) -> str:
            try:
                return f"{redeem(user, amount).amount:.2f}"
            except DomainError as refusal:
                return refusal.code

        return sorted(in_parallel(count, work))

    def test_of_20_who_redeem_everything_exactly_one_succeeds(self) -> None:
        user = earner("100.00")
        assert self.race(20, user, None) == ["100.00"] + ["insufficient_funds"] * 19
        assert purse(user) == (100, 0)
        assert verify().findings == ()

    def test_of_20_who_redeem_the_whole_amount_exactly_one_succeeds(self) -> None:
        user = earner("100.00")
        assert self.race(20, user, "100.00") == ["100.00"] + ["insufficient_funds"] * 19
        assert purse(user) == (100, 0)

    def test_parts_never_add_up_to_more_than_there_was(self) -> None:
        user = earner("100.00")
        assert self.race(12, user, "30.00") == ["30.00"] * 3 + ["insufficient_funds"] * 9
        assert purse(user) == (90, 10)
        assert verify().findings == ()

    def test_everything_is_what_is_there_once_the_wallet_is_locked(self) -> None:
        user = earner("100.00")

        def work(number: int) -> str:
            try:
                return f"{redeem(user, '30.00' if number else None).amount:.2f}"
            except InsufficientFunds:
                return "none"

        outcomes = in_parallel(2, work)
        assert sorted(outcomes) in (["100.00", "none"], ["30.00", "70.00"])
        assert purse(user) == (100, 0)

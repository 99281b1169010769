"""The balance at a past instant, by either clock, against adding up every entry by hand."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from fintech_core import clock
from tests.concurrency.racing import under_way
from tests.factories import StaffFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from transactions.drafts import TransactionDraft, credit_account, credit_wallet, debit_account, debit_wallet
from transactions.enums import BalanceClock, Direction
from transactions.models import LedgerEntry, Transaction
from transactions.services import TransactionService
from transactions.statements import past
from users.models import User
from wallet.models import Wallet

pytestmark = pytest.mark.django_db
TICK = timedelta(microseconds=1)


def corrected(owner: User, amount: str, *, effective_at: datetime | None) -> Transaction:
    """Book a correction, a positive one into the wallet, a negative one out of it."""
    wallet, value = main_wallet(owner), abs(Decimal(amount))
    into = Decimal(amount) > 0
    legs = (
        (debit_account("adjustments", value, "NGN"), credit_wallet(wallet.pk, value, "NGN"))
        if into
        else (debit_wallet(wallet.pk, value, "NGN"), credit_account("adjustments", value, "NGN"))
    )
    draft = TransactionDraft(
        type="adjustment", currency="NGN", amount=value, legs=legs, effective_at=effective_at,
        to_wallet_id=wallet.pk if into else None, from_wallet_id=None if into else wallet.pk,
        to_user_id=owner.pk if into else None, from_user_id=None if into else owner.pk,
    )  # fmt: skip
    with transaction.atomic():
        return TransactionService.post(draft, now=clock.now())


def by_hand(wallet: Wallet, at: datetime, by: BalanceClock) -> Decimal:
    """Add up every entry that counts at an instant."""
    total = Decimal(0)
    for entry in LedgerEntry.objects.filter(wallet=wallet):
        counts = entry.created_at
        if by == BalanceClock.EFFECTIVE and entry.effective_at is not None:
            counts = entry.effective_at
        if counts <= at:
            total += entry.amount if entry.direction == Direction.CREDIT else -entry.amount
    return total


def instants(wallet: Wallet) -> set[datetime]:
    """Name every instant at which a balance may change, and the ones right beside it."""
    times: set[datetime] = set()
    for created_at, effective_at in LedgerEntry.objects.filter(wallet=wallet).values_list(
        "created_at", "effective_at"
    ):
        times |= {created_at} | ({effective_at} if effective_at else set())
    return {moment + shift for moment in times for shift in (-TICK, timedelta(0), TICK)}


# A movement in kobo, and to which of the entries before it it is dated: back to it, a tick beside it, or after now.
MOVES = st.tuples(
    st.integers(-500, 1_000).filter(bool), st.none() | st.integers(0, 12), st.integers(-1, 1), st.booleans()
)


class TestAgainstAddingUp:
    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(st.lists(MOVES, max_size=12))
    def test_both_clocks_agree_with_every_entry_added_up_by_hand(self, moves: list[tuple]) -> None:
        with transaction.atomic():
            owner = UserFactory()
            fund(owner, "100.00")
            for kobo, dated_to, shift, ahead in moves:
                wallet = main_wallet(owner)
                if wallet.balance + Decimal(kobo) / 100 < 0:
                    continue
                times = sorted(instants(wallet))
                effective_at = None if dated_to is None else times[dated_to % len(times)] + shift * TICK
                if effective_at is not None and ahead:
                    effective_at += timedelta(hours=1)
                corrected(owner, f"{Decimal(kobo) / 100}", effective_at=effective_at)
            wallet = main_wallet(owner)
            for at in instants(wallet):
                for by in BalanceClock:
                    assert past.balance_at(wallet=wallet, at=at, by=by) == by_hand(wallet, at, by), (at, by)
            transaction.set_rollback(True)

    def test_several_entries_of_one_instant_count_together(self) -> None:
        owner, friend = UserFactory(), UserFactory()
        fund(owner, "100.00")
        ours, theirs = main_wallet(owner), main_wallet(friend)
        with transaction.atomic():
            drafts = [
                TransactionDraft(
                    type="transfer", currency="NGN", amount=Decimal(amount),
                    legs=(debit_wallet(ours.pk, Decimal(amount), "NGN"),
                          credit_wallet(theirs.pk, Decimal(amount), "NGN")),
                    from_wallet_id=ours.pk, to_wallet_id=theirs.pk,
                    from_user_id=owner.pk, to_user_id=friend.pk,
                ) for amount in ("10.00", "20.00")
            ]  # fmt: skip
            sent = [TransactionService.post(draft, now=clock.now()) for draft in drafts]
        at = sent[-1].created_at
        assert past.balance_at(wallet=ours, at=at, by=BalanceClock.RECORDED) == 70

    def test_b_snapshot_a_correction_recorded_later_and_effective_before_counts_by_one_clock(self) -> None:
        owner = UserFactory()
        funded = fund(owner, "100.00")
        between = clock.now()
        corrected(owner, "-30.00", effective_at=funded.created_at)
        wallet = main_wallet(owner)
        assert past.balance_at(wallet=wallet, at=between, by=BalanceClock.RECORDED) == 100
        assert past.balance_at(wallet=wallet, at=between, by=BalanceClock.EFFECTIVE) == 70

    def test_medici_117_the_reversal_of_a_dated_correction_leaves_every_balance_right(self) -> None:
        owner = UserFactory()
        funded = fund(owner, "100.00")
        booked = corrected(owner, "50.00", effective_at=funded.created_at - timedelta(days=2))
        with transaction.atomic():
            TransactionService.reverse(booked, actor=StaffFactory(), reason="mistaken", now=clock.now())
        wallet = main_wallet(owner)
        for at in instants(wallet) | {clock.now()}:
            for by in BalanceClock:
                assert past.balance_at(wallet=wallet, at=at, by=by) == by_hand(wallet, at, by)
        assert past.balance_at(wallet=wallet, at=clock.now(), by=BalanceClock.EFFECTIVE) == 100


@pytest.mark.concurrency
class TestPostingUnderWay:
    def test_is_waited_for_when_its_recorded_time_may_lie_before_the_instant(
        self, committed_db: None
    ) -> None:
        owner = UserFactory()
        fund(owner, "100.00")
        with under_way(lambda: corrected(owner, "-30.00", effective_at=None)):
            at = clock.now()
            told = past.balance_at(wallet=main_wallet(owner), at=at, by=BalanceClock.RECORDED)
        assert told == 70
        assert past.balance_at(wallet=main_wallet(owner), at=at, by=BalanceClock.RECORDED) == told

    def test_is_not_waited_for_when_the_instant_is_long_past(self, committed_db: None) -> None:
        owner = UserFactory()
        fund(owner, "100.00")
        at = clock.now() - timedelta(hours=1)
        wallet = main_wallet(owner)
        with transaction.atomic():
            list(Wallet.objects.select_for_update(no_key=True).filter(pk=wallet.pk))
            told: list[Decimal] = []

            def ask() -> None:
                told.append(past.balance_at(wallet=wallet, at=at, by=BalanceClock.RECORDED))
                connection.close()

            asker = threading.Thread(target=ask)
            asker.start()
            asker.join(5)
            assert told == [0]


class TestRoute:
    PATH = "/api/v1/wallet/balance/at"

    def test_tells_the_balance_with_its_currency_and_the_instant(self, api: Callable[..., APIClient]) -> None:
        owner = UserFactory()
        fund(owner, "100.00")
        between = clock.now()
        fund(owner, "20.00")
        answer = api(owner).get(self.PATH, {"currency": "NGN", "at": between.isoformat()})
        assert answer.status_code == 200, answer.content
        assert answer.json() == {
            "balance": "100.00",
            "currency": "NGN",
            "at": between.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        before = (between - timedelta(days=3650)).isoformat()
        assert api(owner).get(self.PATH, {"at": before}).json()["balance"] == "0.00"

    def test_the_effective_clock_counts_a_correction_from_its_date(
        self, api: Callable[..., APIClient]
    ) -> None:
        owner = UserFactory()
        funded = fund(owner, "100.00")
        corrected(owner, "5.00", effective_at=funded.created_at - timedelta(days=1))
        query = {"at": (funded.created_at - timedelta(hours=1)).isoformat()}
        recorded = api(owner).get(self.PATH, query).json()["balance"]
        effective = api(owner).get(self.PATH, {**query, "clock": "effective"}).json()["balance"]
        assert (recorded, effective) == ("0.00", "5.00")

    @pytest.mark.parametrize(
        ("query", "field", "code"),
        [
            ({}, "at", "required"),
            ({"at": "2026-01-01"}, "at", "invalid"),
            ({"at": "2999-01-01T00:00:00Z"}, "at", "in_the_future"),
            ({"at": "2026-01-01T00:00:00Z", "clock": "lunar"}, "clock", "invalid_choice"),
            ({"at": "2026-01-01T00:00:00Z", "currency": "XXX"}, "currency", "invalid_currency"),
            ({"at": "2026-01-01T00:00:00Z", "wallet": str(uuid4())}, "wallet", "unknown_parameter"),
        ],
    )
    def test_refuses_what_it_does_not_understand(
        self, api: Callable[..., APIClient], query: dict, field: str, code: str
    ) -> None:
        answer = api(UserFactory()).get(self.PATH, query)
        assert answer.status_code == 400, answer.content
        assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [(field, code)]

    def test_1_01_shows_ones_own_wallet_alone(self, api: Callable[..., APIClient]) -> None:
        fund(UserFactory(), "100.00")
        at = clock.now().isoformat()
        assert api(UserFactory()).get(self.PATH, {"at": at}).json()["balance"] == "0.00"
        assert api(UserFactory()).get(self.PATH, {"at": at, "currency": "USD"}).status_code == 404
        assert api().get(self.PATH, {"at": at}).status_code == 401

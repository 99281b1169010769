"""Fees: dated rules, exact to the smallest unit, charged in the same posting as the movement they are for."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from fintech_core import clock
from fintech_core.money import quantum
from tests.factories import StaffFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import bill_draft, happened
from transactions import chart, fees
from transactions.drafts import (
    Authorize,
    Capture,
    TransactionDraft,
    credit_account,
    credit_wallet,
    debit_wallet,
)
from transactions.errors import ChartViolation, FeeRuleRefused, InsufficientFunds
from transactions.models import FeeRule, Transaction
from transactions.receipts.reading import receipt_for
from transactions.rendering import NEWLY_MADE, render
from transactions.services import TransactionService
from transactions.services.fee_rules import add_fee_rule
from transactions.services.reshaping import with_fee
from transactions.verification import verify
from users.models import User
from wallet.models import Wallet

NOW = clock.now()
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_table() -> Iterator[None]:
    """Read the rules anew in each test, and in the one after it."""
    fees.forget()
    yield
    fees.forget()


def rule(**changes: Any) -> FeeRule:
    """Make a rule of 10 naira plus 1.5 %, at least 25 and at most 2,000, that is not stored."""
    figures: dict[str, Any] = {
        "type": "transfer", "currency": "NGN", "tier": None, "flat": Decimal(10), "basis_points": 150,
        "minimum": Decimal(25), "cap": Decimal(2_000), "saved_at": NOW - timedelta(days=2),
        "effective_from": NOW - timedelta(days=1),
    }  # fmt: skip
    return FeeRule(**{**figures, **changes})


def charge_transfers(**changes: Any) -> FeeRule:
    """Store a rule that holds by now."""
    stored = rule(**changes)
    stored.save(force_insert=True)
    fees.forget()
    return stored


def send(sender: User, recipient: User, amount: str) -> Transaction:
    with transaction.atomic():
        return TransactionService.transfer_money(
            sender=main_wallet(sender),
            recipient=main_wallet(recipient),
            amount=Decimal(amount),
            now=clock.now(),
        )


class TestCharge:
    @pytest.mark.parametrize(
        ("amount", "fee"),
        [
            ("0.01", "25"),
            ("1000.00", "25"),
            ("1000.33", "25.00"),
            ("1001.00", "25.02"),
            ("1000.34", "25.01"),
            ("5000.00", "85.00"),
            ("132666.66", "2000.00"),
            ("999999.99", "2000"),
        ],
    )
    def test_is_flat_and_percentage_between_minimum_and_cap(self, amount: str, fee: str) -> None:
        assert fees.charge(rule(), Decimal(amount)) == Decimal(fee)

    @pytest.mark.parametrize(
        ("currency", "amount", "fee"), [("NGN", "0.50", "0.00"), ("NGN", "1.50", "0.02"), ("JPY", "50", "0"),
                                        ("JPY", "150", "2"), ("KWD", "0.050", "0.000"), ("KWD", "0.150", "0.002")]
    )  # fmt: skip
    def test_a_percentage_is_rounded_half_to_even(self, currency: str, amount: str, fee: str) -> None:
        one_percent = rule(currency=currency, flat=Decimal(0), basis_points=100, minimum=Decimal(0), cap=None)
        assert fees.charge(one_percent, Decimal(amount)) == Decimal(fee)

    @given(
        st.sampled_from(["NGN", "JPY", "KWD"]), st.integers(1, 10**12), st.integers(0, 10_000),
        st.integers(0, 10**4), st.integers(0, 10**4), st.integers(0, 10**5) | st.none(),
    )  # fmt: skip
    def test_is_never_outside_its_bounds_and_never_finer_than_the_currency(
        self, currency: str, units: int, points: int, flat: int, least: int, room: int | None
    ) -> None:
        unit = quantum(currency)
        cap = None if room is None else (least + room) * unit
        found = fees.charge(
            rule(currency=currency, basis_points=points, flat=flat * unit, minimum=least * unit, cap=cap),
            units * unit,
        )
        assert found % unit == 0
        assert found >= least * unit
        assert cap is None or found <= cap
        exact = flat * unit + units * unit * points / 10_000
        if least * unit <= exact and (cap is None or exact <= cap):
            assert abs(found - exact) <= unit / 2


class TestRuleFor:
    def test_without_one_it_is_free(self) -> None:
        assert fees.fee_for(kind="refund", amount=Decimal(100), currency="NGN", tier=1, at=NOW) == 0

    def test_the_sample_is_free_in_every_currency(self) -> None:
        samples = FeeRule.objects.filter(type="transfer", tier=None)
        assert {row.currency for row in samples} >= {"NGN", "USD"}
        for row in samples:
            assert fees.charge(row, Decimal(10**6)) == 0

    def test_the_last_to_take_effect_holds_whether_it_names_the_tier_or_not(self) -> None:
        charge_transfers(tier=2, flat=Decimal(5), effective_from=NOW - timedelta(hours=5))
        charge_transfers(flat=Decimal(7), effective_from=NOW - timedelta(hours=4))
        for tier in (1, 2):
            found = fees.rule_for(kind="transfer", currency="NGN", tier=tier, at=NOW)
            assert found is not None
            assert found.flat == 7
        earlier = fees.rule_for(
            kind="transfer", currency="NGN", tier=2, at=NOW - timedelta(hours=4, seconds=1)
        )
        assert earlier is not None
        assert earlier.flat == 5

    def test_of_two_of_one_instant_the_one_that_names_the_tier_holds(self) -> None:
        charge_transfers(tier=3, flat=Decimal(1))
        charge_transfers(flat=Decimal(2))
        named = fees.rule_for(kind="transfer", currency="NGN", tier=3, at=NOW)
        other = fees.rule_for(kind="transfer", currency="NGN", tier=1, at=NOW)
        assert named is not None
        assert other is not None
        assert (named.flat, other.flat) == (1, 2)

    def test_it_holds_from_its_instant_on_and_for_its_currency_and_type_only(self) -> None:
        charge_transfers(effective_from=NOW)
        hundred = Decimal(100)
        at = {"amount": hundred, "tier": 1}
        assert fees.fee_for(kind="transfer", currency="NGN", at=NOW, **at) == 25
        assert fees.fee_for(kind="transfer", currency="NGN", at=NOW - timedelta(microseconds=1), **at) == 0
        assert fees.fee_for(kind="transfer", currency="USD", at=NOW, **at) == 0
        assert fees.fee_for(kind="withdrawal", currency="NGN", at=NOW, **at) == 0


class TestTransfer:
    def test_the_sender_pays_amount_and_fee_and_the_receiver_gets_the_amount(self) -> None:
        ada, chidi = UserFactory(), UserFactory()
        fund(ada, "10000.00")
        charge_transfers()
        sent = send(ada, chidi, "5000.00")
        assert (sent.amount, sent.fee) == (5000, 85)
        assert (main_wallet(ada).balance, main_wallet(chidi).balance) == (4915, 5000)
        lines = {
            (line.account.code, line.direction, line.wallet_id): line.amount for line in sent.entries.all()
        }
        assert lines == {
            ("customer_wallets", "debit", main_wallet(ada).pk): 5085,
            ("customer_wallets", "credit", main_wallet(chidi).pk): 5000,
            ("fees:transfer", "credit", None): 85,
        }
        assert verify().findings == ()

    def test_limits_count_the_amount_without_the_fee(self) -> None:
        ada, chidi = UserFactory(), UserFactory()
        fund(ada, "60000.00")
        charge_transfers()
        send(ada, chidi, "50000.00")
        assert main_wallet(ada).spent_today == 50_000

    def test_the_receiver_sees_no_fee(self) -> None:
        ada, chidi = UserFactory(), UserFactory()
        fund(ada, "10000.00")
        charge_transfers()
        sent = send(ada, chidi, "5000.00")
        seen_by = {user.pk: render(sent, viewer_id=user.pk, links=NEWLY_MADE) for user in (ada, chidi)}
        assert (seen_by[ada.pk]["fee"], seen_by[ada.pk]["total"]) == ("85.00", "5085.00")
        assert (seen_by[chidi.pk]["fee"], seen_by[chidi.pk]["total"]) == ("0.00", "5000.00")

    def test_a_balance_that_covers_the_amount_only_is_refused_and_nothing_changes(self) -> None:
        ada, chidi = UserFactory(), UserFactory()
        fund(ada, "5084.99")
        charge_transfers()
        with pytest.raises(InsufficientFunds) as refusal:
            send(ada, chidi, "5000.00")
        assert refusal.value.facts["required"] == "5085.00"
        wallet = main_wallet(ada)
        assert (wallet.balance, wallet.version, wallet.spent_today) == (Decimal("5084.99"), 1, 0)

    def test_the_tier_is_the_one_under_the_lock(self) -> None:
        ada, chidi = UserFactory(), UserFactory()
        fund(ada, "10000.00")
        charge_transfers(tier=2, flat=Decimal(0), basis_points=0, minimum=Decimal(0))
        charge_transfers()
        wallet = Wallet.objects.select_related("owner").get(owner=ada)
        User.objects.filter(pk=ada.pk).update(kyc_tier=2)
        with transaction.atomic():
            sent = TransactionService.transfer_money(
                sender=wallet, recipient=main_wallet(chidi), amount=Decimal(5_000), now=clock.now()
            )
        assert (wallet.owner.kyc_tier, sent.fee) == (1, 0)

    def test_a_reversal_gives_the_fee_back(self) -> None:
        ada, chidi, staff = UserFactory(), UserFactory(), StaffFactory()
        fund(ada, "10000.00")
        charge_transfers()
        sent = send(ada, chidi, "5000.00")
        with transaction.atomic():
            mirror = TransactionService.reverse(sent, actor=staff, reason="sent in error", now=clock.now())
        assert (main_wallet(ada).balance, main_wallet(chidi).balance) == (10_000, 0)
        assert verify().findings == ()
        seen = {user: render(mirror, viewer_id=user.pk, links=NEWLY_MADE) for user in (ada, chidi)}
        assert (seen[ada]["direction"], seen[ada]["amount"], seen[ada]["total"]) == (
            "in",
            "5085.00",
            "5085.00",
        )
        assert (seen[chidi]["direction"], seen[chidi]["amount"], seen[chidi]["total"]) == (
            "out", "5000.00", "5000.00",
        )  # fmt: skip
        kept = {user: receipt_for(user=user, transaction_id=mirror.pk) for user in (ada, chidi)}
        assert (kept[ada].total, kept[chidi].total) == (5085, 5000)

    def test_a_rule_costs_the_posting_no_statement(self) -> None:
        ada, chidi = UserFactory(), UserFactory()
        fund(ada, "10000.00")
        send(ada, chidi, "1.00")
        with CaptureQueriesContext(connection) as free:
            send(ada, chidi, "1.00")
        charge_transfers()
        send(ada, chidi, "1.00")
        with CaptureQueriesContext(connection) as charged:
            assert send(ada, chidi, "1.00").fee == 25
        assert len(charged) == len(free)


class TestHold:
    def test_a_charged_hold_covers_the_fee_which_its_capture_earns(self) -> None:
        ada, chidi = UserFactory(), UserFactory()
        fund(ada, "6000.00")
        charge_transfers()
        draft = replace(
            self.draft(ada), fee_by_rule=True, to_wallet_id=main_wallet(chidi).pk, to_user_id=chidi.pk
        )
        held = happened(Authorize(draft))
        assert (held.amount, held.fee, held.hold_amount) == (5000, 85, 5085)
        assert (main_wallet(ada).held, main_wallet(ada).spent_today) == (5085, 5000)
        legs = (
            debit_wallet(main_wallet(ada).pk, Decimal(5085), "NGN"),
            credit_wallet(main_wallet(chidi).pk, Decimal(5000), "NGN"),
            credit_account(chart.TRANSFER_FEES, Decimal(85), "NGN"),
        )
        happened(Capture(held.pk, legs, held.amount, held.fee))
        assert (main_wallet(ada).balance, main_wallet(ada).held, main_wallet(chidi).balance) == (915, 0, 5000)
        assert verify().findings == ()

    def test_a_charged_hold_that_the_fee_makes_too_dear_is_refused(self) -> None:
        ada = UserFactory()
        fund(ada, "5084.99")
        charge_transfers()
        with pytest.raises(InsufficientFunds):
            happened(Authorize(replace(self.draft(ada), fee_by_rule=True)))
        assert main_wallet(ada).held == 0

    @staticmethod
    def draft(payer: User) -> TransactionDraft:
        """Hold 5,000.00 for a transfer."""
        return replace(bill_draft(main_wallet(payer), "5000.00"), type="transfer")

    def test_a_fee_without_a_payer_is_a_bug(self) -> None:
        ada = UserFactory()
        nobody = replace(self.draft(ada), from_wallet_id=None)
        with pytest.raises(ChartViolation):
            with_fee(nobody, {}, NOW)


class TestAddFeeRule:
    FIGURES: dict[str, Any] = {
        "kind": "transfer", "currency": "NGN", "tier": None, "flat": Decimal(10), "basis_points": 150,
        "minimum": Decimal(0), "cap": None, "note": "from June on",
    }  # fmt: skip

    @pytest.mark.parametrize(
        "changes",
        [
            {"effective_from": timedelta(seconds=59)},
            {"effective_from": timedelta(seconds=-1)},
            {"kind": "withdrawal"},
            {"flat": Decimal("0.001")},
            {"cap": Decimal("2000.0001")},
            {"currency": "JPY", "minimum": Decimal("0.5")},
            {"currency": "XXX"},
            {"kind": "reversal"},
            {"flat": Decimal(-1)},
            {"minimum": Decimal("-0.01")},
            {"basis_points": -1},
            {"basis_points": 10_001},
            {"minimum": Decimal(5), "cap": Decimal("4.99")},
        ],
    )
    def test_a_wrong_one_is_refused_and_nothing_is_added(self, changes: dict[str, Any]) -> None:
        now, before = clock.now(), FeeRule.objects.count()
        effective_from = now + changes.pop("effective_from", timedelta(seconds=60))
        with pytest.raises(FeeRuleRefused):
            add_fee_rule(
                **{**self.FIGURES, **changes}, effective_from=effective_from, actor=StaffFactory(), now=now
            )
        assert FeeRule.objects.count() == before

    @pytest.mark.parametrize("tier", [None, 2])
    def test_a_second_of_one_instant_is_refused(self, tier: int | None) -> None:
        now, actor = clock.now(), StaffFactory()
        add_fee_rule(
            **{**self.FIGURES, "tier": tier}, effective_from=now + timedelta(hours=1), actor=actor, now=now
        )
        with pytest.raises(FeeRuleRefused):
            add_fee_rule(
                **{**self.FIGURES, "tier": tier},
                effective_from=now + timedelta(hours=1),
                actor=actor,
                now=now,
            )

    def test_the_database_refuses_a_second_for_every_tier_and_short_notice(self) -> None:
        charge_transfers()
        with pytest.raises(IntegrityError, match="fee_one_per_instant"), transaction.atomic():
            rule().save(force_insert=True)
        with pytest.raises(IntegrityError, match="fee_takes_effect_later"), transaction.atomic():
            rule(saved_at=NOW - timedelta(seconds=59), effective_from=NOW).save(force_insert=True)
        with pytest.raises(IntegrityError, match="fee_cap_is_above"), transaction.atomic():
            rule(tier=1, cap=Decimal(24)).save(force_insert=True)

"""Pure rules of bills: when to ask again, what a payment books, what a product may be bought for."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from billers import drafts, ladders
from billers.enums import BILL_SOURCES, AmountType, BillStatus
from billers.errors import (
    FAILURES,
    AmountNotAllowed,
    CurrencyNotSupported,
    failure_detail,
    public_failure,
)
from billers.models import BillAttempt, BillPayment, Product
from billers.providers.vtpass_codes import AFTER_PAY
from billers.services.pricing import require_amount, require_currency
from billers.services.readings import RETRIES
from fintech_core.ids import uuid7
from fintech_core.outcomes import Outcome
from transactions import chart
from transactions.enums import Direction

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WALLET = uuid7()
money = st.decimals(min_value="0.01", max_value="1000000", places=2)


class TestLadder:
    def asked_at(self) -> list[int]:
        """Return the seconds after which a payment is asked about, when every answer is unclear at once."""
        now, asked = NOW, []
        for checks in range(100):
            due = ladders.next_check(checks=checks, created_at=NOW, now=now)
            if due is None:
                break
            asked.append(int((due - NOW).total_seconds()))
            now = due
        return asked

    def test_asks_soon_then_seldom_then_hourly_for_a_day(self) -> None:
        asked = self.asked_at()
        pauses = [after - before for before, after in zip([0, *asked], asked, strict=False)]
        assert pauses[:8] == [5, 15, 30, 60, 120, 300, 600, 1800]
        assert set(pauses[8:-1]) == {3600}
        assert asked[-1] == 86_400
        assert len(asked) == 32

    def test_ends_with_a_person_after_a_day_however_few_answers_there_were(self) -> None:
        late = NOW + timedelta(hours=24)
        assert ladders.next_check(checks=0, created_at=NOW, now=late) is None
        assert ladders.next_check(checks=0, created_at=NOW, now=late - timedelta(seconds=1)) == late
        assert ladders.resolve_by(NOW) == late

    @pytest.mark.parametrize(
        ("production", "age_s", "readings", "is_met"),
        [
            (True, 900, 3, True), (True, 899, 3, False), (True, 900, 2, False), (True, 86_400, 1, False),
            (False, 5, 2, True), (False, 4, 2, False), (False, 5, 1, False),
        ],
    )  # fmt: skip
    def test_not_found_is_believed_late_and_only_when_it_was_said_often(
        self, settings: Settings, production: bool, age_s: int, readings: int, is_met: bool
    ) -> None:
        settings.PRODUCTION = production
        rule = ladders.not_found_rule()
        assert rule.is_met(sent_at=NOW, now=NOW + timedelta(seconds=age_s), readings=readings) is is_met


class TestPostings:
    @staticmethod
    def payment(amount: Decimal, fee: Decimal) -> BillPayment:
        return BillPayment(
            amount=amount, fee=fee, currency="NGN", vendor="vtpass", transaction_id=uuid7(), user_id=uuid7(),
            reference="BILL-1",
        )  # fmt: skip

    @given(money, st.just(Decimal(0)) | money, st.none() | money | st.sampled_from([Decimal(0), Decimal(-1)]))
    def test_a_capture_takes_the_whole_and_its_legs_balance(
        self, amount: Decimal, fee: Decimal, told: Decimal | None
    ) -> None:
        payment = self.payment(amount, fee)
        cost = drafts.believable_cost(told, amount)
        captured = drafts.capture(payment, wallet_id=WALLET, cost=cost)
        taken = [leg for leg in captured.legs if leg.wallet_id == WALLET]
        given_out = [leg for leg in captured.legs if leg.wallet_id is None]
        assert [(leg.direction, leg.amount) for leg in taken] == [(Direction.DEBIT, amount + fee)]
        assert sum(leg.amount for leg in given_out) == amount + fee == captured.amount + captured.fee
        assert all(leg.amount > 0 and leg.currency == "NGN" for leg in captured.legs)
        assert all(chart.allows("bill_payment", leg.account, leg.direction) for leg in captured.legs)
        assert Decimal(0) < cost <= amount

    def test_cost_commission_and_fee_have_accounts_of_their_own(self) -> None:
        captured = drafts.capture(
            self.payment(Decimal(1000), Decimal(50)), wallet_id=WALLET, cost=Decimal(985)
        )
        assert [(leg.account, leg.amount) for leg in captured.legs] == [
            ("customer_wallets", 1050), ("biller_float:vtpass", 985), ("biller_commission", 15),
            ("fees:bill_payment", 50),
        ]  # fmt: skip

    def test_what_is_delivered_late_is_a_loss_of_ours_once_for_each_order(self) -> None:
        attempt = BillAttempt(id=uuid7(), vendor="vtpass")
        draft = drafts.late_delivery_draft(
            self.payment(Decimal(1000), Decimal(50)), attempt, cost=Decimal(985)
        )
        assert [(leg.account, leg.direction, leg.amount) for leg in draft.legs] == [
            ("late_delivery", "debit", 985), ("biller_float:vtpass", "credit", 985),
        ]  # fmt: skip
        assert draft.source is not None
        assert (draft.source.kind, draft.source.id) == ("late_delivery", attempt.pk)
        assert not draft.counts_toward_limits
        assert draft.from_wallet_id is None

    def test_a_hold_is_the_whole_and_counts_against_the_limits(self) -> None:
        payment = self.payment(Decimal(1000), Decimal(50))
        draft = drafts.hold_draft(payment, wallet_id=WALLET, description="x" * 500)
        assert (draft.total, draft.legs, draft.counts_toward_limits) == (Decimal(1050), (), True)
        assert (draft.id, len(draft.description)) == (payment.transaction_id, 200)


class TestPrices:
    @staticmethod
    def product(**facts: Any) -> Product:
        limits = {"min_amount": Decimal(500), "max_amount": Decimal(1000)}
        return Product(**{"amount_type": AmountType.RANGE, "currency": "NGN", **limits, **facts})

    @pytest.mark.parametrize(
        ("amount", "lowest", "highest", "is_allowed"),
        [
            ("500", None, None, True), ("1000", None, None, True), ("499.99", None, None, False),
            ("1000.01", None, None, False), ("600", "700", None, False), ("700", "700", None, True),
            ("900", None, "800", False), ("400", "100", None, False), ("2000", None, "5000", False),
            ("700", "800", "600", False),
        ],
    )  # fmt: skip
    def test_a_range_is_narrowed_by_the_vendor_and_never_widened(
        self, amount: str, lowest: str | None, highest: str | None, is_allowed: bool
    ) -> None:
        bounds = {
            "lowest": Decimal(lowest) if lowest else None,
            "highest": Decimal(highest) if highest else None,
        }
        if is_allowed:
            require_amount(self.product(), Decimal(amount), **bounds)
        else:
            with pytest.raises(AmountNotAllowed):
                require_amount(self.product(), Decimal(amount), **bounds)

    @pytest.mark.parametrize(
        ("amount", "renewal", "is_allowed"),
        [("1900", None, True), ("1900.00", None, True), ("1700", "1700", True), ("1700", None, False),
         ("1800", "1700", False), ("1900", "1700", True)],
    )  # fmt: skip
    def test_a_price_is_the_price_or_the_renewal(
        self, amount: str, renewal: str | None, is_allowed: bool
    ) -> None:
        fixed = Product(amount_type=AmountType.FIXED, amount=Decimal("1900.0000"), currency="NGN")
        agreed = Decimal(renewal) if renewal else None
        if is_allowed:
            require_amount(fixed, Decimal(amount), renewal=agreed)
        else:
            with pytest.raises(AmountNotAllowed) as caught:
                require_amount(fixed, Decimal(amount), renewal=agreed)
            assert caught.value.facts["amount"] == "1900.00"

    def test_another_currency_is_refused(self) -> None:
        require_currency(self.product(), "NGN")
        with pytest.raises(CurrencyNotSupported):
            require_currency(self.product(), "USD")


class TestWords:
    def test_a_failed_payment_never_becomes_another(self) -> None:
        assert BillStatus.FAILED not in frozenset().union(*BILL_SOURCES.values())
        assert BILL_SOURCES[BillStatus.COMPLETED] == {BillStatus.PROCESSING}

    @pytest.mark.parametrize(
        "code", ["float_empty", "account_refused", "connect_failed", "service_suspended", ""]
    )
    def test_what_is_our_own_trouble_is_told_as_unavailable(self, code: str) -> None:
        assert public_failure(code) == "biller_unavailable"
        assert failure_detail(code) == FAILURES["biller_unavailable"]

    def test_every_definite_refusal_has_a_sentence_of_its_own(self) -> None:
        definite = {m.code for m in AFTER_PAY.values() if m.outcome in {Outcome.DECLINED, Outcome.REVERSED}}
        assert {code for code in definite if public_failure(code) != code} == set()

    def test_every_order_that_is_sent_again_ends_some_time(self) -> None:
        assert all(1 < retry.sends <= 3 for retry in RETRIES.values())
        assert RETRIES["likely_duplicate"].after_s > 30

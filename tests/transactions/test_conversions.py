"""Converting money: by a quote, once, each currency's side balanced; refused where nothing may change."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from fintech_core import clock
from fintech_core.exceptions import DomainError
from notifications.models import Event
from tests.factories import StaffFactory, UnverifiedUserFactory, UserFactory
from tests.transactions.money import PIN, fund, main_wallet, with_pin
from tests.transactions.story import happened, transfer_draft
from transactions import fees
from transactions.drafts import Post
from transactions.enums import Direction
from transactions.errors import InsufficientFunds, QuoteExpired, RecipientCannotReceive, WalletFrozen
from transactions.models import ConversionQuote, FeeRule, LedgerEntry, Transaction
from transactions.services import TransactionService, conversions
from transactions.tasks import forget_quotes
from transactions.verification import verify
from users.models import User
from wallet.models import Wallet
from wallet.services import freeze_wallet, open_wallet

pytestmark = pytest.mark.django_db
QUOTE, CONVERT = "/api/v1/wallet/convert/quote", "/api/v1/wallet/convert"
Api = Callable[..., APIClient]


@pytest.fixture
def ada() -> User:
    """Somebody of tier 3 with a PIN, NGN 200,000.00 and empty wallets in USD, JPY and KWD."""
    owner = with_pin(UserFactory(kyc_tier=3))
    for currency in ("USD", "JPY", "KWD"):
        open_wallet(user=owner, currency=currency)
    fund(owner, "200000.00")
    return owner


def quoted(owner: User, amount: str, given: str = "NGN", taken: str = "USD") -> ConversionQuote:
    return conversions.quote_conversion(
        user=owner, from_currency=given, to_currency=taken, amount=Decimal(amount), now=clock.now()
    )


def converted(owner: User, quote: ConversionQuote) -> Transaction:
    return conversions.convert(user=owner, quote_id=quote.pk, now=clock.now())


def books() -> tuple[object, ...]:
    return (
        list(Wallet.objects.order_by("pk").values_list("pk", "balance", "held", "version", "spent_today")),
        Transaction.objects.count(), LedgerEntry.objects.count(), Event.objects.count(),
        list(ConversionQuote.objects.order_by("pk").values_list("pk", "transaction")),
    )  # fmt: skip


class TestConverting:
    def test_moves_exactly_what_was_quoted_and_each_side_balances(self, ada: User) -> None:
        quote = quoted(ada, "155000.00")
        assert (quote.rate, quote.amount_to, quote.fee) == (Decimal("0.00063548"), Decimal("98.49"), 0)
        done = converted(ada, quote)
        assert (main_wallet(ada).balance, main_wallet(ada, "USD").balance) == (45_000, Decimal("98.49"))
        for currency in ("NGN", "USD"):
            sides = done.entries.filter(currency=currency).values("direction").annotate(total=Sum("amount"))
            assert len({row["total"] for row in sides}) == 1
        assert done.entries.filter(account__code="fx_position").count() == 2
        assert (done.converted_amount, done.converted_currency, done.conversion_rate) == (
            quote.amount_to, "USD", quote.rate,
        )  # fmt: skip
        stored = Transaction.objects.get(pk=done.pk)
        assert (stored.converted_amount, stored.converted_currency) == (quote.amount_to, "USD")
        assert Event.objects.get(type="conversion.completed", user_id=ada.pk).payload["amount_to"] == "98.49"
        assert verify().findings == ()

    @pytest.mark.parametrize(
        ("given", "taken"), [("JPY", "KWD"), ("KWD", "JPY"), ("USD", "JPY"), ("KWD", "NGN")]
    )
    def test_b_61_every_pair_keeps_each_currencys_decimals(self, ada: User, given: str, taken: str) -> None:
        converted(ada, quoted(ada, "100000.00", "NGN", given))
        held = main_wallet(ada, given).balance
        converted(ada, quoted(ada, f"{held}", given, taken))
        assert main_wallet(ada, given).balance == 0
        assert main_wallet(ada, taken).balance > 0
        assert verify().findings == ()

    def test_a_fee_by_rule_is_quoted_and_charged_in_the_same_posting(self, ada: User) -> None:
        now = clock.now()
        FeeRule.objects.create(
            type="conversion", currency="NGN", flat=Decimal(50), basis_points=100, minimum=0,
            saved_at=now - timedelta(days=1), effective_from=now - timedelta(hours=1),
        )  # fmt: skip
        fees.forget()
        quote = quoted(ada, "10000.00")
        done = converted(ada, quote)
        fees.forget()
        assert (quote.fee, done.fee, main_wallet(ada).balance) == (150, 150, 189_850)
        assert done.entries.get(account__code="fees:conversion").amount == 150
        assert verify().findings == ()

    def test_b_59_the_reversal_of_a_conversion_gives_both_sides_back(self, ada: User) -> None:
        done = converted(ada, quoted(ada, "155000.00"))
        with transaction.atomic():
            TransactionService.reverse(done, actor=StaffFactory(), reason="mistaken", now=clock.now())
        assert (main_wallet(ada).balance, main_wallet(ada, "USD").balance) == (200_000, 0)
        assert verify().findings == ()

    def test_counts_against_no_limit_of_sending(self, ada: User) -> None:
        converted(ada, quoted(ada, "150000.00"))
        assert main_wallet(ada).spent_today == 0

    def test_beside_other_movements_in_one_step_each_keeps_its_own_facts(self, ada: User) -> None:
        quote = quoted(ada, "1000.00")
        draft = conversions._draft(quote, main_wallet(ada), main_wallet(ada, "USD"))
        sent = transfer_draft(main_wallet(ada), main_wallet(UserFactory()), "5.00")
        with transaction.atomic():
            rows = TransactionService.apply([Post(sent), Post(draft)], now=clock.now())
        ConversionQuote.objects.filter(pk=quote.pk).update(transaction=rows[1])
        stored = [Transaction.objects.get(pk=row.pk).converted_currency for row in rows if row]
        assert stored == ["", "USD"]
        assert verify().findings == ()

    def test_ordinary_steps_run_the_statement_they_always_ran(self, ada: User) -> None:
        draft = transfer_draft(main_wallet(ada), main_wallet(UserFactory()), "5.00")
        with CaptureQueriesContext(connection) as captured:
            happened(Post(replace(draft, counts_toward_limits=False)))
        (written,) = [
            query["sql"] for query in captured.captured_queries if "new_transactions" in query["sql"]
        ]
        assert "conversions" not in written


class TestRefused:
    def test_a_quote_that_has_expired(self, ada: User) -> None:
        quote = quoted(ada, "1000.00")
        before = books()
        with pytest.raises(QuoteExpired):
            conversions.convert(user=ada, quote_id=quote.pk, now=quote.expires_at)
        assert books() == before
        conversions.convert(user=ada, quote_id=quote.pk, now=quote.expires_at - timedelta(microseconds=1))

    def test_more_than_is_there(self, ada: User) -> None:
        quote = quoted(ada, "200000.01")
        before = books()
        with pytest.raises(InsufficientFunds):
            converted(ada, quote)
        assert books() == before

    @pytest.mark.parametrize(
        ("currency", "refusal"), [("NGN", WalletFrozen), ("USD", RecipientCannotReceive)]
    )
    def test_a_wallet_that_is_frozen_on_either_side(
        self, ada: User, currency: str, refusal: type[DomainError]
    ) -> None:
        quote = quoted(ada, "1000.00")
        freeze_wallet(wallet_id=main_wallet(ada, currency).pk, actor=StaffFactory(), reason="fraud")
        before = books()
        with pytest.raises(refusal):
            converted(ada, quote)
        assert books() == before

    def test_more_than_the_tier_may_hold_of_the_other_currency(self, ada: User) -> None:
        User.objects.filter(pk=ada.pk).update(kyc_tier=1)
        fund(ada, "99000.00")
        converted(ada, quoted(ada, "290000.00"))
        fund(ada, "290000.00")
        quote = quoted(ada, "290000.00")
        before = books()
        with pytest.raises(RecipientCannotReceive):
            converted(ada, quote)
        assert books() == before


class TestRoutes:
    def quote(self, client: APIClient, amount: Any = "155000.00", **changes: Any) -> Any:
        body = {"from_currency": "NGN", "to_currency": "USD", "amount": amount}
        return client.post(QUOTE, {**body, **changes}, format="json")

    def convert(
        self, client: APIClient, quote_id: str, key: str | None = None, query: str = "", **changes: Any
    ) -> Any:
        headers = {"Idempotency-Key": key or str(uuid4())}
        return client.post(
            CONVERT + query, {"quote_id": quote_id, "pin": PIN, **changes}, format="json", headers=headers
        )

    def test_a_quote_and_then_the_transaction(self, api: Api, ada: User) -> None:
        quote = self.quote(api(ada))
        assert quote.status_code == 200, quote.content
        told = quote.json()
        assert (told["rate"], told["fee"], told["amount_to"]) == ("0.00063548", "0.00", "98.49")
        answer = self.convert(api(ada), told["quote_id"], key="k")
        assert answer.status_code == 201, answer.content
        body = answer.json()
        assert (body["type"], body["direction"], body["amount"], body["currency"]) == (
            "conversion", "self", "155000.00", "NGN",
        )  # fmt: skip
        assert body["conversion"] == {"amount_to": "98.49", "currency_to": "USD", "rate": "0.00063548"}
        again = self.convert(api(ada), told["quote_id"], key="k", pin="0000")
        assert (again.json(), again.headers["Idempotent-Replayed"]) == (body, "true")
        assert api(ada).get(f"/api/v1/transactions/{body['id']}").json()["conversion"] == body["conversion"]
        lines = api(ada).get("/api/v1/transactions/history?currency=USD").json()["results"]
        assert [(line["direction"], line["amount"], line["balance_after"]) for line in lines] == [
            ("in", "98.49", "98.49")
        ]

    def test_a_quote_is_converted_once_whatever_the_key(self, api: Api, ada: User) -> None:
        quote_id = self.quote(api(ada), "1000.00").json()["quote_id"]
        first = self.convert(api(ada), quote_id).json()
        before = books()
        second = self.convert(api(ada), quote_id)
        assert (second.status_code, second.json()["code"]) == (409, "quote_used")
        assert second.json()["transaction_id"] == first["id"]
        assert books() == before

    def test_a_late_one_is_refused_and_the_refusal_replayed(self, api: Api, ada: User) -> None:
        quote_id = self.quote(api(ada), "1000.00").json()["quote_id"]
        late = clock.now() - timedelta(seconds=1)
        ConversionQuote.objects.filter(pk=quote_id).update(
            created_at=late - timedelta(minutes=1), expires_at=late
        )
        before = books()
        answers = [self.convert(api(ada), quote_id, key="late") for _ in range(2)]
        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(422, "quote_expired")}
        assert books() == before

    def test_a_dry_run_shows_it_and_keeps_the_quote(self, api: Api, ada: User) -> None:
        quote_id = self.quote(api(ada)).json()["quote_id"]
        before = books()
        answer = self.convert(api(ada), quote_id, query="?dry_run=true", pin="0000")
        assert (answer.status_code, answer.json()["conversion"]["amount_to"]) == (200, "98.49")
        assert books() == before
        assert self.convert(api(ada), quote_id).status_code == 201

    def test_1_01_another_persons_quote_is_not_found(self, api: Api, ada: User) -> None:
        quote_id = self.quote(api(ada)).json()["quote_id"]
        thief = with_pin(UserFactory())
        before = books()
        for wanted in (quote_id, str(uuid4())):
            answer = self.convert(api(thief), wanted)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert books() == before

    @pytest.mark.parametrize(("pin", "code"), [("0000", "invalid_pin"), (None, "pin_required")])
    def test_needs_the_pin(self, api: Api, ada: User, pin: str | None, code: str) -> None:
        quote_id = self.quote(api(ada)).json()["quote_id"]
        before = books()
        body = {"quote_id": quote_id} | ({"pin": pin} if pin else {})
        answer = api(ada).post(CONVERT, body, format="json", headers={"Idempotency-Key": "k"})
        assert (answer.status_code, answer.json()["code"]) == (403, code)
        assert books() == before

    @pytest.mark.parametrize(
        ("changes", "status", "code"),
        [
            ({"amount": 155000}, 400, "invalid_amount"),
            ({"amount": " 155000"}, 400, "invalid_amount"),
            ({"amount": "1.005"}, 400, "invalid_amount"),
            ({"amount": "-1"}, 400, "invalid_amount"),
            ({"amount": "1.5", "from_currency": "JPY"}, 400, "invalid_amount"),
            ({"to_currency": "XXX"}, 400, "invalid_currency"),
            ({"to_currency": "NGN"}, 400, "same_currency"),
            ({"to_currency": "GHS"}, 404, "not_found"),
            ({"amount": "0.01"}, 422, "not_convertible"),
            (
                {"amount": "999999999999999", "from_currency": "KWD", "to_currency": "NGN"},
                422,
                "not_convertible",
            ),
            ({"rate": "1"}, 400, "unknown_field"),
        ],
    )
    def test_no_quote_for_what_cannot_be_converted(
        self, api: Api, ada: User, changes: dict, status: int, code: str
    ) -> None:
        answer = self.quote(api(ada), **changes)
        body = answer.json()
        assert answer.status_code == status, body
        assert code in {body["code"], *(error["code"] for error in body.get("errors", []))}
        assert not ConversionQuote.objects.exists()

    @pytest.mark.parametrize("currency", settings.CURRENCIES)
    def test_a_wallet_can_be_opened_in_every_enabled_currency(self, api: Api, currency: str) -> None:
        answer = api(UserFactory()).post("/api/v1/wallets", {"currency": currency}, format="json")
        assert answer.status_code == (409 if currency == settings.DEFAULT_CURRENCY else 201)

    def test_nobody_unverified_converts(self, api: Api) -> None:
        unverified = UnverifiedUserFactory()
        open_wallet(user=unverified, currency="USD")
        answer = self.quote(api(unverified), "1000.00")
        assert (answer.status_code, answer.json()["code"]) == (403, "kyc_required")


class TestForgetting:
    def test_quotes_that_nobody_took_go_after_a_month(self, ada: User) -> None:
        taken, stale, fresh = (quoted(ada, "1000.00") for _ in range(3))
        converted(ada, taken)
        old = clock.now() - timedelta(days=31)
        ConversionQuote.objects.exclude(pk=fresh.pk).update(
            created_at=old - timedelta(minutes=1), expires_at=old
        )
        forget_quotes()
        assert set(ConversionQuote.objects.values_list("pk", flat=True)) == {taken.pk, fresh.pk}
        assert not ConversionQuote.objects.filter(pk=stale.pk).exists()


@pytest.mark.concurrency
class TestRaces:
    def test_of_twenty_conversions_by_one_quote_one_wins(self, committed_db: None) -> None:
        owner = UserFactory(kyc_tier=3)
        open_wallet(user=owner, currency="USD")
        fund(owner, "100000.00")
        quote = quoted(owner, "1000.00")
        codes: list[str] = []

        def go() -> None:
            try:
                converted(owner, quote)
                codes.append("converted")
            except DomainError as refusal:
                codes.append(refusal.code)
            connection.close()

        self.run(*[go] * 20)
        assert sorted(codes) == ["converted", *["quote_used"] * 19]
        assert main_wallet(owner).balance == 99_000
        assert verify().findings == ()

    def test_opposite_conversions_and_transfers_never_deadlock(self, committed_db: None) -> None:
        owner, friend = UserFactory(kyc_tier=3), UserFactory(kyc_tier=3)
        for person in (owner, friend):
            open_wallet(user=person, currency="USD")
            fund(person, "100000.00")
            fund(person, "100.00", "USD")
        failed: list[BaseException] = []

        def there_and_back() -> None:
            try:
                for _ in range(5):
                    converted(owner, quoted(owner, "1000.00"))
                    converted(owner, quoted(owner, "0.50", "USD", "NGN"))
                    sent = transfer_draft(main_wallet(friend), main_wallet(owner), "1.00")
                    happened(Post(sent))
            except BaseException as error:
                failed.append(error)
            connection.close()

        self.run(*[there_and_back] * 6)
        assert failed == []
        credited = LedgerEntry.objects.filter(wallet=main_wallet(owner, "USD"), direction=Direction.CREDIT)
        assert credited.count() == 31
        assert verify().findings == ()

    @staticmethod
    def run(*work: Callable[[], None]) -> None:
        threads = [threading.Thread(target=one) for one in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

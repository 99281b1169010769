"""What may be published, and that everything that is told can be told."""

import pytest
from django.conf import settings

from notifications.catalogue import CATALOGUE, FORBIDDEN_FIELD, EventType
from notifications.enums import Category
from notifications.rendering import render, render_email
from tests.notifications.samples import payload_of

TOLD = [event_type for event_type in CATALOGUE.values() if event_type.channels]
EXPECTED = {
    "user.registered", "session.revoked", "pin.set", "pin.reset", "pin.locked", "kyc.submitted",
    "kyc.approved", "kyc.rejected", "wallet.opened", "wallet.frozen", "wallet.unfrozen", "transfer.sent",
    "transfer.received", "funding.succeeded", "funding.failed", "credit.parked", "credit.released",
    "bill_payment.completed", "bill_payment.failed", "bill_payment.reversed", "cashback.earned",
    "cashback.redeemed", "transaction.reversed", "transaction.refunded", "hold.expired", "ledger.invariant_broken",
}  # fmt: skip


class TestCatalogue:
    def test_every_promised_type_is_there(self) -> None:
        assert set(CATALOGUE) >= EXPECTED

    @pytest.mark.parametrize(
        "name",
        [
            "pin", "password", "refresh_token", "token", "code", "otp", "phone", "email", "account_number",
            "bvn", "nin", "document_number", "customer_id", "date_of_birth", "address", "first_name",
            "meter_number",
        ],
    )  # fmt: skip
    def test_a_field_named_like_a_secret_or_a_personal_number_is_refused(self, name: str) -> None:
        assert FORBIDDEN_FIELD.search(name)
        with pytest.raises(ValueError, match=name):
            EventType("some.event", "Something.", Category.SYSTEM, fields=(name,))
        with pytest.raises(ValueError, match=name):
            EventType("some.event", "Something.", Category.SYSTEM, optional=(name,))

    def test_no_field_is_both_required_and_optional(self) -> None:
        assert [t.name for t in CATALOGUE.values() if set(t.fields) & set(t.optional)] == []

    def test_reactions_are_wired_to_types_that_exist(self) -> None:
        assert set(settings.EVENT_REACTIONS) <= set(CATALOGUE)


class TestTexts:
    @pytest.mark.parametrize("event_type", TOLD, ids=lambda event_type: event_type.name)
    @pytest.mark.parametrize("optional", [True, False])
    def test_every_type_that_is_told_has_whole_texts(self, event_type: EventType, optional: bool) -> None:
        text = render(event_type, payload_of(event_type, optional=optional), language="en")
        for part in (text.subject, text.body):
            assert part
            assert "{" not in part
            assert "  " not in part
            assert " ." not in part
            assert ": ." not in part

    @pytest.mark.parametrize(
        "event_type", [t for t in TOLD if "amount" in t.fields], ids=lambda event_type: event_type.name
    )
    def test_money_is_written_for_people(self, event_type: EventType) -> None:
        text = render(event_type, payload_of(event_type), language="en")
        assert "NGN 1,500.00" in text.subject + text.body

    def test_a_currency_without_decimals_has_none(self) -> None:
        payload = {**payload_of(CATALOGUE["transfer.sent"]), "amount": "1500", "fee": "0", "currency": "JPY"}
        text = render(CATALOGUE["transfer.sent"], payload, language="en")
        assert text.subject == "You sent JPY 1,500"
        assert "Fee" not in text.body

    @pytest.mark.parametrize(
        ("status", "subject"),
        [("frozen", "Your NGN wallet is frozen"), ("no_debit", "No money can leave your NGN wallet")],
    )
    def test_a_wallet_that_still_receives_is_not_called_frozen(self, status: str, subject: str) -> None:
        event_type = CATALOGUE["wallet.frozen"]
        assert (
            render(event_type, {**payload_of(event_type), "status": status}, language="en").subject == subject
        )

    def test_names_are_plain_text_not_html(self) -> None:
        text = render(CATALOGUE["transfer.sent"], payload_of(CATALOGUE["transfer.sent"]), language="en")
        assert "Bola Ade & Sons" in text.body

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("transfer.sent", "NGN 1,500.00 went to Bola A., reference TRF-1. Fee: NGN 10.00."),
            ("transfer.received", "NGN 1,500.00 came from Bola A., reference TRF-1."),
        ],
    )
    def test_a_name_that_ends_in_a_dot_ends_no_sentence(self, name: str, text: str) -> None:
        payload = {**payload_of(CATALOGUE[name]), "counterparty": "Bola A.", "reference": "TRF-1"}
        assert render(CATALOGUE[name], payload, language="en").body == text

    def test_a_subject_is_one_line_whatever_the_payload_says(self) -> None:
        event_type = CATALOGUE["bill_payment.completed"]
        payload = {**payload_of(event_type), "biller": "Evil\r\nBcc: all@example.com"}
        text = render(event_type, payload, language="en")
        assert "\n" not in text.subject
        assert "\r" not in text.subject

    def test_an_email_greets_and_frames_the_same_text(self) -> None:
        text = render(CATALOGUE["pin.set"], {}, language="en")
        email = render_email(text, name="Ada", language="en")
        assert email.startswith("Hello Ada,")
        assert text.body in email

"""What only Paystack's wire can say: kobo, odd answers, signatures, and the keys of its events."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from fintech_core.outcomes import Outcome, ProviderError
from payments.providers.paystack import Paystack, from_minor_units, sign, to_minor_units
from payments.providers.vtpass_hints import parse_hint

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = "sk_test_0123456789abcdef"
BODY = b'{"event":"charge.success","data":{"id":1,"reference":"r1"}}'
SIGNATURE = (
    "1fb715f15ce0aae90e3abc3d7072185149bd5622c9b9bb2b1d48c70a2e8a0a75"
    "d87b2eac2f144f070ce254a5662ac297a7514e570f3546e65fcc663da072e8e7"
)


class TestKobo:
    @given(st.integers(min_value=1, max_value=10**12))
    def test_survives_both_ways(self, kobo: int) -> None:
        assert to_minor_units(from_minor_units(kobo)) == kobo

    @pytest.mark.parametrize("amount", ["0", "-1", "0.001", "1500.005"])
    def test_a_fraction_of_a_kobo_is_no_amount(self, amount: str) -> None:
        with pytest.raises(ValueError, match="no amount"):
            to_minor_units(Decimal(amount))

    @pytest.mark.parametrize("value", ["250000", 250000.0, Decimal("250000"), -1, 0, None, True, [1], 10**16])
    def test_reads_positive_integers_only(self, value: object) -> None:
        with pytest.raises(ValueError, match="positive integer"):
            from_minor_units(value)


class TestSignature:
    def verify(self, settings: Settings, given: str | None, body: bytes = BODY) -> bool:
        settings.PAYSTACK_SECRET_KEY = KEY
        headers = {} if given is None else {"x-paystack-signature": given}
        return Paystack().verify(body, headers)

    def test_matches_the_published_vector(self, settings: Settings) -> None:
        assert sign(KEY, BODY) == SIGNATURE
        assert self.verify(settings, SIGNATURE)

    @pytest.mark.parametrize(
        "given", [None, "", SIGNATURE[:-1], SIGNATURE + "0", SIGNATURE.upper(), "0" * 128, "é" * 128]
    )
    def test_refuses_every_other(self, settings: Settings, given: str | None) -> None:
        assert not self.verify(settings, given)

    def test_covers_the_bytes_and_not_their_meaning(self, settings: Settings) -> None:
        assert not self.verify(settings, SIGNATURE, BODY.replace(b":1,", b": 1,"))
        odd = '{"event":"x","data":{"name":"Ad\\u00e1 \\/ é"}}\n'.encode()
        assert self.verify(settings, sign(KEY, odd), odd)

    def test_a_key_that_is_rolled_over_still_counts(self, settings: Settings) -> None:
        settings.PAYSTACK_PREVIOUS_SECRET_KEYS = ["sk_test_old"]
        assert self.verify(settings, sign("sk_test_old", BODY))
        settings.PAYSTACK_PREVIOUS_SECRET_KEYS = []
        assert not self.verify(settings, sign("sk_test_old", BODY))


def key_of(event: str, data: Any, at: datetime = NOW) -> str:
    return Paystack().parse(json.dumps({"event": event, "data": data}).encode(), received_at=at).dedupe_key


class TestDedupeKeys:
    def test_a_charge_is_known_by_its_id(self) -> None:
        assert key_of("charge.success", {"id": 7, "amount": 1}) == key_of(
            "charge.success", {"id": 7, "amount": 2}
        )
        assert key_of("charge.success", {"id": 7}) != key_of("charge.success", {"id": 8})

    def test_a_dispute_that_moves_on_is_another_event_and_no_charge(self) -> None:
        first, second = ({"id": 7, "updated_at": day} for day in ("2026-01-01", "2026-01-02"))
        assert key_of("charge.dispute.remind", first) != key_of("charge.dispute.remind", second)
        parsed = Paystack().parse(b'{"event":"charge.dispute.create","data":{"id":7}}', received_at=NOW)
        assert parsed.family == "dispute"

    def test_equal_refunds_at_different_hours_are_two_events(self) -> None:
        refund = {"transaction_reference": "r1", "amount": "1000"}
        assert key_of("refund.processed", refund) != key_of(
            "refund.processed", refund, NOW + timedelta(hours=1)
        )

    def test_a_transfer_is_known_by_its_code(self) -> None:
        transfer = {"transfer_code": "TRF_1", "reference": "x"}
        assert key_of("transfer.success", transfer) == key_of(
            "transfer.success", {**transfer, "reference": "y"}
        )

    def test_data_that_is_a_list_is_known_by_the_whole_body(self) -> None:
        assert key_of("subscription.expiring_cards", [1]) != key_of("subscription.expiring_cards", [2])

    @pytest.mark.parametrize(
        "raw",
        [b"", b"[]", b"\xff\xfe", b'{"event":7}', b'{"event":"a\\u0000b"}', b"[" * 5000, b'{"event":null}'],
    )
    def test_what_cannot_be_read_is_kept_as_unreadable(self, raw: bytes) -> None:
        assert Paystack().parse(raw, received_at=NOW).family == "unreadable"


class TestVtpassHint:
    def test_names_the_order(self) -> None:
        hint = parse_hint(b'{"type":"transaction-update","data":{"code":"040","requestId":"202603011200x1"}}')
        assert (hint.family, hint.subject) == ("transaction-update", "202603011200x1")

    @pytest.mark.parametrize("raw", [b"", b"{}", b"\xff", b'{"type":["transaction-update"]}'])
    def test_what_cannot_be_read_is_unreadable(self, raw: bytes) -> None:
        assert parse_hint(raw).family == "unreadable"


@contextmanager
def answering(settings: Settings, body: bytes) -> Iterator[None]:
    """A vendor that answers everything with these bytes."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    settings.PAYSTACK_BASE_URL = f"http://127.0.0.1:{server.server_port}"
    settings.PAYSTACK_SECRET_KEY = KEY
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def verified(**changes: Any) -> bytes:
    data = {
        "id": 4099260516, "domain": "test", "status": "success", "reference": "r1", "amount": 40333,
        "requested_amount": 30050, "currency": "NGN", "paid_at": "2024-08-22T09:15:02.000Z", "metadata": "",
    }  # fmt: skip
    return json.dumps({"status": True, "message": "ok", "data": {**data, **changes}}).encode()


class TestReading:
    def test_the_documented_sample_credits_what_was_asked(self, settings: Settings) -> None:
        with answering(settings, verified()):
            reading = Paystack().fetch("r1", deadline_s=2)
        assert reading is not None
        assert reading.payment is not None
        assert (reading.payment.amount, reading.payment.charged) == (Decimal("300.50"), Decimal("403.33"))
        assert reading.payment.paid_at == datetime(2024, 8, 22, 9, 15, 2, tzinfo=UTC)

    @pytest.mark.parametrize("word", ["settled", "", None, 1, ["success"], "SUCCESS"])
    def test_an_unlisted_word_is_pending_and_noted(self, settings: Settings, word: object) -> None:
        with answering(settings, verified(status=word)):
            reading = Paystack().fetch("r1", deadline_s=2)
        assert reading is not None
        assert (reading.outcome, reading.payment) == (Outcome.PENDING, None)
        assert reading.evidence["unlisted_status"] is True

    @pytest.mark.parametrize("word", ["ongoing", "pending", "processing", "queued"])
    def test_a_payment_under_way_is_told(self, settings: Settings, word: str) -> None:
        with answering(settings, verified(status=word)):
            reading = Paystack().fetch("r1", deadline_s=2)
        assert reading is not None
        assert (reading.outcome, reading.in_progress) == (Outcome.PENDING, True)

    def test_a_reversed_one_is_reversed(self, settings: Settings) -> None:
        with answering(settings, verified(status="reversed")):
            reading = Paystack().fetch("r1", deadline_s=2)
        assert reading is not None
        assert reading.outcome is Outcome.REVERSED

    @pytest.mark.parametrize(
        "changes",
        [
            {"amount": "40333"}, {"amount": 403.33}, {"amount": -1}, {"amount": 0}, {"amount": None},
            {"requested_amount": "30050"}, {"requested_amount": -5}, {"currency": None}, {"currency": "naira"},
            {"id": None}, {"id": "7"}, {"id": True}, {"reference": "r2"}, {"domain": "live"}, {"domain": None},
        ],
    )  # fmt: skip
    def test_a_broken_fact_is_unknown_with_an_alarm(
        self, settings: Settings, changes: dict[str, Any]
    ) -> None:
        with answering(settings, verified(**changes)), pytest.raises(ProviderError) as caught:
            Paystack().fetch("r1", deadline_s=2)
        assert (caught.value.outcome, caught.value.alarm) == (Outcome.UNKNOWN, True)

    @pytest.mark.parametrize(
        "body",
        [
            b"", b"null", b"[]", b"<html>", b'{"status":true}', b'{"status":"true","data":{}}',
            b'{"status":true,"data":[]}', verified().replace(b"40333", b"1e400"), b"[" * 3000 + b"]" * 3000,
        ],
    )  # fmt: skip
    def test_no_envelope_is_unknown_with_an_alarm(self, settings: Settings, body: bytes) -> None:
        with answering(settings, body), pytest.raises(ProviderError) as caught:
            Paystack().fetch("r1", deadline_s=2)
        assert (caught.value.outcome, caught.value.alarm) == (Outcome.UNKNOWN, True)

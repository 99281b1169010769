"""Paystack: checkouts, the truth about them, and signed webhooks.

Wire facts, from Paystack's API reference and webhook guide: amounts are integers in the smallest unit (kobo); the
envelope's ``status`` says that the call worked, not that anybody paid; ``amount`` is what was charged and
``requested_amount`` what was asked, they differ when the payer bears the fee; ``abandoned`` is not final; a webhook
is signed with HMAC-SHA512 over its raw bytes under the secret key of its mode, in lower-case hexadecimal.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

from django.conf import settings

from fintech_core import http, outcomes
from fintech_core.outcomes import Outcome
from payments.providers.base import (
    DUPLICATE_REFERENCE,
    Checkout,
    CheckoutRequest,
    ParsedWebhook,
    Reading,
    VendorPayment,
)
from payments.providers.paystack_events import parse

VENDOR: Final = "paystack"
CURRENCIES: Final = frozenset({"NGN", "GHS", "ZAR", "KES", "USD"})
SIGNATURE_HEADER: Final = "x-paystack-signature"
MAX_MINOR_UNITS: Final = 10**15
MAX_URL: Final = 500

# What Paystack calls a transaction, and what that means for money. Whatever is not listed is pending.
_OUTCOMES: Final[Mapping[str, Outcome]] = {
    "success": Outcome.SUCCEEDED,
    "failed": Outcome.DECLINED,
    "reversed": Outcome.REVERSED,
    "abandoned": Outcome.PENDING,
    "ongoing": Outcome.PENDING,
    "pending": Outcome.PENDING,
    "processing": Outcome.PENDING,
    "queued": Outcome.PENDING,
}
_IN_PROGRESS: Final = frozenset({"ongoing", "pending", "processing", "queued"})
_SHOWN: Final = (
    "id", "domain", "status", "reference", "amount", "requested_amount", "currency", "fees", "channel",
    "gateway_response", "paid_at", "created_at",
)  # fmt: skip
_SIGNATURE = re.compile(r"[0-9a-f]{128}")


def to_minor_units(amount: Decimal) -> int:
    """Turn naira into kobo; raises ValueError on a fraction of a kobo, zero and less."""
    minor = amount * 100
    if minor != minor.to_integral_value() or not 0 < minor <= MAX_MINOR_UNITS:
        raise ValueError(f"{amount} is no amount that Paystack can be told")
    return int(minor)


def from_minor_units(value: object) -> Decimal:
    """Turn kobo into naira; raises ValueError on anything but a positive integer, since nothing else was promised."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MAX_MINOR_UNITS:
        raise ValueError("an amount of Paystack is a positive integer")
    return Decimal(value).scaleb(-2).quantize(Decimal("0.01"))


class Paystack:
    """Speaks to ``PAYSTACK_BASE_URL`` with ``PAYSTACK_SECRET_KEY``; money moves only at the customer's hand."""

    def initialize(self, request: CheckoutRequest, *, deadline_s: float) -> Checkout:
        """Start a checkout (``POST /transaction/initialize``); raises ProviderError."""
        body = self._body(request)
        answer = self._send("POST", "/transaction/initialize", body, deadline_s)
        data = self._data(answer)
        url = data.get("authorization_url")
        if data.get("reference") != request.reference:
            raise outcomes.unknown("wrong_reference", "The answer is about something else.", alarm=True)
        if not isinstance(url, str) or not url.startswith(("https://", "http://")) or len(url) > MAX_URL:
            raise outcomes.unknown("broken_body", "The answer has no checkout address.", alarm=True)
        return Checkout(request.reference, url, {"reference": request.reference})

    def fetch(self, reference: str, *, deadline_s: float) -> Reading | None:
        """Ask how a checkout stands (``GET /transaction/verify/:reference``); None when it is not known there."""
        path = f"/transaction/verify/{quote(reference, safe='')}"
        answer = self._send("GET", path, None, deadline_s)
        if answer.status == 404 and _error_code(answer) == "transaction_not_found":
            return None
        data = self._data(answer)
        if data.get("reference") != reference:
            raise outcomes.unknown("wrong_reference", "The answer is about something else.", alarm=True)
        if data.get("domain") != _mode():
            raise outcomes.unknown("wrong_domain", "The answer is from another mode.", alarm=True)
        return self._reading(reference, data)

    def verify(self, raw: bytes, headers: Mapping[str, str]) -> bool:
        """Compare the signature with the current key's and with each key's that is being rolled over."""
        given = headers.get(SIGNATURE_HEADER, "")
        if _SIGNATURE.fullmatch(given) is None:
            return False
        keys = [settings.PAYSTACK_SECRET_KEY, *settings.PAYSTACK_PREVIOUS_SECRET_KEYS]
        matches = [hmac.compare_digest(sign(key, raw), given) for key in keys]
        return any(matches)

    def parse(self, raw: bytes, *, received_at: datetime) -> ParsedWebhook:
        """Name the event and build the key under which repeats of it are recognised."""
        return parse(raw, received_at=received_at)

    def redact(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Keep the facts of a transaction; drop customer, card, address and whatever is not listed."""
        return {name: _plain(data[name]) for name in _SHOWN if isinstance(data.get(name), (str, int))}

    def _body(self, request: CheckoutRequest) -> dict[str, Any]:
        """Write the request; raises ProviderError ``declined`` for what Paystack documents that it does not take."""
        if request.currency not in CURRENCIES:
            raise outcomes.declined("unsupported_currency", f"Paystack takes no {request.currency}.")
        try:
            amount = to_minor_units(request.amount)
        except ValueError as error:
            raise outcomes.declined("invalid_amount", str(error)) from None
        body: dict[str, Any] = {
            "email": request.email,
            "amount": amount,
            "currency": request.currency,
            "reference": request.reference,
            "metadata": {"intent_id": request.intent_id},
        }
        if request.callback_url:
            body["callback_url"] = request.callback_url
        return body

    def _send(self, method: str, path: str, body: dict[str, Any] | None, deadline_s: float) -> http.Answer:
        return http.send(
            vendor=VENDOR,
            method=method,
            url=f"{settings.PAYSTACK_BASE_URL}{path}",
            headers={"Authorization": f"Bearer {settings.PAYSTACK_SECRET_KEY}", "Accept": "application/json"},
            json=body,
            deadline_s=deadline_s,
        )

    def _data(self, answer: http.Answer) -> dict[str, Any]:
        """Return ``data`` of an envelope that says that the call worked; raises ProviderError otherwise."""
        answer.raise_for_server_error()
        if answer.status in {401, 403}:
            raise outcomes.unknown("account_refused", f"Paystack answered HTTP {answer.status}.", alarm=True)
        if answer.status == 429:
            raise outcomes.unknown("rate_limited", "Paystack asks to slow down.")
        body = answer.json()
        if answer.status != 200:
            raise _refusal(answer.status, body)
        data = body.get("data") if isinstance(body, dict) and body.get("status") is True else None
        if not isinstance(data, dict):
            raise outcomes.unknown("broken_body", "The answer is no envelope with data.", alarm=True)
        return data

    def _reading(self, reference: str, data: dict[str, Any]) -> Reading:
        """Map a transaction; a word that is not listed is pending, with an alarm in its evidence."""
        word = data.get("status")
        word = word if isinstance(word, str) else ""
        outcome = _OUTCOMES.get(word, Outcome.PENDING)
        evidence = self.redact(data)
        if word not in _OUTCOMES:
            evidence["unlisted_status"] = True
        payment = _payment(data) if outcome is Outcome.SUCCEEDED else None
        return Reading(outcome, reference, word[:60], word in _IN_PROGRESS, payment, evidence)


def sign(secret_key: str, raw: bytes) -> str:
    """Return Paystack's signature of a body: lower-case hexadecimal HMAC-SHA512."""
    return hmac.new(secret_key.encode(), raw, hashlib.sha512).hexdigest()


def _plain(value: str | int) -> str | int:
    """Cut a foreign text and drop what cannot be printed, before it is stored and shown."""
    return "".join(filter(str.isprintable, value[:200])) if isinstance(value, str) else value


def _mode() -> str:
    return "live" if settings.PAYSTACK_SECRET_KEY.startswith("sk_live_") else "test"


def _payment(data: dict[str, Any]) -> VendorPayment:
    """Read what was paid: the lesser of asked and charged, so that a fee on top is never credited."""
    payment_id, currency = data.get("id"), data.get("currency")
    if isinstance(payment_id, bool) or not isinstance(payment_id, int) or payment_id <= 0:
        raise outcomes.unknown("broken_body", "The payment has no id.", alarm=True)
    if not isinstance(currency, str) or re.fullmatch(r"[A-Z]{3}", currency) is None:
        raise outcomes.unknown("broken_body", "The payment has no currency.", alarm=True)
    try:
        charged = from_minor_units(data.get("amount"))
        asked = data.get("requested_amount")
        requested = charged if asked is None else from_minor_units(asked)
    except ValueError as error:
        raise outcomes.unknown("broken_amount", str(error), alarm=True) from None
    return VendorPayment(str(payment_id), min(requested, charged), charged, currency, _instant(data))


def _instant(data: dict[str, Any]) -> datetime | None:
    """Read the time of payment, whichever spelling is there; it is evidence, so an unreadable one is none."""
    text = data.get("paid_at") or data.get("paidAt")
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None


def _error_code(answer: http.Answer) -> str:
    body = answer.json()
    code = body.get("code") if isinstance(body, dict) else None
    return code if isinstance(code, str) else ""


def _refusal(status: int, body: object) -> outcomes.ProviderError:
    """Tell what a 4xx means: only a validation error is a definite refusal, by its code and never by its text."""
    members = body if isinstance(body, dict) else {}
    code = members.get("code")
    code = code[:60] if isinstance(code, str) and code else "unlisted_error"
    if code == DUPLICATE_REFERENCE:
        return outcomes.unknown(code, "A checkout was started under this reference before.")
    if status in {400, 422} and members.get("type") == "validation_error":
        return outcomes.declined(code, f"Paystack refused with {code}.")
    return outcomes.unknown(code, f"Paystack answered HTTP {status}.", alarm=True)

"""POST /transaction/initialize: check, store, hand out the checkout address."""

import re
import secrets
import sqlite3
from collections.abc import Mapping
from typing import Final

from sandbox.core import Sandbox
from sandbox.exchange import Answer, Request, Unreadable
from sandbox.faults import FaultKind
from sandbox.paystack import money, webhooks
from sandbox.paystack.checkout import Checkout
from sandbox.paystack.replies import failed, succeeded
from sandbox.paystack.transactions import NewTransaction, Outcome, create

CHANNELS: Final = (
    "card",
    "bank",
    "apple_pay",
    "ussd",
    "qr",
    "mobile_money",
    "bank_transfer",
    "eft",
    "capitec_pay",
    "payattitude",
)
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}\.[^@\s.]{2,63}")
_REFERENCE = re.compile(r"[A-Za-z0-9\-.=]{1,100}")
_URL = re.compile(r"https?://[^\s]{1,2000}")


class Refused(Exception):
    """The request is not good; carries the answer that says why."""

    def __init__(self, status: int, message: str, code: str) -> None:
        super().__init__(message)
        self.answer = failed(status, message, code)


class Initialize:
    """Answers the call."""

    def __init__(self, sandbox: Sandbox, checkout: Checkout) -> None:
        self._sandbox = sandbox
        self._checkout = checkout

    def __call__(self, request: Request) -> Answer:
        """Store one transaction per reference; a reference that was used answers `duplicate_reference`."""
        try:
            new = _read(request)
        except Unreadable:
            return failed(400, "Invalid request body", "invalid_params")
        except Refused as refused:
            return refused.answer
        try:
            with self._sandbox.book.transaction() as db:
                access_code = create(db, new, self._sandbox.clock.now())
        except sqlite3.IntegrityError:
            return failed(400, "Duplicate Transaction Reference", "duplicate_reference")
        self._maybe_overtake(request, new.reference)
        return succeeded(
            "Authorization URL created",
            {
                "authorization_url": f"{self._sandbox.public_url}/checkout/paystack/{access_code}",
                "access_code": access_code,
                "reference": new.reference,
            },
        )

    def _maybe_overtake(self, request: Request, reference: str) -> None:
        """Let the customer pay and the webhook arrive while the merchant still waits for this answer."""
        fault = self._sandbox.faults.take(
            vendor=webhooks.NAME,
            operation="initialize",
            fields=request.everything(),
            kinds={FaultKind.WEBHOOK_BEFORE_ANSWER},
        )
        if fault is not None:
            self._checkout.perform(reference, Outcome.SUCCESS, is_urgent=True)


def _read(request: Request) -> NewTransaction:
    fields = request.fields()
    email = _email(fields)
    amount, currency = _amount(fields)
    return NewTransaction(
        reference=_reference(fields),
        secret_key=request.bearer(),
        email=email,
        amount=amount,
        currency=currency,
        channel=_first_channel(fields),
        callback_url=_callback_url(fields),
        metadata=fields.get("metadata"),
        ip_address=request.client_ip,
    )


def _email(fields: Mapping[str, object]) -> str:
    email = fields.get("email")
    if email in (None, ""):
        raise Refused(400, "Email Address is required", "missing_params")
    if not isinstance(email, str) or not _EMAIL.fullmatch(email):
        raise Refused(400, "Invalid Email Address Passed", "invalid_email_address")
    return email


def _amount(fields: Mapping[str, object]) -> tuple[int, str]:
    sent = fields.get("amount")
    if sent in (None, ""):
        raise Refused(400, "Amount is required", "missing_params")
    amount = money.parse_minor_units(sent)
    if amount is None:
        raise Refused(400, "Invalid Amount Sent", "invalid_amount")
    if amount > money.MAX_MAJOR_UNITS * 100:
        raise Refused(400, "Amount is above the maximum of 10,000,000", "invalid_amount")
    currency = fields.get("currency") or "NGN"
    if currency not in money.CURRENCIES:
        raise Refused(400, "Currency not supported by merchant", "unsupported_currency")
    return amount, str(currency)


def _reference(fields: Mapping[str, object]) -> str:
    reference = fields.get("reference")
    if reference in (None, ""):
        return secrets.token_hex(5)
    if not isinstance(reference, str) or not _REFERENCE.fullmatch(reference):
        raise Refused(
            400,
            "Invalid transaction reference: only letters, digits, - . and = are allowed",
            "invalid_reference",
        )
    return reference


def _first_channel(fields: Mapping[str, object]) -> str:
    channels = fields.get("channels")
    if channels in (None, "", []):
        return "card"
    if not isinstance(channels, list) or not all(channel in CHANNELS for channel in channels):
        raise Refused(400, "Invalid channels: send a list of known channels", "invalid_params")
    return "card" if "card" in channels else str(channels[0])


def _callback_url(fields: Mapping[str, object]) -> str | None:
    url = fields.get("callback_url")
    if url in (None, ""):
        return None
    if not isinstance(url, str) or not _URL.fullmatch(url):
        raise Refused(400, "Invalid callback_url: send an absolute http(s) address", "invalid_params")
    return url

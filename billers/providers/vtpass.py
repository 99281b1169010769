"""VTpass over HTTP: ``merchant-verify``, ``pay`` and ``requery`` at ``VTPASS_BASE_URL``.

VTpass answers HTTP 200 with a code; what a code means stands in ``vtpass_codes``. Its own rule for an unclear answer,
no answer and a time-out is to requery, so all of these are ``unknown`` here. An answer about another ``requestId`` is
unknown, too. Amounts are naira, as strings or numbers; they become ``Decimal`` in ``vtpass_reading`` and nowhere else.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.conf import settings

from billers.providers import vtpass_codes as codes
from billers.providers import vtpass_reading as reading
from billers.providers.base import Customer, CustomerQuestion, PurchaseRequest, PurchaseResult
from fintech_core import http, outcomes
from fintech_core.outcomes import Outcome, ProviderError

# VTpass's own zone: a request id begins with the minute it is sent, as a clock in Lagos shows it.
LAGOS: Final = ZoneInfo("Africa/Lagos")
REFERENCE_GOOD_FOR: Final = timedelta(minutes=3)
_STAMP: Final = "%Y%m%d%H%M"
_STAMP_LENGTH: Final = 12
_WITH_SUBSCRIPTION: Final = frozenset({"dstv", "gotv"})


class VTpass:
    """Speaks to VTpass with the keys of the settings."""

    name = "vtpass"
    currency = "NGN"

    def validate(self, question: CustomerQuestion, *, deadline_s: float) -> Customer:
        """Ask who is behind a meter or smart card; raises ProviderError."""
        body = {"billersCode": question.customer_id, "serviceID": question.service_id}
        if question.category == "electricity":
            body["type"] = question.variation_code
        answer = self._send("merchant-verify", body, deadline_s)
        code = _code(answer)
        if code not in {"000", "020"}:
            meaning = codes.AFTER_VERIFY.get(
                code, codes.Meaning(Outcome.UNKNOWN, "unlisted_code", alarm=True)
            )
            raise _error(meaning, code)
        return reading.read_customer(answer.get("content"))

    def new_reference(self, now: datetime) -> str:
        """Make a ``request_id``: the minute in Lagos and 80 random bits."""
        return f"{now.astimezone(LAGOS).strftime(_STAMP)}{secrets.token_hex(10)}"

    def reference_expired(self, reference: str, now: datetime) -> bool:
        """Say whether the minute in a reference is too long ago to be sent as a new order."""
        made_at = datetime.strptime(reference[:_STAMP_LENGTH], _STAMP).replace(tzinfo=LAGOS)
        return now - made_at > REFERENCE_GOOD_FOR

    def purchase(self, request: PurchaseRequest) -> PurchaseResult:
        """Place an order under its reference; raises ProviderError."""
        body = _order(request)
        answer = self._send("pay", body, settings.VENDOR_READ_TIMEOUT_S)
        return _read_order(answer, request.reference, codes.AFTER_PAY, must_name_it=False)

    def query(self, reference: str) -> PurchaseResult | None:
        """Ask how an order stands; None when VTpass does not know the reference (015). Raises ProviderError."""
        try:
            answer = self._send("requery", {"request_id": reference}, settings.VENDOR_READ_TIMEOUT_S)
        except ProviderError as error:
            # That the question was not sent says nothing about the order that it asks about.
            raise outcomes.unknown(error.code, error.detail, alarm=error.alarm) from error
        if _code(answer) == codes.NOT_FOUND:
            return None
        return _read_order(answer, reference, codes.AFTER_REQUERY, must_name_it=True)

    def redact(self, body: Any) -> Any:
        """Return a body of this wire without tokens and without what identifies a person."""
        return reading.redact(body)

    def _send(self, operation: str, body: dict[str, str], deadline_s: float) -> dict[str, Any]:
        answer = http.send(
            vendor=self.name,
            method="POST",
            url=f"{settings.VTPASS_BASE_URL}/{operation}",
            headers={"api-key": settings.VTPASS_API_KEY, "secret-key": settings.VTPASS_SECRET_KEY},
            json=body,
            deadline_s=deadline_s,
        )
        answer.raise_for_server_error()
        if answer.status != 200:
            refused = answer.status in {401, 403}
            raise outcomes.unknown(
                "account_refused" if refused else "unexpected_status",
                f"VTpass answered HTTP {answer.status}.",
                alarm=refused,
            )
        found = answer.json()
        if not isinstance(found, dict):
            raise outcomes.unknown("broken_body", "The answer is no JSON object.", alarm=True)
        return found


def _order(request: PurchaseRequest) -> dict[str, str]:
    """Write an order with exactly the fields that its kind of product takes."""
    body = {
        "request_id": request.reference,
        "serviceID": request.service_id,
        "amount": reading.write_naira(request.amount),
        "phone": request.phone or settings.VTPASS_CONTACT_PHONE,
    }
    if request.category == "airtime":
        return {**body, "phone": request.customer_id}
    body["billersCode"] = request.customer_id
    renews = request.subscription == "renew" and request.service_id in _WITH_SUBSCRIPTION
    if request.service_id in _WITH_SUBSCRIPTION:
        body["subscription_type"] = request.subscription or "change"
    if request.variation_code and not renews:
        body["variation_code"] = request.variation_code
    return body


def _read_order(
    answer: dict[str, Any], reference: str, table: Mapping[str, codes.Meaning], *, must_name_it: bool
) -> PurchaseResult:
    """Read how our order stands; raises ProviderError for everything but succeeded, pending and reversed.

    An answer that shows an order, and every answer where ``must_name_it``, counts only under our reference. A
    refusal of the very request that it answers shows none and may leave the reference out.
    """
    code = _code(answer)
    order = _order_of(answer)
    inner = order.get("status") if order is not None else None
    meaning = codes.meaning_of(code, None if inner is None else str(inner), table)
    evidence = _evidence(answer, order or {}, code)
    told = answer.get("requestId")
    is_bare = told is None and order is None and not must_name_it
    if told != reference and (not is_bare or meaning.outcome is Outcome.REVERSED):
        raise _error(codes.Meaning(Outcome.UNKNOWN, "wrong_reference", alarm=True), code, evidence)
    if meaning.outcome not in {Outcome.SUCCEEDED, Outcome.PENDING, Outcome.REVERSED}:
        raise _error(meaning, code, evidence)
    order = order or {}
    return PurchaseResult(
        outcome=meaning.outcome,
        reference=reference,
        code=meaning.code,
        vendor_id=reading.read_text(order.get("transactionId"), 64),
        customer_id=reading.read_text(order.get("unique_element"), 64),
        amount=reading.read_naira(order.get("amount")),
        cost=reading.read_naira(order.get("total_amount")),
        commission=reading.read_naira(order.get("commission")),
        token=reading.read_token(answer),
        units=reading.read_units(answer),
        evidence=evidence,
    )


def _code(answer: Mapping[str, Any]) -> str:
    code = answer.get("code")
    return code if isinstance(code, str) else ""


def _order_of(answer: Mapping[str, Any]) -> dict[str, Any] | None:
    content = answer.get("content")
    order = content.get("transactions") if isinstance(content, dict) else None
    return order if isinstance(order, dict) else None


def _evidence(answer: Mapping[str, Any], order: Mapping[str, Any], code: str) -> dict[str, str]:
    """Keep what staff need to argue with the vendor: no token, no number of a person."""
    kept = {
        "code": code,
        "description": reading.mask_numbers(answer.get("response_description")),
        "status": order.get("status"),
        "vendor_id": order.get("transactionId"),
        "amount": order.get("amount"),
        "total_amount": order.get("total_amount"),
        "commission": order.get("commission"),
    }
    return {name: text for name, value in kept.items() if (text := reading.read_text(value))}


def _error(meaning: codes.Meaning, code: str, evidence: dict[str, str] | None = None) -> ProviderError:
    return ProviderError(
        meaning.outcome,
        meaning.code,
        f"VTpass code {reading.read_text(code, 10) or 'missing'}.",
        alarm=meaning.alarm,
        evidence=evidence,
    )

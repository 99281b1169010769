"""POST /pay, POST /requery and what the control API resolves by hand."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from sandbox.book import Db, Row
from sandbox.core import Sandbox
from sandbox.exchange import Answer, Ending, Request, Unreadable, json_answer
from sandbox.faults import FaultKind
from sandbox.vtpass import orders, shapes, webhooks
from sandbox.vtpass.catalogue import Catalogue, Service
from sandbox.vtpass.customers import Fate, fate_of
from sandbox.vtpass.replies import Refused, refusal
from sandbox.vtpass.request_ids import check_request_id

_AMOUNT = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,2})?")
_BROKEN_BODY: Final = b'{"code":"000","content":{"transactions":{"status":'
_STORED_AS: Final = {
    Fate.DELIVERED: "delivered",
    Fate.ANSWER_LOST: "delivered",
    Fate.PENDING: "pending",
    Fate.BROKEN_ANSWER: "failed",
    Fate.REFUSED: "failed",
}


class Pay:
    """Answers the money calls."""

    def __init__(self, sandbox: Sandbox, catalogue: Catalogue) -> None:
        self._sandbox = sandbox
        self._catalogue = catalogue

    def pay(self, request: Request) -> Answer:
        """Take an order. A refused one leaves no trace: its request id is free, requery says 015."""
        request_id = None
        try:
            fields = request.fields()
            request_id = _text(fields, "request_id")
            service, order = self._read(request_id, fields)
            fate = fate_of(order.billers_code, service.category)
            if fate is Fate.NEVER_ARRIVED:
                return Answer(ending=Ending.CUT, hold_s=self._sandbox.knobs.hold_s)
            row = self._store(order, _STORED_AS[fate])
        except Unreadable:
            return refusal("011", "The body is no JSON object.")
        except Refused as refused:
            return refusal(refused.code, *refused.problems, request_id=request_id)
        answer = json_answer(shapes.paid(row, service))
        self._maybe_overtake(request, row, service)
        if fate is Fate.ANSWER_LOST:
            return Answer(ending=Ending.CUT, hold_s=self._sandbox.knobs.hold_s)
        return Answer(body=_BROKEN_BODY) if fate is Fate.BROKEN_ANSWER else answer

    def requery(self, request: Request) -> Answer:
        """Tell how an order stands; a pending one is delivered at its third requery."""
        try:
            request_id = _text(request.fields(), "request_id")
        except Unreadable:
            return refusal("011", "The body is no JSON object.")
        except Refused as refused:
            return refusal(refused.code, *refused.problems)
        urgent: list[int] = []
        with self._sandbox.book.transaction() as db:
            row = orders.find(db, request_id)
            if row is None:
                return refusal("015", request_id=request_id)
            service = self._service_of(row)
            asked = orders.count_requery(db, row)
            if row["status"] == "pending" and asked >= orders.REQUERIES_TO_DELIVER:
                row = self._resolved(db, row, "delivered")
                urgent = self._sandbox.outbox.enqueue(db, webhooks.transaction_update(row, service))
        self._sandbox.outbox.flush(urgent)
        is_processing = row["status"] == "pending" and asked % 2 == 1
        return json_answer(shapes.requeried(row, service, is_processing=is_processing))

    def resolve(self, request_id: str, status: str, *, is_urgent: bool = False) -> Row | None:
        """End an order as VTpass's staff would and send the webhook; None when it is unknown.

        Raises `WrongEnding`.
        """
        with self._sandbox.book.transaction() as db:
            row = orders.find(db, request_id)
            if row is None:
                return None
            row = self._resolved(db, row, status)
            event = webhooks.transaction_update(row, self._service_of(row))
            urgent = self._sandbox.outbox.enqueue(db, event, is_urgent=is_urgent)
        self._sandbox.outbox.flush(urgent)
        return row

    def _resolved(self, db: Db, row: Row, status: str) -> Row:
        return orders.resolve(
            db,
            row,
            status,
            float_kobo=self._sandbox.knobs.vtpass_float_kobo,
            now=self._sandbox.clock.now(),
        )

    def _store(self, order: orders.NewOrder, status: str) -> Row:
        knobs, now = self._sandbox.knobs, self._sandbox.clock.now()
        with self._sandbox.book.transaction() as db:
            if orders.find(db, order.request_id) is not None:
                raise Refused("014")
            if knobs.vtpass_duplicate_rule:
                orders.refuse_likely_duplicate(db, order, now)
            return orders.store(db, order, status=status, float_kobo=knobs.vtpass_float_kobo, now=now)

    def _maybe_overtake(self, request: Request, row: Row, service: Service) -> None:
        """Let the webhook arrive while the merchant waits for the answer; a pending order ends by it."""
        fault = self._sandbox.faults.take(
            vendor=webhooks.NAME,
            operation="pay",
            fields=request.everything(),
            kinds={FaultKind.WEBHOOK_BEFORE_ANSWER},
        )
        if fault is None:
            return
        if row["status"] == "pending":
            self.resolve(row["request_id"], "delivered", is_urgent=True)
            return
        with self._sandbox.book.transaction() as db:
            event = webhooks.transaction_update(row, service)
            urgent = self._sandbox.outbox.enqueue(db, event, is_urgent=True)
        self._sandbox.outbox.flush(urgent)

    def _read(self, request_id: str, fields: Mapping[str, object]) -> tuple[Service, orders.NewOrder]:
        """Check a pay request in VTpass's order of codes; raises `Refused`."""
        clock = self._sandbox.clock
        service_id = _text(fields, "serviceID")
        # The sandbox's clock may have been moved while the merchant's own stood still: either is "now".
        check_request_id(request_id, clock.now(), clock.machine_now())
        with self._sandbox.book.transaction() as db:
            if orders.find(db, request_id) is not None:
                raise Refused("014")
        service = self._catalogue.get(service_id)
        if service is None:
            raise Refused("012")
        amount_kobo, variation_code = _price(service, fields)
        phone = _text(fields, "phone")
        billers_code = phone if service.category == "airtime" else _text(fields, "billersCode")
        order = orders.NewOrder(
            request_id=request_id,
            service_id=service.service_id,
            variation_code=variation_code,
            billers_code=billers_code,
            phone=phone,
            amount_kobo=amount_kobo,
            commission_kobo=service.commission_kobo(amount_kobo),
        )
        return service, order

    def _service_of(self, row: Row) -> Service:
        service = self._catalogue.get(row["service_id"])
        if service is None:
            raise LookupError(f"the book has an order for {row['service_id']}, the catalogue has not")
        return service


def _price(service: Service, fields: Mapping[str, object]) -> tuple[int, str | None]:
    """Find the amount in kobo: the plan decides where there is one; a TV renewal and a meter name theirs."""
    if not service.variations:
        return _limited(service, fields), None
    if fields.get("subscription_type") == "renew":
        return _limited(service, fields), None
    code = _text(fields, "variation_code")
    variation = service.variations.get(code)
    if variation is None:
        raise Refused("010")
    return (variation.amount_kobo or _limited(service, fields)), code


def _limited(service: Service, fields: Mapping[str, object]) -> int:
    sent = fields.get("amount")
    text = str(sent)
    if sent is None or isinstance(sent, bool) or not _AMOUNT.fullmatch(text):
        raise Refused("011", "The amount field is required and must be a number.")
    amount_kobo = int(Decimal(text) * 100)
    if amount_kobo < service.minimum_kobo:
        raise Refused("013")
    if amount_kobo > service.maximum_kobo:
        raise Refused("017")
    return amount_kobo


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise Refused("011", f"The {name} field is required.")
    return str(value)

"""The control API: look into the book, set faults, move the clock, act for customers and vendors' staff.

It speaks plain JSON; a field it does not know is an error, because a misspelt one would silently do nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from sandbox import reading
from sandbox.control_body import Body, Misused
from sandbox.core import Sandbox
from sandbox.exchange import Answer, Request, Unreadable, json_answer
from sandbox.faults import WEBHOOK_FAULTS, WEBHOOK_OPERATION, FaultKind
from sandbox.paystack import shapes
from sandbox.paystack.checkout import Checkout
from sandbox.paystack.money import CURRENCIES
from sandbox.paystack.transactions import AlreadyPaid, Outcome
from sandbox.settings import LOOPBACK_HOSTS
from sandbox.vendor import Handler, Route, Vendor
from sandbox.vtpass.orders import WrongEnding
from sandbox.vtpass.pay import Pay

ORDER_ENDINGS: Final = ("delivered", "failed", "reversed")


class Control:
    """Answers `/_control/…`."""

    def __init__(self, sandbox: Sandbox, vendors: Sequence[Vendor], checkout: Checkout, pay: Pay) -> None:
        self._sandbox = sandbox
        self._vendors: Mapping[str, Vendor] = {vendor.name: vendor for vendor in vendors}
        self._checkout = checkout
        self._pay = pay

    def routes(self) -> tuple[Route, ...]:
        """List the control routes."""
        table: tuple[tuple[str, str, Callable[[Request], object]], ...] = (
            ("GET", "health", lambda _: {"status": "ok"}),
            ("GET", "state", lambda _: reading.state(self._sandbox)),
            ("GET", "requests", self._requests),
            ("GET", "deliveries", self._deliveries),
            ("POST", "deliveries/{id}/resend", self._resend),
            ("GET", "faults", lambda _: {"faults": reading.faults(self._sandbox)}),
            ("POST", "faults", self._add_fault),
            ("DELETE", "faults", self._clear_faults),
            ("POST", "clock", self._advance_clock),
            ("POST", "settings", self._turn_knobs),
            ("POST", "webhooks", self._set_webhook_url),
            ("POST", "reset", self._reset),
            ("POST", "paystack/pay", self._pay_for_customer),
            ("POST", "vtpass/resolve", self._resolve_order),
        )
        return tuple(
            Route(method, f"/_control/{path}", "control", _guarded(action)) for method, path, action in table
        )

    def _requests(self, request: Request) -> object:
        return {"requests": reading.requests(self._sandbox, _after_id(request))}

    def _deliveries(self, request: Request) -> object:
        return {"deliveries": reading.deliveries(self._sandbox, _after_id(request))}

    def _resend(self, request: Request) -> object:
        text = request.params["id"]
        new_id = self._sandbox.outbox.resend(int(text)) if text.isascii() and text.isdigit() else None
        if new_id is None:
            raise Misused(f"There is no delivery {text}.", status=404)
        return {"id": new_id}

    def _add_fault(self, request: Request) -> object:
        body = Body(
            request,
            "vendor",
            "operation",
            "kind",
            "times",
            "probability",
            "seed",
            "match",
            "seconds",
        )
        vendor = self._vendors[body.choice("vendor", sorted(self._vendors))]
        kind = FaultKind(body.choice("kind", [str(kind) for kind in FaultKind]))
        operation = body.choice("operation", _operations(vendor, kind), default=_default_operation(kind))
        fault_id = self._sandbox.faults.add(
            vendor=vendor.name,
            operation=operation,
            kind=kind,
            times=body.whole_or_null("times", default=1, lowest=1),
            probability=body.number("probability", default=1.0, highest=1.0),
            seed=body.whole("seed", default=0),
            match=body.texts("match"),
            seconds=body.number_or_none("seconds"),
        )
        return {"id": fault_id}

    def _clear_faults(self, request: Request) -> object:
        Body(request)
        self._sandbox.faults.clear()
        return {"faults": []}

    def _advance_clock(self, request: Request) -> object:
        body = Body(request, "advance_s")
        self._sandbox.clock.advance(body.number("advance_s", highest=366 * 86400))
        self._sandbox.outbox.wake()
        return {"clock": reading.state(self._sandbox)["clock"]}

    def _turn_knobs(self, request: Request) -> object:
        body = Body(request, "hold_s", "vtpass_float", "vtpass_duplicate_rule")
        naira = body.number_or_none("vtpass_float", highest=10**12)
        self._sandbox.knobs.turn(
            hold_s=body.number_or_none("hold_s"),
            vtpass_float_kobo=None if naira is None else round(naira * 100),
            vtpass_duplicate_rule=body.flag_or_none("vtpass_duplicate_rule"),
        )
        return {"settings": reading.state(self._sandbox)["settings"]}

    def _set_webhook_url(self, request: Request) -> object:
        body = Body(request, "vendor", "url")
        senders = sorted(name for name, vendor in self._vendors.items() if vendor.sends_webhooks)
        vendor, url = body.choice("vendor", senders), body.text("url")
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc:
            raise Misused("url must be an absolute http(s) address.")
        self._sandbox.knobs.set_webhook_url(vendor, url)
        return {"vendor": vendor, "url": url}

    def _reset(self, request: Request) -> object:
        Body(request)
        self._sandbox.book.wipe()
        self._sandbox.outbox.wake()
        return {"reset": True}

    def _pay_for_customer(self, request: Request) -> object:
        body = Body(request, "reference", "outcome", "amount", "currency")
        reference = body.text("reference")
        outcome = Outcome(body.choice("outcome", [str(outcome) for outcome in Outcome]))
        amount = body.whole_or_null("amount", default=None, lowest=1)
        currency = body.choice("currency", CURRENCIES, default="") or None
        try:
            row = self._checkout.perform(reference, outcome, amount=amount, currency=currency)
        except AlreadyPaid as error:
            raise Misused(f"{reference} is paid already.", status=409) from error
        if row is None:
            raise Misused(f"There is no transaction {reference}.", status=404)
        return {"transaction": shapes.listed(row)}

    def _resolve_order(self, request: Request) -> object:
        body = Body(request, "request_id", "outcome")
        request_id = body.text("request_id")
        try:
            row = self._pay.resolve(request_id, body.choice("outcome", ORDER_ENDINGS))
        except WrongEnding as error:
            raise Misused(str(error), status=409) from error
        if row is None:
            raise Misused(f"There is no order {request_id}.", status=404)
        return {"request_id": request_id, "status": row["status"]}


def _guarded(action: Callable[[Request], object]) -> Handler:
    """Turn an action into a handler: errors become a sentence, and a page from elsewhere may not call it."""

    def handle(request: Request) -> Answer:
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).hostname not in LOOPBACK_HOSTS:
            return json_answer({"error": "The control API is not for pages from elsewhere."}, status=403)
        try:
            return json_answer(action(request))
        except Unreadable as error:
            return json_answer({"error": f"Send a JSON object: {error}."}, status=400)
        except Misused as error:
            return json_answer({"error": str(error)}, status=error.status)

    return handle


def _operations(vendor: Vendor, kind: FaultKind) -> list[str]:
    """Name the operations of a vendor that this kind of fault can strike."""
    if kind not in WEBHOOK_FAULTS:
        return sorted(vendor.operations())
    if not vendor.sends_webhooks:
        raise Misused(f"{vendor.name} sends no webhooks.")
    if kind is FaultKind.WEBHOOK_BAD_SIGNATURE and not vendor.signs_webhooks:
        raise Misused(f"{vendor.name} does not sign its webhooks.")
    if kind is FaultKind.WEBHOOK_BEFORE_ANSWER:
        return [WEBHOOK_OPERATION, *sorted(vendor.overtaken)]
    return [WEBHOOK_OPERATION]


def _default_operation(kind: FaultKind) -> str | None:
    return WEBHOOK_OPERATION if kind in WEBHOOK_FAULTS else None


def _after_id(request: Request) -> int:
    text = request.query.get("after_id", "0")
    if not (text.isascii() and text.isdigit()) or len(text) > 15:
        raise Misused("after_id must be a whole number.")
    return int(text)

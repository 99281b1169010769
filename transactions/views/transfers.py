"""Routes of transfers: sending money to another person, and who that is."""

from collections.abc import Sequence
from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from fintech_core import clock
from fintech_core.api import LOOKUPS, ApiViewSet
from fintech_core.headers import IDEMPOTENCY_KEY, IF_MATCH
from fintech_core.idempotency import Answer, Group
from fintech_core.throttling import Rate
from transactions.models import Transaction
from transactions.rendering import NEWLY_MADE, render
from transactions.serializers.transactions import TransactionResponse
from transactions.serializers.transfers import (
    RecipientLookupRequest,
    RecipientLookupResponse,
    TransferRequest,
)
from transactions.services import transfers
from users.authentication import signed_in_user
from users.services import pins


def _send(sending: transfers.PrefetchedSending) -> Answer:
    return _answer(sending.given, transfers.send_money(sending=sending, now=clock.now()))


def send_each(sendings: Sequence[transfers.PrefetchedSending], may_wait: bool) -> list[Answer | None]:
    """Send what several requests want to send, and answer those that went."""
    results = transfers.send_each(sendings=sendings, may_wait=may_wait, now=clock.now())
    return [
        None if sent is None else _answer(sending.given, sent)
        for sending, sent in zip(sendings, results, strict=True)
    ]


def _answer(sending: transfers.Sending, sent: Transaction) -> Answer:
    body = render(sent, viewer_id=sending.sender.pk, links=NEWLY_MADE)
    return Answer(201, body, document=("transaction", sent.pk))


# The transfers of this process: those that come while one runs are posted together.
TRANSFERS = Group(send_each)


@extend_schema(tags=["transactions"])
class TransferViewSet(ApiViewSet):
    """Sending money to another person."""

    money_actions: ClassVar = frozenset({"create"})
    groups: ClassVar = {"create": TRANSFERS}
    rate_limits: ClassVar = {
        "create": (Rate(30, 60, "user", "transfer"),),
        "lookup": (LOOKUPS,),
    }

    @extend_schema(
        operation_id="transfer",
        parameters=[IDEMPOTENCY_KEY, IF_MATCH],
        request=TransferRequest,
        responses={201: TransactionResponse},
    )
    def create(self, request: Request) -> Response:
        """Send money; needs the PIN and happens once per Idempotency-Key."""
        body = self.read_body(TransferRequest)
        sender = signed_in_user(request)
        pin = body.pop("pin", None)
        sending = transfers.Sending(
            sender=sender,
            to=body["to"],
            currency=body["currency"],
            amount=body["amount"],
            description=body["description"],
            metadata=body["metadata"],
            if_match=request.headers.get("If-Match"),
        )
        answer = self.answer_in_group(
            operation="transfer",
            body=body,
            gate=pins.PinGate(user_id=sender.pk, pin=pin),
            task=sending,
            work=_send,
        )
        return self.respond(answer)

    @extend_schema(
        operation_id="look_up_recipient", request=RecipientLookupRequest, responses=RecipientLookupResponse
    )
    def lookup(self, request: Request) -> Response:
        """Show the masked name behind an e-mail address or verified phone number."""
        body = self.read_body(RecipientLookupRequest)
        found = transfers.look_up(to=body["to"])
        return Response({"name": found.name, "verified": found.verified})

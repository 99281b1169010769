"""Sending money to many people in one request."""

from dataclasses import replace
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from fintech_core import clock, dry_run
from fintech_core.api import LOOKUPS, ApiViewSet
from fintech_core.exceptions import request_id_of
from fintech_core.headers import IDEMPOTENCY_KEY, IF_MATCH, PREFER
from fintech_core.idempotency import Answer
from fintech_core.throttling import Rate
from transactions import selectors
from transactions.bulk_rendering import answer_for, render
from transactions.enums import BulkMode
from transactions.serializers.bulk import BulkTransferRequest, BulkTransferResponse
from transactions.services import bulk
from transactions.services.bulk_items import MAX_UNKNOWN, BulkItem
from users.authentication import signed_in_user
from users.models import User
from users.services import pins


@extend_schema(tags=["transactions"])
class BulkTransferViewSet(ApiViewSet):
    """Up to 1,000 transfers under one key and one PIN."""

    money_actions: ClassVar = frozenset({"create"})
    max_body_bytes = 512 * 1024
    rate_limits: ClassVar = {"create": (Rate(6, 60, "user", "bulk_transfer"),)}

    @extend_schema(
        operation_id="bulk_transfer",
        parameters=[IDEMPOTENCY_KEY, IF_MATCH, PREFER],
        request=BulkTransferRequest,
        responses={201: BulkTransferResponse, 202: BulkTransferResponse},
    )
    def create(self, request: Request) -> Response:
        """Send money to many people: all or nothing, or as many as can be.

        A result for every item, in the order of the request; 422 when none succeeded. A best-effort request that was
        interrupted is finished by the same Idempotency-Key. Each recipient who is not known here counts as a lookup.
        """
        body = self.read_body(BulkTransferRequest)
        sender = signed_in_user(request)
        pin = body.pop("pin", None)
        answer = self.answer_once(
            operation="bulk_transfer",
            body=body,
            work=lambda: _begin(request, sender, body),
            gate=pins.PinGate(user_id=sender.pk, pin=pin),
            charge=lambda: self._charge_unknown(body),
        )
        if not answer.is_final and answer.document is not None:
            bulk_id = answer.document[1]
            bulk.work_off(
                bulk_id=bulk_id,
                within_s=self.preferred_wait_s(settings.WEB_WAIT_LIMIT_S),
                wait_for_others=not answer.replayed,
            )
            found = selectors.get_bulk_transfer_for(user=sender, bulk_id=bulk_id)
            answer = replace(answer_for(found, request_id=request_id_of(request)), replayed=answer.replayed)
        return self.respond(answer, where="/api/v1/transactions/transfer/bulk")

    @extend_schema(operation_id="get_bulk_transfer", responses=BulkTransferResponse)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """Show a bulk of transfers with the result of every item."""
        found = selectors.get_bulk_transfer_for(user=signed_in_user(request), bulk_id=pk)
        return Response(render(found))

    def _charge_unknown(self, body: dict[str, Any]) -> None:
        """Count the addresses that are nobody's with the lookups, or a bulk that books nothing would tell them free.

        Of a list that is refused for too many of them no more is told than that.
        """
        unknown = selectors.unknown_among(to={item["to"] for item in body["items"]})
        self.charge(self.request, LOOKUPS, units=min(len(unknown), MAX_UNKNOWN))


def _begin(request: Request, sender: User, body: dict[str, Any]) -> Answer:
    if_match = request.headers.get("If-Match")
    asked = {"sender": sender, "currency": body["currency"], "now": clock.now(), "if_match": if_match}
    items = [BulkItem(**item) for item in body["items"]]
    if body["mode"] == BulkMode.ALL_OR_NOTHING:
        begin = bulk.send_all
    else:
        begin = bulk.rehearse if dry_run.is_running() else bulk.accept
    return answer_for(begin(items=items, **asked), request_id=request_id_of(request))

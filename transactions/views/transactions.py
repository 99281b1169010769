"""Routes of transactions: reading what happened; staff reverse and refund."""

from typing import Any, ClassVar
from uuid import UUID

from django.core.exceptions import PermissionDenied
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from fintech_core import clock
from fintech_core.api import PAGING, ApiViewSet
from fintech_core.headers import IDEMPOTENCY_KEY
from fintech_core.idempotency import Answer
from transactions import selectors
from transactions.approval_rendering import APPROVALS, answer_for
from transactions.enums import ApprovalKind
from transactions.models import Transaction, Undoing
from transactions.rendering import render
from transactions.rights import ASK, BOOK_SHORTFALL
from transactions.serializers.approvals import ApprovalAskedResponse
from transactions.serializers.transactions import (
    FILTERS,
    EntryResponse,
    HistoryQuery,
    RefundTransactionRequest,
    ReverseTransactionRequest,
    TransactionQuery,
    TransactionResponse,
    WalletLineResponse,
    filtered,
)
from transactions.services.undoing_by_staff import undo
from users.authentication import signed_in_user
from users.permissions import StaffPermission


@extend_schema(tags=["transactions"])
class TransactionViewSet(ApiViewSet):
    """What happened to the customer's money."""

    query_parameters: ClassVar = {"list": PAGING | FILTERS, "history": PAGING | {"currency"}}

    @extend_schema(
        operation_id="list_transactions",
        parameters=[TransactionQuery],
        responses=TransactionResponse(many=True),
    )
    def list(self, request: Request) -> Response:
        """List the customer's movements, newest first, all money once.

        A credit that waits or has waited says so in ``parked_credit``; its release is no movement of its own here. By
        the reference that the wallet's history has for the release, that credit is found.
        """
        user = signed_in_user(request)
        query = self.read_query(TransactionQuery)
        rows: Any = filtered(selectors.history_of(user=user, reference=query.get("reference")), query)
        page = self.paginate_queryset(rows) or []
        return self.get_paginated_response([render(row, viewer_id=user.pk) for row in page])

    @extend_schema(operation_id="get_transaction", responses=TransactionResponse)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """Show one movement."""
        user = signed_in_user(request)
        found = selectors.get_transaction_for(user=user, transaction_id=pk)
        return Response(render(found, viewer_id=user.pk))

    @extend_schema(operation_id="list_transaction_entries", responses=EntryResponse(many=True))
    def entries(self, request: Request, pk: UUID) -> Response:
        """List all entries of a movement: debits and credits add up."""
        user = signed_in_user(request)
        found = selectors.get_transaction_for(user=user, transaction_id=pk)
        rows = list(selectors.entries_of(transaction=found))
        lines = EntryResponse(rows, many=True, context={"viewer_id": user.pk}).data
        return Response({"next": None, "previous": None, "results": lines})

    @extend_schema(
        operation_id="list_wallet_lines", parameters=[HistoryQuery], responses=WalletLineResponse(many=True)
    )
    def history(self, request: Request) -> Response:
        """List the lines of a main wallet with the running balance, newest first."""
        user = signed_in_user(request)
        query = self.read_query(HistoryQuery)
        page = self.paginate_queryset(selectors.wallet_lines(user=user, currency=query["currency"])) or []
        lines = WalletLineResponse(page, many=True, context={"viewer_id": user.pk}).data
        return self.get_paginated_response(lines)


@extend_schema(tags=["staff"])
class StaffTransactionViewSet(ApiViewSet):
    """Undoing a movement."""

    permission_classes = (IsAuthenticated, StaffPermission)
    money_actions: ClassVar = frozenset({"reverse", "refund"})
    staff_permissions: ClassVar = {
        "reverse": ASK[ApprovalKind.REVERSAL],
        "refund": ASK[ApprovalKind.REFUND],
    }

    @extend_schema(
        operation_id="reverse_transaction",
        parameters=[IDEMPOTENCY_KEY],
        request=ReverseTransactionRequest,
        responses={201: TransactionResponse, 202: ApprovalAskedResponse},
    )
    def reverse(self, request: Request, pk: UUID) -> Response:
        """Book the mirror of a movement, once, with the reason in the audit log; above a limit ask for it (202)."""
        body = self.read_body(ReverseTransactionRequest)
        found = selectors.get_transaction_for_staff(transaction_id=pk)
        return self._undo("reverse_transaction", ApprovalKind.REVERSAL, found, body)

    @extend_schema(
        operation_id="refund_transaction",
        parameters=[IDEMPOTENCY_KEY],
        request=RefundTransactionRequest,
        responses={201: TransactionResponse, 202: ApprovalAskedResponse},
    )
    def refund(self, request: Request, pk: UUID) -> Response:
        """Give the payer of a transfer or bill a part back, or what is left; above a limit ask for it (202)."""
        found = selectors.get_transaction_for_staff(transaction_id=pk)
        body = self.read_body(RefundTransactionRequest, currency=found.currency)
        return self._undo("refund_transaction", ApprovalKind.REFUND, found, body)

    def _undo(self, operation: str, kind: ApprovalKind, found: Transaction, body: dict[str, Any]) -> Response:
        actor = signed_in_user(self.request)
        if body["book_shortfall"] and not actor.has_perm(BOOK_SHORTFALL):
            raise PermissionDenied("You may not book a shortfall.")

        def work() -> Answer:
            made = undo(kind=kind, transaction_id=found.pk, actor=actor, now=clock.now(), **body)
            if isinstance(made, Undoing):
                return answer_for(made)
            # Without NEWLY_MADE: a refund may have been parked.
            return Answer(201, render(made, viewer_id=actor.pk), document=("transaction", made.pk))

        answer = self.answer_once(
            operation=operation,
            body={"transaction_id": str(found.pk), **body},
            work=work,
            concerning=selectors.sides_of(found),
        )
        return self.respond(answer, where=APPROVALS)

"""Routes of wallets: reading and opening them; staff freeze and unfreeze them."""

from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from fintech_core.api import PAGING, ApiViewSet
from fintech_core.headers import IF_MATCH, IF_NONE_MATCH
from users.authentication import signed_in_user
from users.permissions import StaffPermission
from wallet import selectors, services
from wallet.etags import entity_tag, is_known, require_match
from wallet.models import Wallet
from wallet.serializers import (
    FreezeWalletRequest,
    OpenWalletRequest,
    UnfreezeWalletRequest,
    WalletQuery,
    WalletResponse,
)

TOLD = {200: WalletResponse, 304: OpenApiResponse(description="Nothing has changed")}


def told(request: Request, wallet: Wallet) -> Response:
    """Answer with a wallet and its ETag; 304 when the client has this state already, 412 when it wants another."""
    require_match(wallet, request.headers.get("If-Match"))
    tag = entity_tag(wallet)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if is_known(tag, request.headers.get("If-None-Match", "")):
        return Response(status=status.HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(WalletResponse(wallet).data, headers=headers)


@extend_schema(tags=["wallet"])
class MainWalletViewSet(ApiViewSet):
    """The customer's main wallet in one currency."""

    query_parameters: ClassVar = {"retrieve": frozenset({"currency"})}

    @extend_schema(parameters=[WalletQuery, IF_MATCH, IF_NONE_MATCH], responses=TOLD)
    def retrieve(self, request: Request) -> Response:
        """Show balance, held and available."""
        query = self.read_query(WalletQuery)
        user = signed_in_user(request)
        return told(request, selectors.get_main_wallet(user_id=user.pk, currency=query["currency"]))


@extend_schema(tags=["wallet"])
class WalletViewSet(ApiViewSet):
    """All wallets of the customer."""

    query_parameters: ClassVar = {"list": PAGING}

    @extend_schema(operation_id="list_wallets", responses=WalletResponse(many=True))
    def list(self, request: Request) -> Response:
        """List the customer's wallets, cashback included, newest first."""
        page = self.paginate_queryset(selectors.wallets_of(user=signed_in_user(request))) or []
        return self.get_paginated_response(WalletResponse(page, many=True).data)

    @extend_schema(operation_id="open_wallet", request=OpenWalletRequest, responses={201: WalletResponse})
    def create(self, request: Request) -> Response:
        """Open a wallet in another currency; 409 ``wallet_exists`` when there is one."""
        body = self.read_body(OpenWalletRequest)
        wallet = services.open_wallet(user=signed_in_user(request), currency=body["currency"])
        return Response(WalletResponse(wallet).data, status=status.HTTP_201_CREATED)

    @extend_schema(operation_id="get_wallet_by_id", parameters=[IF_MATCH, IF_NONE_MATCH], responses=TOLD)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """Show one wallet of the customer."""
        return told(request, selectors.get_wallet_for(user=signed_in_user(request), wallet_id=pk))


@extend_schema(tags=["staff"])
class StaffWalletViewSet(ApiViewSet):
    """Freezing and unfreezing wallets."""

    permission_classes = (IsAuthenticated, StaffPermission)
    staff_permissions: ClassVar = {"freeze": "wallet.freeze_wallet", "unfreeze": "wallet.freeze_wallet"}

    @extend_schema(
        operation_id="freeze_wallet",
        parameters=[IF_MATCH],
        request=FreezeWalletRequest,
        responses=WalletResponse,
    )
    def freeze(self, request: Request, pk: UUID) -> Response:
        """Freeze a wallet, or only what leaves it; audited with the reason."""
        body = self.read_body(FreezeWalletRequest)
        wallet = services.freeze_wallet(
            wallet_id=pk,
            actor=signed_in_user(request),
            reason=body["reason"],
            status=body["level"],
            if_match=request.headers.get("If-Match"),
        )
        return Response(WalletResponse(wallet).data, headers={"ETag": entity_tag(wallet)})

    @extend_schema(
        operation_id="unfreeze_wallet",
        parameters=[IF_MATCH],
        request=UnfreezeWalletRequest,
        responses=WalletResponse,
    )
    def unfreeze(self, request: Request, pk: UUID) -> Response:
        """Unfreeze a wallet; parked credits follow."""
        body = self.read_body(UnfreezeWalletRequest)
        wallet = services.unfreeze_wallet(
            wallet_id=pk,
            actor=signed_in_user(request),
            reason=body["reason"],
            if_match=request.headers.get("If-Match"),
        )
        return Response(WalletResponse(wallet).data, headers={"ETag": entity_tag(wallet)})

"""Sign-up, sign-in, refresh, sign-out, sessions."""

from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from fintech_core import clock
from fintech_core.api import PAGING, ApiViewSet
from fintech_core.throttling import Rate
from users import selectors
from users.authentication import signed_in_user
from users.devices import device_of
from users.enums import RevokedReason
from users.models import Session
from users.serializers.people import (
    LoginRequest,
    RefreshRequest,
    RegisterRequest,
    SessionResponse,
    SignInResponse,
    TokenPairResponse,
)
from users.services import accounts, sessions


def _account(request: Request) -> str | None:
    """Name the account that a sign-in aims at, whether or not it exists."""
    body = request.data
    email = body.get("email") if isinstance(body, dict) else None
    return email.strip().lower() if isinstance(email, str) else None


LOGINS_PER_ACCOUNT = Rate(10, 60, _account, "login-account")
LOGINS_PER_ADDRESS = Rate(10, 60, "address", "login-address")


def _signed_in(credentials: sessions.Credentials) -> dict[str, object]:
    """Tell a sign-in: the profile and the first tokens."""
    answer = {
        "user": selectors.get_profile(credentials.user),
        "access": credentials.access,
        "refresh": credentials.refresh,
        "access_expires_at": credentials.access_expires_at,
    }
    return SignInResponse(answer).data


@extend_schema(tags=["auth"], auth=[])
class AuthViewSet(ApiViewSet):
    """Public routes: an ``Authorization`` header, good or bad, is not looked at."""

    authentication_classes = ()
    permission_classes = ()
    rate_limits: ClassVar = {
        "register": (Rate(60, 60, "address", "register"),),
        "login": (LOGINS_PER_ACCOUNT, LOGINS_PER_ADDRESS),
        "refresh": (Rate(120, 60, "address", "refresh"),),
        "logout": (Rate(120, 60, "address", "logout"),),
    }

    @extend_schema(operation_id="register", request=RegisterRequest, responses={201: SignInResponse})
    def register(self, request: Request) -> Response:
        """Create an account with a main wallet, and sign in."""
        body = self.read_body(RegisterRequest)
        credentials = accounts.register(**body, device=device_of(request), now=clock.now())
        return Response(_signed_in(credentials), status=status.HTTP_201_CREATED)

    @extend_schema(operation_id="login", request=LoginRequest, responses=SignInResponse)
    def login(self, request: Request) -> Response:
        """Sign in with e-mail and password."""
        body = self.read_body(LoginRequest)
        credentials = sessions.sign_in(**body, device=device_of(request), now=clock.now())
        return Response(_signed_in(credentials))

    @extend_schema(operation_id="refresh", request=RefreshRequest, responses=TokenPairResponse)
    def refresh(self, request: Request) -> Response:
        """Exchange a refresh token for a new pair; the old token is spent."""
        body = self.read_body(RefreshRequest)
        credentials = sessions.refresh(token=body["refresh"], device=device_of(request), now=clock.now())
        return Response(TokenPairResponse(credentials).data)

    @extend_schema(operation_id="logout", request=RefreshRequest, responses={204: None})
    def logout(self, request: Request) -> Response:
        """Close the session of this refresh token; an unknown one is no error."""
        body = self.read_body(RefreshRequest)
        sessions.sign_out(token=body["refresh"], now=clock.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(tags=["auth"])
class SessionViewSet(ApiViewSet):
    """Where the person is signed in."""

    query_parameters: ClassVar = {"list": PAGING}

    @extend_schema(operation_id="list_sessions", responses=SessionResponse(many=True))
    def list(self, request: Request) -> Response:
        """List the open sessions, newest first."""
        rows = selectors.list_sessions_for(user_id=signed_in_user(request).pk, now=clock.now())
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(SessionResponse(page, many=True, context=self._asking()).data)

    @extend_schema(operation_id="get_session", responses=SessionResponse)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """Show one open session."""
        session = selectors.get_session_for(
            user_id=signed_in_user(request).pk, session_id=pk, now=clock.now()
        )
        return Response(SessionResponse(session, context=self._asking()).data)

    @extend_schema(operation_id="end_session", responses={204: None})
    def destroy(self, request: Request, pk: UUID) -> Response:
        """Close one session; its access tokens end with it."""
        sessions.end_session(user_id=signed_in_user(request).pk, session_id=pk, now=clock.now())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(operation_id="end_all_sessions", responses={204: None})
    def clear(self, request: Request) -> Response:
        """Close every session, this one too."""
        user = signed_in_user(request)
        sessions.close_all(user_id=user.pk, reason=RevokedReason.ENDED_BY_USER, now=clock.now())
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _asking(self) -> dict[str, object]:
        asking = self.request.auth
        return {"session_id": asking.pk if isinstance(asking, Session) else None}

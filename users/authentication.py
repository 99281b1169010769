"""Who asks: an access token in the ``Authorization`` header, and the living session behind it."""

from typing import Any
from uuid import UUID

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenBackendExpiredToken

from fintech_core.prepared import PreparedRead
from users import tokens
from users.models import Session, User

SCHEME = "Bearer"
_SESSION = PreparedRead(
    lambda session_id, user_id: Session.objects.select_related("user").filter(pk=session_id, user_id=user_id),
    session_id=UUID(int=1),
    user_id=UUID(int=2),
)


class AccessTokenAuthentication(BaseAuthentication):
    """Signs a request in by its bearer token (RFC 6750).

    The session is read with its user in one query, so a revoked session and a suspended user are out at once.
    ``request.auth`` is the Session.
    """

    def authenticate(self, request: Request) -> tuple[User, Session] | None:
        """Return user and session; None without a bearer token, AuthenticationFailed with a bad one."""
        scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
        if scheme.lower() != SCHEME.lower():
            return None
        try:
            claims = tokens.read(token.strip())
        except TokenBackendExpiredToken:
            raise AuthenticationFailed(
                "The access token has expired. Refresh it.", code="token_expired"
            ) from None
        except TokenBackendError:
            raise AuthenticationFailed("The access token is not valid.", code="token_invalid") from None
        session = _SESSION.first(session_id=claims.session_id, user_id=claims.user_id)
        if session is None:
            raise AuthenticationFailed("The access token is not valid.", code="token_invalid")
        if session.revoked_at is not None or not session.user.is_active:
            raise AuthenticationFailed("The session was closed. Sign in again.", code="session_revoked")
        return session.user, session

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return SCHEME


class AccessTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # theirs is untyped
    """How the OpenAPI file describes signing in: an HTTP bearer scheme."""

    target_class = "users.authentication.AccessTokenAuthentication"
    name = "accessToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """Return the security scheme object."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


def signed_in_user(request: Request) -> User:
    """Return the user of a request that its permissions have let through."""
    if not isinstance(request.user, User):
        raise TypeError("a view that asks for the signed-in user must not be public")
    return request.user

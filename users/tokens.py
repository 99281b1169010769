"""Access tokens: short-lived signed JWTs (RFC 7519, RFC 8725) under a ring of keys.

The first key of ``ACCESS_TOKEN_KEYS`` signs, all of them verify, and the header's ``kid`` says which one, so
a key is replaced without signing anybody out. The algorithm is fixed; the header is never asked for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import jwt
from django.conf import settings
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenBackendExpiredToken

from fintech_core import clock, key_rings

ALGORITHM = "HS256"
ISSUER = "fintech_core"
AUDIENCE = "fintech_core.api"
REQUIRED_CLAIMS = ("iss", "aud", "exp", "iat", "sub", "sid", "typ")
# Another machine's clock may run ahead of ours by this much. An expired token gets no grace: its end is its
# end.
CLOCK_SKEW = timedelta(seconds=30)


class KeyRing(TokenBackend):
    """Signs with the current key and verifies with whichever key of the ring the token names."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self.keys = dict(keys)
        self.current_key_id = next(iter(self.keys))
        super().__init__(ALGORITHM, self.keys[self.current_key_id], audience=AUDIENCE, issuer=ISSUER)

    def encode(self, payload: dict[str, Any]) -> str:
        """Sign the claims with the current key, adding issuer, audience and ``kid``."""
        claims = {**payload, "iss": self.issuer, "aud": self.audience}
        return jwt.encode(
            claims,
            self.keys[self.current_key_id],
            algorithm=self.algorithm,
            headers={"kid": self.current_key_id},
        )

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        """Return the claims of a token that this ring signed; nothing here reads an unverified one.

        Raises TokenBackendExpiredToken after its end and TokenBackendError for every other fault.
        """
        if not verify:
            raise TokenBackendError("Unverified tokens are not read")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self.keys[jwt.get_unverified_header(token)["kid"]],
                algorithms=[self.algorithm],
                audience=self.audience,
                issuer=self.issuer,
                options={"require": list(REQUIRED_CLAIMS), "verify_iat": False},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenBackendExpiredToken("The token has expired") from error
        except (jwt.PyJWTError, KeyError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise TokenBackendError("The token is not valid") from error
        return claims


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What an access token says: whose it is, and which session it belongs to."""

    user_id: UUID
    session_id: UUID


@lru_cache(maxsize=8)
def _key_ring(pairs: tuple[str, ...]) -> KeyRing:
    return KeyRing(key_rings.parse("ACCESS_TOKEN_KEYS", pairs))


def key_ring() -> KeyRing:
    """Return the configured ring."""
    return _key_ring(tuple(settings.ACCESS_TOKEN_KEYS))


def issue(*, user_id: UUID, session_id: UUID, now: datetime) -> tuple[str, datetime]:
    """Sign an access token; returns it and the instant at which it expires (whole seconds)."""
    expires_at = datetime.fromtimestamp(int((now + settings.ACCESS_TOKEN_LIFETIME).timestamp()), tz=UTC)
    claims = {
        "sub": str(user_id),
        "sid": str(session_id),
        "typ": "access",
        "iat": int(now.timestamp()),
        "exp": int(expires_at.timestamp()),
    }
    return key_ring().encode(claims), expires_at


def read(token: str) -> AccessClaims:
    """Read an access token; raises TokenBackendExpiredToken or TokenBackendError."""
    claims = key_ring().decode(token)
    issued_at = claims["iat"]
    if claims["typ"] != "access" or not isinstance(issued_at, int) or isinstance(issued_at, bool):
        raise TokenBackendError("The token is not an access token")
    if issued_at > (clock.now() + CLOCK_SKEW).timestamp():
        raise TokenBackendError("The token is not valid yet")
    try:
        return AccessClaims(user_id=UUID(claims["sub"]), session_id=UUID(claims["sid"]))
    except (ValueError, AttributeError, TypeError) as error:
        raise TokenBackendError("The token names nobody") from error

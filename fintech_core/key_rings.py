"""Key rings from settings: ``id:secret`` pairs, the first in use, the others still accepted."""

from collections.abc import Sequence

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

# RFC 7518, section 3.2: an HMAC-SHA256 key has at least the size of the hash.
MIN_SECRET_BYTES = 32


def parse(name: str, pairs: Sequence[str]) -> dict[str, str]:
    """Read the ring in the setting ``name``, in its order.

    Raises ImproperlyConfigured without a pair, for a pair without an id or a secret, for an id that stands
    twice, and in production for a secret below 32 bytes.
    """
    ring: dict[str, str] = {}
    for pair in pairs:
        key_id, _, secret = pair.strip().partition(":")
        if not (key_id and secret) or key_id in ring:
            raise ImproperlyConfigured(f"{name} is a list of id:secret pairs with different ids")
        if settings.PRODUCTION and len(secret.encode()) < MIN_SECRET_BYTES:
            raise ImproperlyConfigured(
                f"{name}: the secret of {key_id} needs at least {MIN_SECRET_BYTES} bytes"
            )
        ring[key_id] = secret
    if not ring:
        raise ImproperlyConfigured(f"{name} needs at least one id:secret pair")
    return ring


def parse_versions(name: str, pairs: Sequence[str]) -> dict[int, bytes]:
    """Read a ring whose ids are version numbers from 1 to 32767; otherwise like ``parse``."""
    ring = parse(name, pairs)
    if not all(key_id.isascii() and key_id.isdigit() and 1 <= int(key_id) <= 32_767 for key_id in ring):
        raise ImproperlyConfigured(f"{name}: the ids are version numbers from 1")
    return {int(key_id): secret.encode() for key_id, secret in ring.items()}


def parse_short_ids(name: str, pairs: Sequence[str]) -> dict[str, str]:
    """Read a ring whose ids are 1 to 32 ASCII letters or digits, as a ciphertext names them; else like ``parse``."""
    ring = parse(name, pairs)
    if not all(key_id.isascii() and key_id.isalnum() and len(key_id) <= 32 for key_id in ring):
        raise ImproperlyConfigured(f"{name}: the ids are 1 to 32 letters or digits")
    return ring


def check() -> None:
    """Refuse to start with a ring that cannot be used."""
    parse("ACCESS_TOKEN_KEYS", settings.ACCESS_TOKEN_KEYS)
    parse_short_ids("FIELD_KEYS", settings.FIELD_KEYS)
    parse("SEAL_KEYS", settings.SEAL_KEYS)
    parse_versions("PIN_PEPPERS", settings.PIN_PEPPERS)

"""Authenticated encryption of column values with a key ring, and keyed fingerprints for equality.

AES-256-GCM (NIST SP 800-38D) under keys derived from the ring's secrets by HKDF-SHA256 (RFC 5869). A
ciphertext names its key, so a new key is put in front of ``FIELD_KEYS`` and the old ones stay behind it until
nothing needs them. The context (table and column, with the row where the caller has it) is authenticated: a
value copied to another place does not decrypt there.
"""

import hashlib
import hmac
import os
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from fintech_core import key_rings

VERSION: Final = 1
NONCE_BYTES: Final = 12
KEY_BYTES: Final = 32


class CannotDecrypt(Exception):
    """The bytes are no value of this context: an unknown key, another place, or a change by somebody else."""


def encrypt(text: str, context: str) -> bytes:
    """Encrypt text for one place, for example ``users.kyccase.document_number``, with the ring's first key.

    Layout: version (1 byte), length of the key's id (1), the id, nonce (12), ciphertext and tag.
    """
    key_id = next(iter(_ring()))
    header = _header(key_id)
    nonce = os.urandom(NONCE_BYTES)
    return header + nonce + _cipher(key_id).encrypt(nonce, text.encode(), header + context.encode())


def decrypt(data: bytes, context: str) -> str:
    """Return the text that was encrypted for this context; raises CannotDecrypt."""
    if len(data) < 2 or data[0] != VERSION:
        raise CannotDecrypt("not a ciphertext of a known version")
    end = 2 + data[1]
    key_id = data[2:end].decode("ascii", errors="replace")
    if key_id not in _ring():
        raise CannotDecrypt("the key of this ciphertext is not on the ring")
    nonce, sealed = data[end : end + NONCE_BYTES], data[end + NONCE_BYTES :]
    try:
        return _cipher(key_id).decrypt(nonce, sealed, data[:end] + context.encode()).decode()
    except (InvalidTag, ValueError):
        raise CannotDecrypt("the ciphertext does not belong to this context, or was changed") from None


def fingerprint(text: str, context: str) -> bytes:
    """Return 32 bytes that are equal for equal texts of one context: HMAC-SHA256, for lookups and uniqueness.

    Its key comes from the ring's *last* entry, so that putting a new encryption key in front changes no
    fingerprint. Before the last entry may go, every fingerprint has to be made again.
    """
    key_id = list(_ring())[-1]
    return hmac.digest(
        _derived(key_id, "fingerprint"), context.encode() + b"\x00" + text.encode(), hashlib.sha256
    )


def _header(key_id: str) -> bytes:
    return bytes((VERSION, len(key_id))) + key_id.encode("ascii")


def _ring() -> dict[str, str]:
    return _parsed(tuple(settings.FIELD_KEYS))


@lru_cache(maxsize=8)
def _parsed(pairs: tuple[str, ...]) -> dict[str, str]:
    return key_rings.parse_short_ids("FIELD_KEYS", pairs)


def _cipher(key_id: str) -> AESGCM:
    return _cipher_under(_derived(key_id, "encryption"))


@lru_cache(maxsize=32)
def _cipher_under(key: bytes) -> AESGCM:
    """Make a cipher once for each key: setting a key up takes longer than encrypting under it."""
    return AESGCM(key)


def _derived(key_id: str, purpose: str) -> bytes:
    return _derive(_ring()[key_id], purpose)


@lru_cache(maxsize=32)
def _derive(secret: str, purpose: str) -> bytes:
    """Derive one purpose's key: the purposes share a secret and nothing else."""
    info = f"fintech_core.crypto v{VERSION} {purpose}".encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(secret.encode())

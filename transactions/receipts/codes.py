"""Codes of receipts: a movement's id with 80 bits that only our key can make, in 42 characters for people and QR codes.

The key is the ring's fingerprint key, so a code stays valid while encryption keys are exchanged. Nothing is stored.
"""

import hmac
from typing import Final
from uuid import UUID

from fintech_core import crypto

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH: Final = 42
_PROOF_BYTES: Final = 10
_CONTEXT: Final = "transactions.receipt"
# Crockford's base 32: what people mistake for another character means that one.
_MISREAD: Final = str.maketrans("OIL", "011", "- ")


def code_of(transaction_id: UUID) -> str:
    """Return the code of a movement's receipt."""
    value = int.from_bytes(transaction_id.bytes + _proof(transaction_id), "big")
    return "".join(ALPHABET[(value >> (5 * place)) & 31] for place in range(LENGTH - 1, -1, -1))


def read(code: str) -> UUID | None:
    """Return the movement's id that a code of ours carries, or None for every other text."""
    text = code.upper().translate(_MISREAD)
    if len(text) != LENGTH or not set(text) <= set(ALPHABET):
        return None
    value = 0
    for character in text:
        value = value << 5 | ALPHABET.index(character)
    if value >> (8 * (16 + _PROOF_BYTES)):
        return None
    raw = value.to_bytes(16 + _PROOF_BYTES, "big")
    transaction_id = UUID(bytes=raw[:16])
    return transaction_id if hmac.compare_digest(raw[16:], _proof(transaction_id)) else None


def _proof(transaction_id: UUID) -> bytes:
    return crypto.fingerprint(str(transaction_id), _CONTEXT)[:_PROOF_BYTES]

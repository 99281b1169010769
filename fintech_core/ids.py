"""Identifiers: UUIDv7 keys and readable references, both ordered by time."""

import os
import re
import threading
import time
import uuid
from datetime import datetime

# What no reference that a customer gives may look like, as a regular expression for Python and PostgreSQL.
MADE_REFERENCE = "[A-Z]{3,4}-[0-9A-Z]{26}"
_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [high + low for high in _CROCKFORD for low in _CROCKFORD]
_lock = threading.Lock()
_last_stamp = 0


def _next_stamp() -> int:
    """Return a 60-bit stamp (48 bits of milliseconds, 12 of their fraction) that never repeats here."""
    global _last_stamp
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    stamp = (milliseconds << 12) | (rest * 4096 // 1_000_000)
    with _lock:
        _last_stamp = max(stamp, _last_stamp + 1)
        return _last_stamp


def uuid7() -> uuid.UUID:
    """Make a UUID version 7 (RFC 9562, section 5.7, method 3): ordered by time, 62 bits of randomness."""
    stamp = _next_stamp()
    randomness = int.from_bytes(os.urandom(8), "big") >> 2
    value = (stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62 | randomness
    return uuid.UUID(int=value)


def parse_uuid(text: object) -> uuid.UUID | None:
    """Read a UUID in its one canonical form, lower-case hexadecimal with hyphens; None for whatever else."""
    return uuid.UUID(text) if isinstance(text, str) and _UUID.fullmatch(text) else None


def least_uuid7(at: datetime) -> uuid.UUID:
    """Return the least key that is made at this instant: ``id >= least_uuid7(at)`` is a range of the index."""
    return uuid.UUID(int=int(at.timestamp() * 1000) << 80)


def new_reference(prefix: str) -> str:
    """Make a reference for people and vendors: ``PREFIX-`` and 26 Crockford base-32 characters of a UUIDv7."""
    return reference_of(prefix, uuid7())


def reference_of(prefix: str, key: uuid.UUID) -> str:
    """Write a key as a reference for people: what is found by the one can be found by the other."""
    value = key.int
    return f"{prefix}-" + "".join([_PAIRS[(value >> shift) & 1023] for shift in range(120, -1, -10)])

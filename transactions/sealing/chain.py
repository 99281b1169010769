"""Making the chain: what is complete and not sealed yet becomes the next links.

Two keys of trust. The chain itself is plain SHA-256: a link's hash is over the hash of its rows and the link before it.
So anybody who holds one published head can prove a copy up to that head, without a secret. The ``mac`` is an HMAC under
a key from the environment, so without that key nobody makes a link that passes, whatever database password they have;
it also proves what no head is published of yet. Whoever has the key can make links, so it stays in the house.
"""

import hashlib
import hmac
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import structlog
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Max

from fintech_core import clock, development, key_rings
from fintech_core.watermark import given_by, watermark
from transactions.models import LedgerEntry, LedgerSeal, Transaction
from transactions.sealing import canonical
from transactions.sealing.reading import Range, Tally, lines
from wallet.models import Wallet

log = structlog.get_logger(__name__)

FIRST: Final = "0" * 64
# Most entries of one link, and how long one run may go on making links: the rest waits for the next run.
LINK_ENTRIES: Final = 50_000
LINK_HOLDS: Final = 50_000
RUN_S: Final = 60
TWO_PHASE_NUMBERS: Final = "transactions_two_phase_seq"
PATIENCE_S: Final = 5
_LOCK: Final = 7_305_418_260_113_002_101

_BOUND: Final = """
    SELECT coalesce(max(part.id), %(after)s) FROM (
        SELECT e.id FROM transactions_ledgerentry e
        WHERE e.id > %(after)s AND e.id <= %(cut)s ORDER BY e.id LIMIT %(most)s
    ) part
"""


class SealBroken(Exception):
    """The newest link does not hold, so nothing is sealed after it: ``verify_ledger --seals`` says what is wrong."""


class UnknownKey(Exception):
    """A link names a key that is not in ``SEAL_KEYS``."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Up to where entries and holds are complete."""

    entry: int
    hold: int


def facts_of(seal: LedgerSeal) -> bytes:
    """Return the canonical bytes of a link: what its ``chain`` is the hash of."""
    return canonical.line("seal", [getattr(seal, name) for name in canonical.SEAL])


def chain_of(facts: bytes) -> str:
    """Return the hash of a link's facts, the chain before it among them."""
    return hashlib.sha256(facts).hexdigest()


def mac_of(chain: str, key_id: str) -> str:
    """Return the HMAC-SHA256 of a chain under a key of the ring. Raises UnknownKey."""
    secret = _ring().get(key_id)
    if secret is None:
        raise UnknownKey(key_id)
    return hmac.new(_derive(secret), chain.encode(), hashlib.sha256).hexdigest()


def current_key() -> str:
    """Return the id of the key that new links are made with."""
    return next(iter(_ring()))


def has_mac(chain: str, key_id: str, mac: str) -> bool:
    """Say whether the mac of a chain is this one, whatever text that is. Raises UnknownKey."""
    return hmac.compare_digest(mac_of(chain, key_id).encode(), mac.encode())


def is_for_development(key_id: str) -> bool:
    """Say whether the ring's key of this id has the secret for development, which anybody knows: it proves nothing."""
    return _ring().get(key_id) == development.secret("SEAL_SECRET")


def is_ours(seal: LedgerSeal) -> bool:
    """Say whether the link's facts, chain and mac belong together. Raises UnknownKey."""
    chain = chain_of(facts_of(seal))
    return chain == seal.chain and has_mac(chain, seal.key_id, seal.mac)


def digest_of(cursor: CursorWrapper, of: Range, tally: Tally) -> str:
    """Return the hash of a range's canonical lines, and count them in ``tally``."""
    digest = hashlib.sha256()
    for line in lines(cursor, of, tally):
        digest.update(line)
    return digest.hexdigest()


def head() -> LedgerSeal | None:
    """Return the newest link."""
    return LedgerSeal.objects.order_by("-number").first()


def seal(*, wait_s: int = PATIENCE_S, link_entries: int = LINK_ENTRIES) -> list[LedgerSeal]:
    """Seal what is complete and not sealed yet, and return the new links; none when another run is at it.

    Runs in autocommit, since it waits for the watermark. Raises WatermarkStalled, SealBroken, UnknownKey; links made
    before that stay.
    """
    cut = complete_until(wait_s=wait_s)
    made: list[LedgerSeal] = []
    started = time.monotonic()
    while time.monotonic() - started < RUN_S:
        link = _link(cut, link_entries)
        if link is None:
            break
        log.info("ledger_sealed", number=link.number, chain=link.chain, through_entry=link.through_entry)
        made.append(link)
    return made


def complete_until(*, wait_s: int = PATIENCE_S) -> Cut:
    """Return up to where the past is complete. Raises WatermarkStalled, WatermarkInTransaction.

    The highest number of a hold or an opening is read before the watermark draws its transaction id, as its own cut is,
    so the one wait covers both.
    """
    hold = min(highest_hold(), given_by(TWO_PHASE_NUMBERS))
    return Cut(watermark(LedgerEntry, wait_s=wait_s), hold)


def highest_hold(*, using: str = "default") -> int:
    """Return the highest number of a hold, of its end, or of an opening; 0 while there is none."""
    numbers = Transaction.objects.using(using).aggregate(hold=Max("hold_number"), end=Max("end_number"))
    opening = Wallet.objects.using(using).aggregate(number=Max("opening_number"))["number"]
    return max(numbers["hold"] or 0, numbers["end"] or 0, opening or 0)


@transaction.atomic
def _link(cut: Cut, link_entries: int) -> LedgerSeal | None:
    """Make one link in a transaction of its own, or none; one run at a time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        row = cursor.fetchone()
        if not (row and row[0]):
            return None
        last = head()
        if last is not None and not is_ours(last):
            raise SealBroken(f"{last} does not hold; run manage.py verify_ledger --seals")
        of = _next_range(cursor, last, cut, link_entries)
        if of is None:
            return None
        tally = Tally()
        digest = digest_of(cursor, of, tally)
    made = _make(last, of, digest, tally, sealed_at=clock.database_now())
    made.save(force_insert=True)
    return made


def _next_range(cursor: CursorWrapper, last: LedgerSeal | None, cut: Cut, link_entries: int) -> Range | None:
    entry, hold = (0, 0) if last is None else (last.through_entry, last.through_hold)
    cursor.execute(_BOUND, {"after": entry, "cut": cut.entry, "most": link_entries})
    row = cursor.fetchone()
    through_entry = row[0] if row else entry
    through_hold = max(hold, min(cut.hold, hold + LINK_HOLDS))
    if through_entry == entry and through_hold == hold:
        return None
    return Range(entry, through_entry, hold, through_hold)


def _make(last: LedgerSeal | None, of: Range, digest: str, tally: Tally, *, sealed_at: Any) -> LedgerSeal:
    key_id = current_key()
    made = LedgerSeal(
        number=1 if last is None else last.number + 1,
        format=canonical.FORMAT,
        after_entry=of.after_entry,
        through_entry=of.through_entry,
        after_hold=of.after_hold,
        through_hold=of.through_hold,
        entries=tally.entries,
        holds=tally.holds,
        digest=digest,
        previous=FIRST if last is None else last.chain,
        key_id=key_id,
        sealed_at=sealed_at,
    )
    made.chain = chain_of(facts_of(made))
    made.mac = mac_of(made.chain, key_id)
    return made


def _ring() -> dict[str, str]:
    return _parsed(tuple(settings.SEAL_KEYS))


@lru_cache(maxsize=4)
def _parsed(pairs: tuple[str, ...]) -> dict[str, str]:
    return key_rings.parse("SEAL_KEYS", pairs)


@lru_cache(maxsize=16)
def _derive(secret: str) -> bytes:
    """Derive the key of the chain, so that a secret used elsewhere by mistake is not this key."""
    info = b"fintech_core ledger seal v1"
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret.encode())

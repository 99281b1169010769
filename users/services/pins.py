"""The transaction PIN: set, check, reset.

Ten thousand PINs fall to any hash once the dump has all it needs, so the digest is an HMAC-SHA256 under a
pepper that the database does not hold, and what bounds guessing is the counter. What a check writes (a miss;
earlier misses forgiven; a digest under the current pepper) is committed alone, before the answer, so no
rolled-back transfer takes it back. A right PIN writes nothing, so ``PinGate`` lets the transaction in which it
was asked go on with what it guards; the row stays locked until that ends.
"""

import hmac
from datetime import date, datetime
from functools import lru_cache
from uuid import UUID

from django.conf import settings
from django.db import transaction

from fintech_core import audit, clock, key_rings
from fintech_core.exceptions import FieldError, NotFound, ServiceUnavailable
from fintech_core.idempotency import Written
from fintech_core.prepared import PendingRow, PreparedRead, Statement
from notifications.services import publish
from users import obvious_pins
from users.errors import InvalidPassword, InvalidPin, PinLocked, PinNotSet, PinRequired
from users.models import KycCase, TransactionPin, User
from users.models.pins import MAX_WRONG_PINS
from users.services.own_cases import forbid_own_case

_LOCKED_PIN = PreparedRead(
    lambda user_id: TransactionPin.objects.select_for_update(no_key=True).filter(user_id=user_id),
    user_id=UUID(int=1),
)
_FREE_PIN = PreparedRead(
    lambda user_id: TransactionPin.objects.select_for_update(no_key=True, skip_locked=True).filter(
        user_id=user_id
    ),
    user_id=UUID(int=1),
)
# A right PIN changes nothing, yet its row lock would let COMMIT wait for the disk; there is nothing a crash could lose.
_NOTHING_TO_FLUSH = Statement("SET LOCAL synchronous_commit = off")


@lru_cache(maxsize=8)
def _ring(pairs: tuple[str, ...]) -> dict[int, bytes]:
    return key_rings.parse_versions("PIN_PEPPERS", pairs)


def _peppers() -> dict[int, bytes]:
    """Return the peppers by version; the first is the current one."""
    return _ring(tuple(settings.PIN_PEPPERS))


def _current_version() -> int:
    return next(iter(_peppers()))


def _digest(user_id: UUID, pin: str, version: int) -> bytes:
    """Compute the keyed hash; the user's id in it makes equal PINs of two people look different."""
    pepper = _peppers().get(version)
    if pepper is None:
        raise ServiceUnavailable("The PIN cannot be checked at the moment.")
    return hmac.digest(pepper, b"pin|" + user_id.bytes + b"|" + pin.encode(), "sha256")


def verify(*, user_id: UUID, pin: str | None) -> None:
    """Check the PIN and count a miss; returns only when it is right.

    Runs in its own committed transaction and refuses (RuntimeError) to run inside another one. Raises
    PinRequired, PinNotSet, InvalidPin with ``attempts_left``, and PinLocked for the fifth miss and everything
    after it.
    """
    given = _given(pin)
    with transaction.atomic(durable=True):
        written = _judge(_LOCKED_PIN.first(user_id=user_id), given, clock.now())
        if written is None:
            _NOTHING_TO_FLUSH.queue()
    if written is not None and written.refusal is not None:
        raise written.refusal


class PinGate:
    """The PIN as the gate of a money POST: read with the claim of its key, and locked for as long as T1 lasts."""

    def __init__(self, *, user_id: UUID, pin: str | None) -> None:
        self._user_id, self._pin = user_id, pin
        self._prefetched: PendingRow[TransactionPin] | None = None
        self._row: TransactionPin | None = None

    def prefetch(self) -> None:
        """Queue the read of the row and its lock, without waiting for somebody who holds it."""
        self._prefetched, self._row = _FREE_PIN.queue(user_id=self._user_id), None

    def _free_row(self) -> TransactionPin | None:
        if self._row is None and self._prefetched is not None:
            self._row = self._prefetched.first()
        return self._row

    def judge(self) -> Written | None:
        """Judge the PIN on the locked row, and wait for that lock where somebody held it.

        Raises PinRequired, PinNotSet and PinLocked; InvalidPin and the fifth miss come with what was written.
        """
        given = _given(self._pin)
        row = self._free_row() or _LOCKED_PIN.first(user_id=self._user_id)
        return _judge(row, given, clock.now())

    def can_join_group(self) -> bool:
        """Say whether the row is free and clean, so that judging it may write a first miss and nothing more."""
        row = self._free_row()
        return self._pin is not None and row is not None and row.locked_at is None and _is_up_to_date(row)

    def verify(self) -> None:
        """Do the same in a transaction of its own; raises what ``verify`` raises."""
        verify(user_id=self._user_id, pin=self._pin)


def _given(pin: str | None) -> str:
    if pin is None:
        raise PinRequired("Send the transaction PIN in the field pin.")
    return pin


def _judge(row: TransactionPin | None, pin: str, now: datetime) -> Written | None:
    """Compare on the locked row and write what follows; the caller raises the refusal after COMMIT.

    Raises PinNotSet and PinLocked, which leave nothing behind.
    """
    if row is None:
        raise PinNotSet(
            "Set a transaction PIN before money can leave.", how_to_fix="PUT /api/v1/users/me/pin"
        )
    if row.locked_at is not None:
        raise _locked()
    if _is_right(row, pin):
        return Written() if _forgiven(row, pin) else None
    row.failed_attempts += 1
    left = MAX_WRONG_PINS - row.failed_attempts
    if left == 0:
        row.locked_at = now
        audit.record(actor=None, action="pin.locked", target=row, reason=f"{MAX_WRONG_PINS} wrong PINs")
        publish(type="pin.locked", user_id=row.user_id, payload={})
    row.save(update_fields=["failed_attempts", "locked_at"])
    return Written(
        _locked() if left == 0 else InvalidPin("The transaction PIN is wrong.", attempts_left=left)
    )


def _is_right(row: TransactionPin, pin: str) -> bool:
    return hmac.compare_digest(bytes(row.digest), _digest(row.user_id, pin, row.pepper_version))


def _is_up_to_date(row: TransactionPin) -> bool:
    """Say whether no misses are left to forgive, and the digest is under the current pepper."""
    return row.failed_attempts == 0 and row.pepper_version == _current_version()


def _locked() -> PinLocked:
    return PinLocked(
        "The transaction PIN is locked after too many wrong ones.", how_to_fix="Ask support for a reset."
    )


def _forgiven(row: TransactionPin, pin: str) -> bool:
    """Forget earlier misses and move the digest under the current pepper; say whether there was anything to write."""
    if _is_up_to_date(row):
        return False
    current = _current_version()
    row.failed_attempts = 0
    row.digest = _digest(row.user_id, pin, current)
    row.pepper_version = current
    row.save(update_fields=["failed_attempts", "digest", "pepper_version"])
    return True


def set_pin(*, user: User, pin: str, password: str | None, current_pin: str | None, now: datetime) -> None:
    """Set the first PIN, confirmed by the password, or change it, confirmed by the PIN that it replaces.

    Raises FieldError ``invalid``, ``weak_pin`` or ``required``, InvalidPassword, PinRequired, and whatever ``verify``
    raises.
    """
    fault = obvious_pins.fault_of(pin, phone=user.phone, born=_birth_dates(user.pk))
    if fault is not None:
        raise FieldError("pin", *fault)
    if password is not None and not user.check_password(password):
        raise InvalidPassword
    if TransactionPin.objects.filter(user_id=user.pk).exists():
        if current_pin is None:
            raise PinRequired("Send the PIN that is to be replaced in the field current_pin.")
        verify(user_id=user.pk, pin=current_pin)
        _replace(user, current_pin, pin, now)
    elif password is None:
        raise FieldError("password", "required", "Confirm the first PIN with your password.")
    else:
        _create(user, pin, now)


def _birth_dates(user_id: UUID) -> list[date]:
    return list(KycCase.objects.filter(user_id=user_id).values_list("date_of_birth", flat=True).distinct())


@transaction.atomic
def _create(user: User, pin: str, now: datetime) -> None:
    """Store the first PIN; whoever finds that another request has set one meanwhile must name that one."""
    version = _current_version()
    digest = _digest(user.pk, pin, version)
    row, created = TransactionPin.objects.get_or_create(
        user_id=user.pk, defaults={"digest": digest, "pepper_version": version, "set_at": now}
    )
    if not created:
        raise PinRequired("A PIN was set meanwhile; change it with current_pin.")
    audit.record(actor=user, action="pin.set", target=row)
    publish(type="pin.set", user_id=user.pk, payload={})


@transaction.atomic
def _replace(user: User, current_pin: str, pin: str, now: datetime) -> None:
    """Store a new PIN in the place of exactly the one that was just verified."""
    version = _current_version()
    verified = TransactionPin.objects.filter(
        user_id=user.pk, digest=_digest(user.pk, current_pin, version), locked_at=None
    )
    if not verified.update(digest=_digest(user.pk, pin, version), pepper_version=version, set_at=now):
        raise InvalidPin("The PIN was changed or locked meanwhile.")
    audit.record(actor=user, action="pin.changed", target=TransactionPin(pk=user.pk))
    publish(type="pin.set", user_id=user.pk, payload={})


@transaction.atomic
def reset(*, user_id: UUID, actor: User, reason: str) -> None:
    """Remove a customer's PIN, locked or not: the next one is set with the password. Told and audited.

    Raises NotFound without a PIN, OwnCase when staff would reset their own.
    """
    forbid_own_case(user_id, actor=actor, detail="Somebody else has to reset your PIN.")
    row = _LOCKED_PIN.first(user_id=user_id)
    if row is None:
        raise NotFound("This customer has no PIN.")
    audit.record(
        actor=actor,
        action="pin.reset",
        target=row,
        reason=reason,
        changes={"failed_attempts": [row.failed_attempts, None], "locked": [row.locked_at is not None, None]},
    )
    publish(type="pin.reset", user_id=user_id, payload={})
    row.delete()

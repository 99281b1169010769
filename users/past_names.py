"""What people were called in the past: their names of today, less what the audit log says has changed since.

The log keeps the value before and after of every edit of a profile and is only ever added to, so what it tells of an
instant that is over stays true.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Final
from uuid import UUID

from django.db import transaction

from fintech_core.models import AuditRecord
from users.models import User
from users.names import PersonName

PROFILE_CHANGED: Final = "user.profile_changed"
NAMES: Final = ("first_name", "last_name")
_TIME = itemgetter(0)


@dataclass(frozen=True, slots=True)
class PastNames:
    """The names of some people today, and of each field the values that were replaced, with the time, in order."""

    today: Mapping[UUID, PersonName]
    replaced: Mapping[tuple[UUID, str], Sequence[tuple[datetime, str]]]

    def at(self, user_id: UUID, instant: datetime) -> PersonName:
        """Return what somebody was called just before an instant, of those and from the time that were asked for."""
        return PersonName(*(self._field(user_id, name, instant) for name in NAMES))

    def _field(self, user_id: UUID, name: str, instant: datetime) -> str:
        replaced = self.replaced.get((user_id, name), ())
        later = bisect_left(replaced, instant, key=_TIME)
        if later == len(replaced):
            today: str = getattr(self.today[user_id], name)
            return today
        return replaced[later][1]


def names_since(*, user_ids: Collection[UUID], since: datetime, wait: bool = False) -> PastNames:
    """Read what people were called at any instant from ``since`` on: two queries, however many people they are.

    An edit has its time before it commits. ``wait`` first waits for those that are under way, which is needed where
    an instant of the last minutes is asked for and the answer must stay true.
    """
    if not user_ids:
        return PastNames({}, {})
    if wait:
        _wait_for_edits(user_ids)
    # The names come first: an edit that commits between the two queries is then taken back from a name that does not
    # have it yet, and nothing is lost. The other way round a new name would be told of the past.
    people = User.objects.filter(pk__in=user_ids).values_list("pk", *NAMES)
    today = {pk: PersonName(first, last) for pk, first, last in people}
    edits = AuditRecord.objects.filter(
        target_type=User._meta.label_lower,
        target_id__in=[str(pk) for pk in user_ids],
        action=PROFILE_CHANGED,
        at__gte=since,
    ).order_by("at", "id")
    replaced: dict[tuple[UUID, str], list[tuple[datetime, str]]] = defaultdict(list)
    for target_id, at, changes in edits.values_list("target_id", "at", "changes"):
        for name in NAMES:
            if name in changes:
                replaced[UUID(target_id), name].append((at, changes[name][0]))
    return PastNames(today, replaced)


def _wait_for_edits(user_ids: Collection[UUID]) -> None:
    """Take the locks that edits take, in order, and give them back: whatever is edited from now on is later."""
    with transaction.atomic():
        people = User.objects.select_for_update(no_key=True).filter(pk__in=user_ids).order_by("pk")
        list(people.values_list("pk"))

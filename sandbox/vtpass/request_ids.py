"""The rule for `request_id`: its first twelve digits are the minute it was made, in Lagos."""

import re
from datetime import datetime, timedelta
from typing import Final

from sandbox.clock import LAGOS
from sandbox.vtpass.replies import Refused

TOLERANCE: Final = timedelta(minutes=5)
_SHAPE = re.compile(r"[0-9]{12}[A-Za-z0-9\-_]{0,88}")


def check_request_id(request_id: str, *nows: datetime) -> None:
    """Raise `Refused` 085 when there is no date in it, 086 when it is not close to any of `nows`."""
    if not _SHAPE.fullmatch(request_id):
        raise Refused("085")
    try:
        made_at = datetime.strptime(request_id[:12], "%Y%m%d%H%M").replace(tzinfo=LAGOS)
    except ValueError as error:
        raise Refused("086") from error
    if all(abs(made_at - now) > TOLERANCE for now in nows):
        raise Refused("086")

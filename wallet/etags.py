"""Entity tags of wallets: which state somebody has seen, and whether it still stands (RFC 9110, sections 8.8 and 13).

A tag begins with the version of the wallet's last entry, which counts 1, 2, 3 … without a gap; holds and a change of
status bring no entry and are in it, too.
"""

from decimal import Decimal
from typing import Protocol

from wallet.errors import PreconditionFailed


class Versioned(Protocol):
    """A wallet, or the working copy of one whose row is locked."""

    version: int
    held: Decimal
    status: str


def entity_tag(wallet: Versioned) -> str:
    """Return the ETag of a wallet: it changes with every entry, hold and change of status."""
    return f'"{wallet.version}-{wallet.held.normalize():f}-{wallet.status}"'


def is_matched(tag: str, if_match: str) -> bool:
    """Say whether an ``If-Match`` names the tag, compared strongly: a weak tag names none, ``*`` every one."""
    return not {"*", tag}.isdisjoint(part.strip() for part in if_match.split(","))


def is_known(tag: str, if_none_match: str) -> bool:
    """Say whether an ``If-None-Match`` names the tag, compared weakly: a cache on the way may have made it weak."""
    return not {"*", tag, f"W/{tag}"}.isdisjoint(part.strip() for part in if_none_match.split(","))


def require_match(wallet: Versioned, if_match: str | None) -> None:
    """Refuse to go on when the client has seen another state than this. Raises PreconditionFailed with ``etag``."""
    if if_match is None:
        return
    tag = entity_tag(wallet)
    if not is_matched(tag, if_match):
        raise PreconditionFailed("The wallet has changed since you read it. Read it again.", etag=tag)

"""What a vendor module hands to the server: its routes, its door, its way of saying no."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sandbox.exchange import Answer, Request
from sandbox.faults import FaultKind

Handler = Callable[[Request], Answer]

_NAMED_PART = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Route:
    """`POST /paystack/transaction/initialize` and who answers. `{name}` in the path stands for one part."""

    method: str
    path: str
    operation: str
    handler: Handler
    is_open: bool = False
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        expression = _NAMED_PART.sub(r"(?P<\1>[^/]+)", self.path)
        object.__setattr__(self, "pattern", re.compile(expression))


@dataclass(frozen=True)
class Vendor:
    """One stand-in.

    `authenticate` gives the refusal for a request with a bad key, or None. `refusals` says how this vendor
    words each fault that is an answer. `not_found` answers a path below `prefix` that the vendor lacks.
    `overtaken` names operations whose answer a webhook can overtake.
    """

    name: str
    prefix: str
    routes: tuple[Route, ...]
    authenticate: Callable[[Request], Answer | None]
    refusals: Mapping[FaultKind, Callable[[], Answer]]
    not_found: Handler
    overtaken: frozenset[str] = frozenset()
    sends_webhooks: bool = False
    signs_webhooks: bool = False

    def operations(self) -> frozenset[str]:
        """Names that a fault rule may use."""
        return frozenset(route.operation for route in self.routes if not route.is_open)

"""From a request to an answer: find the route, check the key, apply the faults, write the journal."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from sandbox.exchange import Answer, Ending, Request, json_answer
from sandbox.faults import AFTER, ANSWER_FAULTS, REFUSALS, Fault, FaultKind, Faults
from sandbox.journal import Journal
from sandbox.knobs import Knobs
from sandbox.vendor import Route, Vendor

logger = logging.getLogger("sandbox")

DEFAULT_LATENCY_S: Final = 3.0
_GARBAGE = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>nginx</body>\r\n</html>\r\n"


@dataclass(frozen=True)
class Dispatcher:
    """Holds no state of its own; everything that lasts stands in the book."""

    vendors: Sequence[Vendor]
    own_routes: Sequence[Route]
    faults: Faults
    knobs: Knobs
    journal: Journal

    def answer(self, request: Request) -> Answer:
        """Answer any request; an error of the sandbox itself becomes a 500 that says so."""
        try:
            return self._answer(request)
        except Exception:
            logger.exception("the sandbox failed on %s %s", request.method, request.path)
            return json_answer({"error": "The sandbox itself failed; its log says why."}, status=500)

    def _answer(self, request: Request) -> Answer:
        for vendor in self.vendors:
            found, request_with_params = _find(vendor.routes, request)
            if found is not None:
                return self._answer_as(vendor, found, request_with_params)
        found, request_with_params = _find(self.own_routes, request)
        if found is not None:
            return found.handler(request_with_params)
        for vendor in self.vendors:
            if request.path.startswith(vendor.prefix):
                answer = vendor.not_found(request)
                self.journal.note(request, answer, vendor=vendor.name, operation="unknown", fault=None)
                return answer
        return json_answer({"error": f"There is nothing at {request.method} {request.path}."}, status=404)

    def _answer_as(self, vendor: Vendor, route: Route, request: Request) -> Answer:
        fault: Fault | None = None
        answer = None if route.is_open else vendor.authenticate(request)
        if answer is None:
            fault = None if route.is_open else self._fault_for(vendor, route, request)
            answer = self._faulty(vendor, route, request, fault) if fault else route.handler(request)
        kind = fault.kind if fault else None
        self.journal.note(request, answer, vendor=vendor.name, operation=route.operation, fault=kind)
        return answer

    def _fault_for(self, vendor: Vendor, route: Route, request: Request) -> Fault | None:
        return self.faults.take(
            vendor=vendor.name, operation=route.operation, fields=request.everything(), kinds=ANSWER_FAULTS
        )

    def _faulty(self, vendor: Vendor, route: Route, request: Request, fault: Fault) -> Answer:
        """Answer under a fault; the handler, which stores things, is called only for the faults *after*."""
        logger.info("fault %s on %s %s", fault.kind, vendor.name, route.operation)
        hold_s = self.knobs.hold_s if fault.seconds is None else fault.seconds
        if fault.kind in REFUSALS:
            return vendor.refusals[fault.kind]()
        if fault.kind is FaultKind.TIMEOUT_BEFORE:
            return Answer(ending=Ending.CUT, hold_s=hold_s)
        if fault.kind not in AFTER:
            raise ValueError(f"{fault.kind} is no fault of an answer")
        answer = route.handler(request)
        if fault.kind is FaultKind.LATENCY:
            latency_s = DEFAULT_LATENCY_S if fault.seconds is None else fault.seconds
            return replace(answer, hold_s=answer.hold_s + latency_s)
        if fault.kind is FaultKind.TIMEOUT_AFTER:
            return Answer(ending=Ending.CUT, hold_s=hold_s)
        if fault.kind is FaultKind.ERROR_AFTER:
            return vendor.refusals[FaultKind.ERROR_BEFORE]()
        if fault.kind is FaultKind.RESET:
            return Answer(ending=Ending.RESET)
        if fault.kind is FaultKind.GARBAGE:
            return Answer(status=200, body=_GARBAGE, content_type="text/html")
        return replace(answer, ending=Ending.TRUNCATE)


def _find(routes: Sequence[Route], request: Request) -> tuple[Route | None, Request]:
    for route in routes:
        match = route.pattern.fullmatch(request.path)
        if match and route.method == request.method:
            return route, replace(request, params=match.groupdict())
    return None, request

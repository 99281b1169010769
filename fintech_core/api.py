"""The base of every API view: declared query parameters, and money POSTs that happen once or are only tried."""

import re
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from rest_framework import exceptions
from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from fintech_core import dry_run, idempotency
from fintech_core.announcing import announcement_of
from fintech_core.exceptions import PROBLEM_JSON, DomainError, request_id_of
from fintech_core.idempotency import Answer, Gate, Group, GroupedRequest, Task
from fintech_core.serializers import Request
from fintech_core.throttling import Rate, RateLimitHeaders

UUID_PATTERN = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
PAGING = frozenset({"page_size", "cursor"})
DRY_RUN = "dry_run"
# A dry run tells as much of a recipient as the lookup does, so they share one count.
LOOKUPS = Rate(10, 60, "user", "recipient_lookup")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_PREFER_WAIT = re.compile(r"wait=(\d{1,3})")

Prefetched = TypeVar("Prefetched")


class KeyMissing(DomainError):
    """A money POST came without its key."""

    code, status, title = "idempotency_key_missing", 400, "Send an Idempotency-Key"


class KeyInvalid(DomainError):
    """The key is not 1 to 255 visible ASCII characters."""

    code, status, title = "idempotency_key_invalid", 400, "The Idempotency-Key is not valid"


class ApiViewSet(RateLimitHeaders, GenericViewSet[Any]):
    """Base view set. ``query_parameters`` names, per action, what the query may hold; anything else is refused.

    ``money_actions`` are those that move money, by one of the ``answer_`` methods; they take ``?dry_run=true``.
    ``groups`` names, per action, the group in which its requests may be done together, by ``answer_in_group``.
    """

    lookup_value_regex = UUID_PATTERN
    query_parameters: ClassVar[Mapping[str, frozenset[str]]] = {}
    money_actions: ClassVar[frozenset[str]] = frozenset()
    groups: ClassVar[Mapping[str, Group[Any]]] = {}
    filter_backends = ()

    def initial(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Check credentials, rates and the query's names before the action runs."""
        super().initial(request, *args, **kwargs)
        known = self.query_parameters.get(self.action or "", frozenset())
        if self.action in self.money_actions:
            known |= {DRY_RUN}
        unknown = sorted(set(request.query_params) - known)
        if unknown:
            raise exceptions.ValidationError(
                {
                    name[:100]: [
                        exceptions.ErrorDetail("This parameter is not known here.", code="unknown_parameter")
                    ]
                    for name in unknown
                }
            )
        repeated = [name for name in request.query_params if len(request.query_params.getlist(name)) > 1]
        if repeated:
            raise exceptions.ValidationError(
                {
                    name: [exceptions.ErrorDetail("Send this parameter once.", code="invalid")]
                    for name in repeated
                }
            )
        if request.query_params.get(DRY_RUN) not in {None, "true", "false"}:
            raise exceptions.ValidationError(
                {DRY_RUN: [exceptions.ErrorDetail("Send true or false.", code="invalid")]}
            )

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Name the methods of the route, in ``Allow``, and describe nothing."""
        return Response(status=204)

    def get_rate_limits(self, request: HttpRequest) -> tuple[Rate, ...]:
        """Count a dry run with the lookups of recipients, everything else as the view declares."""
        return (LOOKUPS,) if self._is_dry_run(request) else super().get_rate_limits(request)

    def finalize_response(
        self, request: HttpRequest, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Say ``dry_run`` in every answer to a dry run, refusals included."""
        if self._is_dry_run(request) and isinstance(response.data, Mapping):
            response.data = {**response.data, DRY_RUN: True}
        return super().finalize_response(request, response, *args, **kwargs)

    def _is_dry_run(self, request: HttpRequest) -> bool:
        return self.action in self.money_actions and request.query_params.get(DRY_RUN) == "true"

    def read_body(self, serializer: type[Request], **context: Any) -> dict[str, Any]:
        """Return the validated body; raises ValidationError."""
        return serializer.read(self.request.data, context)

    def read_query(self, serializer: type[Request], **context: Any) -> dict[str, Any]:
        """Return the validated query parameters, paging left out; raises ValidationError."""
        named = {name: value for name, value in self.request.query_params.items() if name not in PAGING}
        return serializer.read(named, context)

    def answer_once(
        self,
        *,
        operation: str,
        body: Mapping[str, Any],
        work: Callable[[], Answer],
        gate: Gate | None = None,
        charge: Callable[[], None] | None = None,
        concerning: Collection[UUID] | None = None,
    ) -> Answer:
        """Run a money POST once for its ``Idempotency-Key``: stored answer, then the gate (PIN), the charge, the work.

        A dry run knows neither key nor gate: the work runs and is rolled back. ``charge`` charges a rate for what the
        work will tell, so a dry run pays it, too; it asks another server, so the gate is passed before T1 begins. A dry
        run tells the balances of those whom it is ``concerning``, the asker unless others are named. Raises KeyMissing,
        KeyInvalid, KeyReused, InProgress, and whatever gate and charge raise. Refusals by rule (422) come back as an
        Answer, since they are stored too.
        """
        self._require_declared()
        if self._is_dry_run(self.request):
            if charge is not None:
                charge()
            return self._rehearsed(work, (self._user_id,) if concerning is None else concerning)
        scope = self._scope(operation, body)
        if charge is not None:
            earlier = idempotency.find(scope)
            if earlier is not None:
                return earlier
            if gate is not None:
                gate.verify()
                gate = None
            charge()
        return idempotency.run(scope, work, gate=gate, request_id=request_id_of(self.request))

    def answer_in_group(
        self,
        *,
        operation: str,
        body: Mapping[str, Any],
        gate: Gate,
        task: Task[Prefetched],
        work: Callable[[Prefetched], Answer],
    ) -> Answer:
        """Run a money POST once for its key as ``answer_once`` does, together with others in the action's group if any.

        The group does the prefetched ``task``; ``work`` does it where the request runs alone, or dry.
        """
        self._require_declared()
        group = self.groups.get(self.action or "")
        if group is None:
            raise ImproperlyConfigured(f"{type(self).__name__}.{self.action} is not in its groups")
        announcement = announcement_of(self.request)
        if self._is_dry_run(self.request):
            if announcement is not None:
                announcement.withdraw()
            return self._rehearsed(lambda: work(task.prefetch()), (self._user_id,))
        scope = self._scope(operation, body)
        run_alone = partial(
            idempotency.run_prefetched,
            scope,
            task.prefetch,
            work,
            gate=gate,
            request_id=request_id_of(self.request),
        )
        return group.run(GroupedRequest(scope, gate, task, run_alone), announcement)

    def answer_by_state(self, *, work: Callable[[], Answer], concerning: Collection[UUID]) -> Answer:
        """Run a money POST that needs no key, since what it decides can be decided once; a dry run is rolled back."""
        self._require_declared()
        return self._rehearsed(work, concerning) if self._is_dry_run(self.request) else work()

    def _require_declared(self) -> None:
        if self.action not in self.money_actions:
            raise ImproperlyConfigured(f"{type(self).__name__}.{self.action} is not in its money_actions")

    @property
    def _user_id(self) -> UUID:
        return UUID(str(self.request.user.pk))

    def _scope(self, operation: str, body: Mapping[str, Any]) -> idempotency.Scope:
        return idempotency.Scope.of(
            user_id=self._user_id, operation=operation, key=self._idempotency_key(), body=body
        )

    @staticmethod
    def _rehearsed(work: Callable[[], Answer], concerning: Collection[UUID]) -> Answer:
        answer, facts = dry_run.rehearse(work, user_ids=concerning)
        return answer if answer.status >= 400 else Answer(200, {**answer.body, **facts})

    def _idempotency_key(self) -> str:
        key = self.request.headers.get("Idempotency-Key")
        if key is None:
            raise KeyMissing(
                "Send an Idempotency-Key header, for example a UUID, and repeat it when you retry."
            )
        if _KEY.fullmatch(key) is None:
            raise KeyInvalid("An Idempotency-Key has 1 to 255 visible ASCII characters.")
        return key

    def respond(self, answer: Answer, *, where: str = "") -> Response:
        """Turn an Answer into a response, with the headers that tell a replay and where to look next.

        ``where`` is the path of the documents that a 202 is about.
        """
        body = answer.body
        is_problem = "code" in body and "type" in body and answer.status >= 400
        if is_problem and body.get("request_id") is None:
            # It was drawn up from its document, not by a request.
            body = {**body, "request_id": request_id_of(self.request)}
        response = Response(
            body, status=answer.status, content_type=PROBLEM_JSON if is_problem else "application/json"
        )
        if answer.replayed:
            response["Idempotent-Replayed"] = "true"
        if where and answer.status == 202 and answer.document is not None:
            response["Location"] = f"{where}/{answer.document[1]}"
        return response

    def preferred_wait_s(self, limit_s: float, *, otherwise_s: float | None = None) -> float:
        """Return how long the client wants to wait: ``Prefer: wait=N`` (RFC 7240), at most the limit.

        Who says nothing of it waits ``otherwise_s``, the limit unless it is given.
        """
        match = _PREFER_WAIT.search(self.request.headers.get("Prefer", ""))
        if match is None:
            return limit_s if otherwise_s is None else otherwise_s
        return min(float(match[1]), limit_s)

"""The inbox, the catalogue of events, and the sandbox's mailbox."""

import hashlib
import json
from typing import Any, ClassVar, cast
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpResponseBase
from django.utils.cache import get_conditional_response
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from fintech_core import clock
from fintech_core.api import PAGING, ApiViewSet
from fintech_core.headers import IF_NONE_MATCH
from fintech_core.pagination import InMemory, NewestFirst
from notifications import selectors, services
from notifications.models import Delivery, Message
from notifications.serializers import (
    EventTypeResponse,
    MessageResponse,
    NothingRequest,
    SandboxMessageResponse,
    SandboxMessagesQuery,
    UnreadCountResponse,
)


class InboxPages(NewestFirst):
    """Pages that also say how many messages are unread."""

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe the count beside the page."""
        described = super().get_paginated_response_schema(schema)
        described["properties"]["unread_count"] = {"type": "integer", "minimum": 0}
        described["required"] = ["next", "previous", "unread_count", "results"]
        return described


@extend_schema(tags=["notifications"])
class NotificationViewSet(ApiViewSet):
    """A person's inbox."""

    queryset = Message.objects.none()
    serializer_class = MessageResponse
    pagination_class = InboxPages
    query_parameters: ClassVar = {"list": PAGING}

    @property
    def user_id(self) -> UUID:
        """Return whose inbox it is: nobody comes here without being signed in."""
        return cast("UUID", self.request.user.pk)

    @extend_schema(
        summary="List notifications",
        description="Newest first. Poll with If-None-Match: while nothing has changed the answer is 304.",
        parameters=[IF_NONE_MATCH],
        responses={200: MessageResponse(many=True), 304: OpenApiResponse(description="Nothing has changed")},
    )
    def list(self, request: Request) -> HttpResponseBase:
        """Answer a page of the inbox with the number of unread messages, or 304."""
        page = self.paginate_queryset(selectors.messages_for(user_id=self.user_id))
        response = self.get_paginated_response(MessageResponse(page, many=True).data)
        results = response.data.pop("results")
        response.data["unread_count"] = selectors.unread_count(user_id=self.user_id)
        response.data["results"] = results
        canonical = json.dumps(response.data, cls=DjangoJSONEncoder).encode()
        etag = f'"{hashlib.sha256(canonical).hexdigest()[:32]}"'
        response.headers["ETag"] = etag
        response.headers["Cache-Control"] = "private, no-cache"
        return get_conditional_response(request._request, etag=etag, response=response) or response

    @extend_schema(
        summary="Mark a notification as read", request=None, responses={200: MessageResponse}, filters=False
    )
    @action(detail=True, methods=["post"])
    def read(self, request: Request, pk: str) -> Response:
        """Mark one message as read; again is fine."""
        self.read_body(NothingRequest)
        message = services.mark_read(user_id=self.user_id, message_id=UUID(pk), now=clock.now())
        return Response(MessageResponse(message).data)

    @extend_schema(
        summary="Mark all notifications as read",
        request=None,
        responses={200: UnreadCountResponse},
        filters=False,
    )
    @action(detail=False, methods=["post"], url_path="read-all")
    def read_all(self, request: Request) -> Response:
        """Mark everything so far as read."""
        self.read_body(NothingRequest)
        services.mark_all_read(user_id=self.user_id, now=clock.now())
        return Response({"unread_count": selectors.unread_count(user_id=self.user_id)})


@extend_schema(tags=["events"])
class EventTypeViewSet(ApiViewSet):
    """The catalogue of events."""

    serializer_class = EventTypeResponse
    pagination_class = InMemory
    query_parameters: ClassVar = {"list": PAGING}

    @extend_schema(summary="List event types", responses={200: EventTypeResponse(many=True)})
    def list(self, request: Request) -> Response:
        """Answer every public event type, by name."""
        page = self.paginate_queryset(selectors.public_event_types())
        return self.get_paginated_response(EventTypeResponse(page, many=True).data)


@extend_schema(tags=["sandbox"])
class SandboxMessageViewSet(ApiViewSet):
    """What would have gone to somebody's mailbox. Exists outside of production only."""

    queryset = Delivery.objects.none()
    serializer_class = SandboxMessageResponse
    authentication_classes = ()
    permission_classes = (AllowAny,)
    query_parameters: ClassVar = {"list": PAGING | {"to"}}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Answer 404 outside of the sandbox, whatever is asked."""
        selectors.require_sandbox()
        super().initial(request, *args, **kwargs)

    @extend_schema(
        summary="Read the sandbox's mailbox",
        description="Development only (OTP_MODE=sandbox, not production), else 404. Newest first.",
        parameters=[SandboxMessagesQuery],
        responses={200: SandboxMessageResponse(many=True)},
    )
    def list(self, request: Request) -> Response:
        """Answer the messages to one address."""
        query = self.read_query(SandboxMessagesQuery)
        page = self.paginate_queryset(selectors.sandbox_messages(to=query["to"]))
        return self.get_paginated_response(SandboxMessageResponse(page, many=True).data)

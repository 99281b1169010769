"""Routes of messages and events, included below ``/api/v1/``."""

from rest_framework.routers import SimpleRouter

from notifications.views import EventTypeViewSet, NotificationViewSet, SandboxMessageViewSet

router = SimpleRouter(trailing_slash=False)
router.register("notifications", NotificationViewSet, basename="notification")
router.register("events/types", EventTypeViewSet, basename="event-type")
router.register("sandbox/messages", SandboxMessageViewSet, basename="sandbox-message")

urlpatterns = router.urls

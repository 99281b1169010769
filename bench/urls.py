"""The product's routes, and one that does nothing but authenticate, for comparison."""

from django.urls import include, path
from rest_framework.request import Request
from rest_framework.response import Response

from fintech_core.api import ApiViewSet


class NoopViewSet(ApiViewSet):
    """Everything that any route costs, and nothing else."""

    schema = None

    def retrieve(self, request: Request) -> Response:
        """Answer nothing."""
        return Response({})


urlpatterns = [
    path("api/v1/bench/noop", NoopViewSet.as_view({"get": "retrieve"})),
    path("", include("fintech_core.urls")),
]

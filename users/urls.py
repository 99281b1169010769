"""Routes of this app, below ``/api/v1/``."""

from django.urls import path

from users.views.auth import AuthViewSet, SessionViewSet
from users.views.me import MeViewSet, MyKycViewSet
from users.views.staff import StaffKycViewSet

urlpatterns = [
    path("auth/register", AuthViewSet.as_view({"post": "register"})),
    path("auth/login", AuthViewSet.as_view({"post": "login"})),
    path("auth/refresh", AuthViewSet.as_view({"post": "refresh"})),
    path("auth/logout", AuthViewSet.as_view({"post": "logout"})),
    path("auth/sessions", SessionViewSet.as_view({"get": "list", "delete": "clear"})),
    path("auth/sessions/<uuid:pk>", SessionViewSet.as_view({"get": "retrieve", "delete": "destroy"})),
    path("users/me", MeViewSet.as_view({"get": "retrieve", "patch": "partial_update"})),
    path("users/me/pin", MeViewSet.as_view({"put": "pin"})),
    path("users/me/kyc", MyKycViewSet.as_view({"get": "retrieve", "post": "create"})),
    path("admin/kyc", StaffKycViewSet.as_view({"get": "list"})),
    path("admin/kyc/<uuid:pk>/approve", StaffKycViewSet.as_view({"post": "approve"})),
    path("admin/kyc/<uuid:pk>/reject", StaffKycViewSet.as_view({"post": "reject"})),
]

"""Who may call a staff route."""

from django.http import HttpRequest
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from users.models import User


class StaffPermission(BasePermission):
    """Staff with the permission that the view's ``staff_permissions`` names for the action, or with one of several."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Say whether the user may run this action."""
        named = getattr(view, "staff_permissions", {}).get(getattr(view, "action", None), ())
        needed = [named] if isinstance(named, str) else named
        user = request.user
        return bool(user.is_authenticated and user.is_staff and any(map(user.has_perm, needed)))


def staff_member(request: HttpRequest) -> User:
    """Return who acts in the admin. Raises TypeError for nobody: the admin lets only staff in."""
    if not isinstance(request.user, User):
        raise TypeError("the admin is open to signed-in staff only")
    return request.user

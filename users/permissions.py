"""Who may call a staff route."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


class StaffPermission(BasePermission):
    """Staff with the permission that the view's ``staff_permissions`` names for the action."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Say whether the user may run this action."""
        needed = getattr(view, "staff_permissions", {}).get(getattr(view, "action", None))
        user = request.user
        return bool(needed and user.is_authenticated and user.is_staff and user.has_perm(needed))

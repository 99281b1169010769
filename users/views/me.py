"""The signed-in person: profile, PIN, identity."""

from typing import ClassVar

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from fintech_core import clock
from fintech_core.api import ApiViewSet
from fintech_core.headers import PREFER
from fintech_core.throttling import Rate
from users import selectors
from users.authentication import signed_in_user
from users.past_names import NAMES
from users.serializers.kyc import KycCaseResponse, SubmitKycRequest
from users.serializers.people import ProfileResponse, SetPinRequest, UpdateProfileRequest
from users.services import accounts, kyc, pins

# Each change is read again with every statement that names the person, and those are other people's, too.
RENAMES = Rate(20, 86_400, "user", "rename")


@extend_schema(tags=["users"])
class MeViewSet(ApiViewSet):
    """The profile and the transaction PIN."""

    rate_limits: ClassVar = {"pin": (Rate(20, 60, "user", "pin"),)}

    @extend_schema(operation_id="get_me", responses=ProfileResponse)
    def retrieve(self, request: Request) -> Response:
        """Show the profile."""
        return Response(ProfileResponse(selectors.get_profile(signed_in_user(request))).data)

    @extend_schema(operation_id="update_me", request=UpdateProfileRequest, responses=ProfileResponse)
    def partial_update(self, request: Request) -> Response:
        """Change names or language."""
        body, user = self.read_body(UpdateProfileRequest), signed_in_user(request)
        if any(name in body and body[name] != getattr(user, name) for name in NAMES):
            self.charge(request, RENAMES, units=1)
        user = accounts.update_profile(user_id=user.pk, changes=body)
        return Response(ProfileResponse(selectors.get_profile(user)).data)

    @extend_schema(operation_id="set_pin", request=SetPinRequest, responses={204: None})
    def pin(self, request: Request) -> Response:
        """Set the first PIN with the password, or change it with the current one."""
        body = self.read_body(SetPinRequest)
        pins.set_pin(user=signed_in_user(request), **body, now=clock.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(tags=["users"])
class MyKycViewSet(ApiViewSet):
    """The person's identity check."""

    rate_limits: ClassVar = {"create": (Rate(20, 3600, "user", "kyc"),)}

    @extend_schema(operation_id="get_kyc", parameters=[PREFER], responses=KycCaseResponse)
    def retrieve(self, request: Request) -> Response:
        """Show the latest case; ``Prefer: wait=N`` waits for the verifier, at most 8 s."""
        wait_s = self.preferred_wait_s(settings.WEB_WAIT_LIMIT_S, otherwise_s=0.0)
        case = selectors.wait_for_decision(user_id=signed_in_user(request).pk, wait_s=wait_s)
        return Response(KycCaseResponse(case).data)

    @extend_schema(
        operation_id="submit_kyc",
        request=SubmitKycRequest,
        parameters=[PREFER],
        responses={201: KycCaseResponse},
    )
    def create(self, request: Request) -> Response:
        """Open an identity case; answers once the verifier spoke, after 8 s at the latest."""
        user = signed_in_user(request)
        kyc.submit(user=user, **self.read_body(SubmitKycRequest), now=clock.now())
        wait_s = self.preferred_wait_s(settings.WEB_WAIT_LIMIT_S)
        case = selectors.wait_for_decision(user_id=user.pk, wait_s=wait_s)
        return Response(KycCaseResponse(case).data, status=status.HTTP_201_CREATED)

"""Factories, named by state."""

import factory
from factory.django import DjangoModelFactory

from users.models import User


class UserFactory(DjangoModelFactory[User]):
    """A customer of tier 1 with a main NGN wallet (made by the signal)."""

    class Meta:
        model = User

    email = factory.Sequence(lambda n: f"person{n}@example.com")
    first_name = "Ada"
    last_name = factory.Sequence(lambda n: f"Obi{n}")
    referral_code = factory.Sequence(lambda n: f"REF{n:08d}")
    kyc_tier = 1


class UnverifiedUserFactory(UserFactory):
    """A customer who has not passed KYC."""

    kyc_tier = 0


class StaffFactory(UserFactory):
    """Somebody who works here, without any permission yet."""

    is_staff = True


class ManagerFactory(StaffFactory):
    """Somebody who works here and may do everything, but not decide alone."""

    is_superuser = True

"""How staff sign in: as slowly as everybody else."""

import math
from typing import Any

from django import forms
from unfold.forms import AuthenticationForm

from fintech_core import throttling
from users.views.auth import LOGINS_PER_ACCOUNT, LOGINS_PER_ADDRESS


class StaffSignInForm(AuthenticationForm):
    """E-mail and password; each try counts like a sign-in through the API, by account and by address."""

    def clean(self) -> dict[str, Any]:
        """Refuse a try that comes too soon before the password is looked at; raises ValidationError."""
        account = self.cleaned_data.get("username")
        if isinstance(account, str) and self.request is not None:
            wait_s = throttling.wait_for_page(
                self.request,
                by_address=LOGINS_PER_ADDRESS,
                by_key=LOGINS_PER_ACCOUNT,
                key=account.strip().lower(),
            )
            if wait_s > 0:
                raise forms.ValidationError(
                    f"Too many tries. Try again in {math.ceil(wait_s)} seconds.", code="rate_limited"
                )
        cleaned: dict[str, Any] = super().clean()
        return cleaned

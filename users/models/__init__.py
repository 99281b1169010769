"""People, how they prove who they are, and how far they are known.

A ``User`` signs in with e-mail and password and gets a ``Session``: one family of refresh tokens on one
device, each token good for one exchange. Money leaves only with a ``TransactionPin``. A ``KycCase`` moves the
user up a tier; the tier itself stands on the user, because every posting reads it together with the locked
wallet. An ``IdentityDocument`` belongs to one user for ever, whatever else is decided.

No secret can be read back from these tables: passwords are Argon2id, refresh tokens are hashes, PINs are
keyed hashes under a pepper that the database does not hold, document numbers are encrypted.
"""

from users.models.kyc import IdentityDocument, KycCase
from users.models.pins import TransactionPin
from users.models.sessions import RefreshToken, Session
from users.models.user import User, UserManager

__all__ = ["IdentityDocument", "KycCase", "RefreshToken", "Session", "TransactionPin", "User", "UserManager"]

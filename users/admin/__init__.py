"""Staff: people, their sessions and PINs, and the queue of identity cases.

Nobody is edited here and nobody is made staff by a form: what changes goes through dialogs that call the same
services as the API.
"""

from users.admin import identity, people

__all__ = ["identity", "people"]

"""Password hashing: Argon2id with the OWASP parameters (19 MiB, t=2, p=1)."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2id(Argon2PasswordHasher):
    """Argon2id at 19 MiB: the OWASP Password Storage Cheat Sheet's first choice, about 35 ms on a small core."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1

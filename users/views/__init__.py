"""Routes: ``auth`` (sign-up, sign-in, sessions), ``me`` (profile, PIN, identity) and ``staff``."""

"""Secrets for development: they stand in the source, so anybody has them, and production refuses them."""


def secret(name: str) -> str:
    """Return what the secret of this name is where nobody has set it."""
    return f"insecure-development-{name.lower().replace('_', '-')}-not-for-production"

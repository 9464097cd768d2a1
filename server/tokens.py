"""One-purpose tokens: signed words that let a phone answer or confirm one alert without a session."""

from typing import Any

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

VALID_SECONDS = 4 * 3600


class TokenExpired(Exception):
    """The token was good once."""


class TokenWrong(Exception):
    """The token was never good, or for something else."""


def sign(secret: str, purpose: str, **words: str) -> str:
    """A token for one purpose ("answer" or "receipt") and the ids it is about; valid four hours."""
    return str(URLSafeTimedSerializer(secret, salt=f"tocsin-{purpose}").dumps(words))


def read(secret: str, purpose: str, token: str) -> dict[str, Any]:
    """What a token says. Raises TokenExpired or TokenWrong."""
    try:
        found = URLSafeTimedSerializer(secret, salt=f"tocsin-{purpose}").loads(token, max_age=VALID_SECONDS)
    except SignatureExpired:
        raise TokenExpired from None
    except BadSignature:
        raise TokenWrong from None
    if not isinstance(found, dict):
        raise TokenWrong
    return found

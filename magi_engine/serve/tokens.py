"""Who may use the engine: tokens, one a line of a file that only its owner can read."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from magi_engine.disk import writing
from magi_engine.errors import InvalidRequestError, folder_error, pipe_error
from magi_engine.text_file import read_text

_MOST_BYTES = 1 << 20
_LEAST_LETTERS = 20


class Tokens:
    """The tokens that are accepted. Each has its own jobs, files and takes.

    Args:
        path: of the file; made with one token if it is not there.

    Raises:
        OutputError: it cannot be made.
        InvalidRequestError: it is no file or cannot be read, others can read it, or a token is
            too short.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            with writing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                fresh = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(fresh, "w") as file:
                    file.write(f"{secrets.token_urlsafe(32)}\n")
        elif path.is_dir():
            raise folder_error(InvalidRequestError, path)
        elif not path.is_file():
            raise pipe_error(InvalidRequestError, path)
        elif os.name == "posix" and path.stat().st_mode & 0o077:
            raise InvalidRequestError(
                "Others can read the tokens in {path}.", "Run: chmod 600 {path}", path=path
            )
        try:
            tokens = read_text(path, _MOST_BYTES).split()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidRequestError(
                "{path} cannot be read.", "Check the name.", path=path
            ) from error
        if not tokens or min(map(len, tokens)) < _LEAST_LETTERS:
            raise InvalidRequestError(
                "A token in {path} has less than {least} letters.",
                "Remove the file: a good one is made.",
                path=path,
                least=_LEAST_LETTERS,
            )
        self._digests = [hashlib.sha256(token.encode()).digest() for token in tokens]

    def owner(self, authorization: str) -> str | None:
        """Who sends an ``Authorization`` header, as a name that says nothing of the token.

        Every token is compared, and in constant time.
        """
        scheme, _, token = authorization.partition(" ")
        digest = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).digest()
        equal = [d for d in self._digests if hmac.compare_digest(d, digest)]
        if scheme.lower() != "bearer" or not equal:
            return None
        return hashlib.sha256(b"owner" + equal[0]).hexdigest()[:16]

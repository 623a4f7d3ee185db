"""What a server proves with that it is the one whose address was given."""

from __future__ import annotations

import hashlib
import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from magi_engine.errors import InvalidRequestError

_DAYS = 3650


@dataclass(frozen=True)
class Certificate:
    """Two files in PEM: the certificate, or a chain of them, and its private key."""

    path: Path
    key: Path

    def pin(self) -> str:
        """The SHA-256 of the certificate, by which clients know it.

        Raises:
            InvalidRequestError: the files are none, or do not belong together.
        """
        try:
            # Without a password nobody is asked for one.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.path, self.key, "")
            begin, end = ssl.PEM_HEADER, ssl.PEM_FOOTER
            text = self.path.read_text(encoding="utf-8", errors="replace")
            first = text[text.index(begin) : text.index(end) + len(end)]
            return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest()
        except (OSError, ValueError) as error:
            raise InvalidRequestError(
                "{path} and {key} are no certificate with its key.",
                "Give two files in PEM, the key without a password.",
                path=self.path,
                key=self.key,
            ) from error


def own_certificate(folder: Path) -> Certificate:
    """The one that the server in a folder, which is there, made for itself at its first start.

    Raises:
        InvalidRequestError: it cannot be made here.
    """
    own = Certificate(folder / "cert.pem", folder / "key.pem")
    if own.path.exists() and own.key.exists():
        return own
    program = shutil.which("openssl")
    command = [program or "", "req", "-x509", "-nodes", "-newkey", "ec"]
    command += ["-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=magi", "-days", str(_DAYS)]
    command += ["-keyout", str(own.key), "-out", str(own.path)]  # the key for its owner alone
    done = program and subprocess.run(command, capture_output=True, check=False)
    if not done or done.returncode:
        for path in (own.path, own.key):  # such as on a full disk; the next start makes them anew
            path.unlink(missing_ok=True)
        raise InvalidRequestError(
            "Beyond this machine others could read what is sent, and no certificate can be made "
            "here without OpenSSL.",
            "Give --tls-cert and --tls-key, or --insecure if the network is safe.",
        )
    return own

"""Signs a Windows program, where a certificate is given; also what the installer's script calls.

    python windows_signing.py FILE

MAGI_SIGN_CERTIFICATE   a .pfx or .p12 file
MAGI_SIGN_PASSWORD      its password, if it has one
MAGI_SIGN_TIMESTAMP     address of a time stamp server: without one, signatures end with the
                        certificate
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

NOTICE = (
    "No certificate is given (MAGI_SIGN_CERTIFICATE): the installer is not signed, and Windows "
    "will warn of it."
)


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether there is a certificate to sign with."""
    return bool(environment.get("MAGI_SIGN_CERTIFICATE"))


def sign(path: Path, environment: Mapping[str, str]) -> None:
    """Sign a program in place.

    Raises:
        FileNotFoundError: neither signtool nor osslsigncode is installed.
        subprocess.CalledProcessError: it could not be signed.
    """
    with tempfile.TemporaryDirectory() as name:
        password = Path(name, "password")
        password.touch(mode=0o600)
        password.write_text(environment.get("MAGI_SIGN_PASSWORD", ""), encoding="utf-8")
        signed = Path(name, path.name)
        if shutil.which("osslsigncode"):
            subprocess.run(
                osslsigncode(path, signed, password, environment),
                check=True,
                stdout=subprocess.DEVNULL,
            )
            shutil.copyfile(signed, path)
        elif shutil.which("signtool"):
            subprocess.run(signtool(path, environment), check=True)
        else:
            raise FileNotFoundError("there is no program to sign with: install osslsigncode")


def osslsigncode(
    path: Path, signed: Path, password: Path, environment: Mapping[str, str]
) -> list[str]:
    """The command on any system."""
    stamp = environment.get("MAGI_SIGN_TIMESTAMP")
    return [
        *("osslsigncode", "sign", "-h", "sha256", "-n", "Magi Desktop"),
        *("-pkcs12", environment["MAGI_SIGN_CERTIFICATE"], "-readpass", str(password)),
        *(("-ts", stamp) if stamp else ()),
        *("-in", str(path), "-out", str(signed)),
    ]


def signtool(path: Path, environment: Mapping[str, str]) -> list[str]:
    """The command with Windows' own program."""
    stamp = environment.get("MAGI_SIGN_TIMESTAMP")
    secret = environment.get("MAGI_SIGN_PASSWORD")
    return [
        *("signtool", "sign", "/fd", "sha256", "/d", "Magi Desktop"),
        *("/f", environment["MAGI_SIGN_CERTIFICATE"]),
        *(("/p", secret) if secret else ()),
        *(("/tr", stamp, "/td", "sha256") if stamp else ()),
        str(path),
    ]


if __name__ == "__main__":
    sign(Path(sys.argv[1]), os.environ)

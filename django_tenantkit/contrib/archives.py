"""Archives encrypted with a passphrase, and signed so that others can check it. Needs `cryptography`
(djtenantkit[archives]). Passphrases and keys come from the environment, and stand in no file of the project."""

from __future__ import annotations

import base64
import io
import os
import struct
from typing import IO, Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from ..exceptions import ArchiveRefused
from ..lifecycle.archive.sealing import MAGIC, Cipher
from ..lifecycle.archive.seals import Signer

#: Environment: the passphrase; the private key that signs, and the public ones that are trusted, in base64.
PASSPHRASE = "DJTENANTKIT_ARCHIVE_PASSPHRASE"
SIGNING_KEY = "DJTENANTKIT_SIGNING_KEY"
TRUSTED_KEYS = "DJTENANTKIT_TRUSTED_KEYS"

_SALT = 16
_RECORD = 1 << 18
_LENGTH = struct.Struct(">I")
_TAG = 16


class PassphraseCipher(Cipher):
    """Encrypts with ChaCha20-Poly1305, in records, with a key that scrypt makes of the passphrase in
    DJTENANTKIT_ARCHIVE_PASSPHRASE. Records are numbered as in STREAM (Hoang et al., 2015)."""

    def sealing(self, stream: IO[bytes]) -> io.RawIOBase:
        header = MAGIC + b"\x01" + os.urandom(_SALT)
        stream.write(header)
        return _Sealing(stream, _Box(header))

    def opening(self, stream: IO[bytes]) -> io.RawIOBase:
        header = _exactly(stream, len(MAGIC) + 1 + _SALT)
        if header[len(MAGIC)] != 1:
            raise ArchiveRefused("The archive is encrypted in a way that this version does not know. Update it.")
        return _Opening(stream, _Box(header))


class _Box:
    """Encrypts and decrypts records, each with its number."""

    def __init__(self, header: bytes) -> None:
        passphrase = os.environ.get(PASSPHRASE, "")
        if not passphrase:
            raise ArchiveRefused(f"There is no passphrase. Put it into the environment, as {PASSPHRASE}.")
        key = Scrypt(salt=header[-_SALT:], length=32, n=1 << 15, r=8, p=1).derive(passphrase.encode())
        self._cipher, self._header, self._number = ChaCha20Poly1305(key), header, 0

    def _nonce(self, is_last: bool) -> bytes:
        self._number += 1
        return (self._number - 1).to_bytes(11, "big") + bytes([is_last])

    def shut(self, data: bytes, is_last: bool) -> bytes:
        return self._cipher.encrypt(self._nonce(is_last), data, self._header)

    def open(self, data: bytes, is_last: bool) -> bytes:
        try:
            return self._cipher.decrypt(self._nonce(is_last), data, self._header)
        except InvalidTag:
            raise ArchiveRefused("The passphrase is not this archive's, or the archive was changed.") from None


class _Sealing(io.RawIOBase):
    def __init__(self, stream: IO[bytes], box: _Box) -> None:
        self._stream, self._box, self._waiting = stream, box, bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._waiting += data
        while len(self._waiting) > _RECORD:  # one is always left, to be the last
            self._put(bytes(self._waiting[:_RECORD]), False)
            del self._waiting[:_RECORD]
        return len(data)

    def _put(self, data: bytes, is_last: bool) -> None:
        record = self._box.shut(data, is_last)
        self._stream.write(_LENGTH.pack(len(record)) + record)

    def close(self) -> None:
        if not self.closed:
            self._put(bytes(self._waiting), True)
        super().close()


class _Opening(io.RawIOBase):
    """Knows the last record by what follows it: nothing. So one that was cut off is none that can be opened."""

    def __init__(self, stream: IO[bytes], box: _Box) -> None:
        self._stream, self._box, self._data = stream, box, b""
        self._next = self._record()

    def readable(self) -> bool:
        return True

    def _record(self) -> bytes | None:
        head = self._stream.read(_LENGTH.size)
        if not head:
            return None
        if len(head) < _LENGTH.size or not _TAG <= (size := _LENGTH.unpack(head)[0]) <= _RECORD + _TAG:
            raise ArchiveRefused("The archive ends in the middle, or it was changed.")
        return _exactly(self._stream, size)

    def readinto(self, buffer: Any) -> int:
        while not self._data and self._next is not None:
            record, self._next = self._next, self._record()
            self._data = self._box.open(record, self._next is None)
        size = min(len(buffer), len(self._data))
        buffer[:size] = self._data[:size]
        self._data = self._data[size:]
        return size


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = b""
    while len(data) < size and (more := stream.read(size - len(data))):
        data += more
    if len(data) < size:
        raise ArchiveRefused("The archive ends in the middle: it was cut off.")
    return data


class Ed25519Signer(Signer):
    """Signs with the private key in DJTENANTKIT_SIGNING_KEY; trusts that one and those in DJTENANTKIT_TRUSTED_KEYS,
    separated by commas. Who only reads archives needs no private key. RFC 8032."""

    algorithm = "ed25519"

    def sign(self, message: bytes) -> dict[str, str]:
        key = _private_key()
        if key is None:
            raise ArchiveRefused(f"There is no key that signs archives. Put it into the environment, as {SIGNING_KEY}.")
        return {"key": _public(key), "signature": base64.b64encode(key.sign(message)).decode()}

    def is_signed(self, message: bytes, signature: dict[str, str]) -> bool:
        own = _private_key()
        trusted = {key.strip() for key in os.environ.get(TRUSTED_KEYS, "").split(",") if key.strip()}
        if signature.get("key") not in trusted | ({_public(own)} if own else set()):
            return False
        try:
            public = Ed25519PublicKey.from_public_bytes(base64.b64decode(signature["key"]))
            public.verify(base64.b64decode(signature.get("signature", "")), message)
        except (InvalidSignature, ValueError):
            return False
        return True


def make_key() -> tuple[str, str]:
    """A new private key and its public one, in base64."""
    key = Ed25519PrivateKey.generate()
    return base64.b64encode(key.private_bytes_raw()).decode(), _public(key)


def _private_key() -> Ed25519PrivateKey | None:
    found = os.environ.get(SIGNING_KEY, "")
    try:
        return Ed25519PrivateKey.from_private_bytes(base64.b64decode(found)) if found else None
    except ValueError as error:
        raise ArchiveRefused(f"{SIGNING_KEY} is no key of Ed25519: 32 bytes in base64.") from error


def _public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()

"""How paths are written in tables: printable text from which the bytes of the name can be had back.

Bytes that are not UTF-8, control and direction characters, the backslash and the exclamation mark are written `\\xNN`, UTF-8
byte by byte.
"""

import re

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\\\\!\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_WRITTEN = re.compile(rb"\\x([0-9a-f]{2})")


def printable_path(raw: bytes) -> str:
    """The printable form of a file's or member's name; see the module's text. `raw_path` turns it back."""
    text = raw.decode("utf-8", "surrogateescape")
    return _UNPRINTABLE.sub(lambda m: "".join(f"\\x{b:02x}" for b in m[0].encode("utf-8", "surrogateescape")), text)


def raw_path(text: str) -> bytes:
    """The bytes of the name that `printable_path` made `text` of."""
    return _WRITTEN.sub(lambda m: bytes([int(m[1], 16)]), text.encode())

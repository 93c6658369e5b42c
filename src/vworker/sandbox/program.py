"""What a program needs to be started at all: nothing when it is static, else the system's files."""

from __future__ import annotations

import struct
from pathlib import Path

#: Where libraries, interpreters and what they read lie.
_SYSTEM = ("/usr", "/bin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")
#: Program header that names the dynamic linker.
_PT_INTERP = 3
_HEADER = struct.Struct("<4sBB26xQ14xHH")


def needed_files(program: Path) -> tuple[Path, ...]:
    """Return what a program reads to start, itself included; existing absolute paths.

    A static program gets itself alone. Any other one, scripts included, gets the system's folders
    of programs and libraries, and `lib` beside its own `bin` (an installation of its own).
    """
    if _is_static(program):
        return (program,)
    own_libraries = program.parent.parent / "lib"
    found = [Path(path) for path in _SYSTEM if Path(path).exists()]
    if own_libraries.is_dir() and not own_libraries.is_relative_to("/usr"):
        found.append(own_libraries)
    return (*found, program)


def _is_static(program: Path) -> bool:
    """Whether it is a 64-bit little-endian ELF file that names no dynamic linker."""
    with program.open("rb") as file:
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size:
            return False
        magic, bits, order, table_at, entry_bytes, entries = _HEADER.unpack(header)
        if magic != b"\x7fELF" or (bits, order) != (2, 1):
            return False
        file.seek(table_at)
        table = file.read(entry_bytes * entries)
    types = (table[at : at + 4] for at in range(0, len(table), entry_bytes))
    return not any(int.from_bytes(kind, "little") == _PT_INTERP for kind in types)

"""Which symbols an object file takes from outside: enough of ELF to tell."""

import struct

_ELF64 = b"\x7fELF\x02\x01"
_SYMBOL_TABLE = 2  # sh_type of the symbol table
_SYMBOL = struct.Struct("<IBBHQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")


def undefined_symbols(code: bytes) -> frozenset[str]:
    """Return the names that an ELF object leaves open; none for another format."""
    if not code.startswith(_ELF64):
        return frozenset()
    (start,) = struct.unpack_from("<Q", code, 40)
    size, count = struct.unpack_from("<HH", code, 58)
    sections = [_SECTION.unpack_from(code, start + i * size) for i in range(count)]
    names = set()
    for _, kind, _, _, at, length, link, *_ in sections:
        if kind != _SYMBOL_TABLE:
            continue
        strings = sections[link][4]
        for name, _, _, section, _, _ in _SYMBOL.iter_unpack(code[at : at + length]):
            if section == 0 and name:
                end = code.index(b"\0", strings + name)
                names.add(code[strings + name : end].decode())
    return frozenset(names)

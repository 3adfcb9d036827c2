"""The CPU: LLVM text and object code."""

from tensorc.address_space import MIB, require

# Before any module of this room loads it: it says that it was not found.
require(160 * MIB, "LLVM")

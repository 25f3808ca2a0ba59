"""Numbers that do not begin at a byte, as video codecs write them."""

from __future__ import annotations

_LONGEST = 32  # bits


class Bits:
    """Bytes, read bit by bit; behind their end are zeros.

    Args:
        data: at most some hundred bytes.
    """

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def number(self, size: int) -> int:
        """Return the next number, of so many bits."""
        self._left -= size
        shifted = self._value >> self._left if self._left >= 0 else self._value << -self._left
        return shifted & ((1 << size) - 1)

    def golomb(self) -> int:
        """Return the next number that is coded by how many zeros it begins with (H.265, section 9.2; AV1, 4.10.3)."""
        zeros = 0
        while zeros < _LONGEST and not self.number(1):
            zeros += 1
        if zeros == _LONGEST:  # nothing follows in AV1; in HEVC it is an error in any case
            return (1 << zeros) - 1
        return (1 << zeros) - 1 + self.number(zeros)

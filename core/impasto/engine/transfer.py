"""How pictures get from the host's memory to a device's and back."""

from __future__ import annotations

import ctypes
import logging
import weakref
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from impasto.errors import EngineError
from impasto.images import Planes

_HOST_TO_DEVICE, _DEVICE_TO_HOST = 1, 2  # of the enumeration cudaMemcpyKind
_LIBRARIES = ("libcudart.so.13", "libcudart.so.12")

_log = logging.getLogger(__name__)


class Transfer(Protocol):
    """Copies between arrays of its own and OrtValues of the same size, contiguous and of float32."""

    def array(self, shape: tuple[int, ...]) -> Planes:
        """Return new memory of the host's."""

    def upload(self, array: Planes, value: Any) -> None:
        """Copy to the device."""

    def download(self, value: Any, array: Planes) -> None:
        """Copy from the device."""


class PlainTransfer:
    """By ONNX Runtime, from and to ordinary memory: on every device."""

    def array(self, shape: tuple[int, ...]) -> Planes:
        return np.zeros(shape, np.float32)

    def upload(self, array: Planes, value: Any) -> None:
        value.update_inplace(array)

    def download(self, value: Any, array: Planes) -> None:
        array[:] = value.numpy()


class PinnedTransfer:
    """By the CUDA runtime, from and to pinned memory, which the device reads and writes by itself.

    ONNX Runtime's Python interface offers neither pinned memory nor a copy into an array that there is already, and
    holds the interpreter's lock while it copies.

    Args:
        library: the CUDA runtime, as ctypes loads it.
        later: calls a function where and when the device may be called.

    Raises:
        EngineError: it has no pinned memory to give.
    """

    def __init__(self, library: Any, later: Callable[..., object]) -> None:
        self._library = library
        self._later = later
        library.cudaMemcpy.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        library.cudaHostAlloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint]
        library.cudaFreeHost.argtypes = [ctypes.c_void_p]
        self.array((1,))

    def array(self, shape: tuple[int, ...]) -> Planes:
        count = int(np.prod(shape))
        address = ctypes.c_void_p()
        self._call("cudaHostAlloc", ctypes.byref(address), 4 * count, 0)
        assert address.value is not None
        memory = (ctypes.c_float * count).from_address(address.value)
        # Behind the last array that shows it.
        weakref.finalize(memory, self._later, self._library.cudaFreeHost, address).atexit = False
        array: Planes = np.ctypeslib.as_array(memory).reshape(shape)
        array[:] = 0
        return array

    def upload(self, array: Planes, value: Any) -> None:
        self._call("cudaMemcpy", value.data_ptr(), array.ctypes.data, array.nbytes, _HOST_TO_DEVICE)

    def download(self, value: Any, array: Planes) -> None:
        self._call("cudaMemcpy", array.ctypes.data, value.data_ptr(), array.nbytes, _DEVICE_TO_HOST)

    def _call(self, name: str, *arguments: Any) -> None:
        status = getattr(self._library, name)(*arguments)
        if status != 0:
            raise EngineError(f"the CUDA runtime's {name} failed with error {status}")


def cuda_transfer(later: Callable[..., object], load: Callable[[str], Any] = ctypes.CDLL) -> Transfer:
    """Return the transfer by pinned memory where the CUDA runtime can be loaded, else the plain one.

    Args:
        later: as PinnedTransfer takes it.
        load: loads a library.
    """
    for name in _LIBRARIES:
        try:
            return PinnedTransfer(load(name), later)
        except (OSError, AttributeError, EngineError) as error:
            reason = error
    _log.warning("pictures go to the device through ordinary memory, which is slower: %s", reason)
    return PlainTransfer()

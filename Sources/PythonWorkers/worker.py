"""The Python side of a worker: serves the calls that come over the socket that is its standard input.

A packet of the socket is one MessagePack array, whose first item says what it is; a descriptor
comes in a packet of its own behind the one that announces it. Memory is mapped, never sent. A
packet longer than `PACKET` lies in memory itself.
"""

import array
import builtins
import faulthandler
import fcntl
import gc
import importlib
import inspect
import logging
import mmap
import operator
import os
import resource
import signal
import socket
import struct
import sys
import threading
import traceback
from functools import lru_cache, partial

PACKET = 1 << 16
CHAIN = 64  # links of a chain of causes; more than any real one has

# From the host.
HELLO, MAP, FORGET, CALL, ANSWER, PING, LARGE = range(7)
# To the host.
READY, RESULT, RAISED, MISFIT, CALLBACK, ALLOCATE, LOG, PONG, LARGE_REPLY = range(9)
# What memory is asked for.
ON_DEMAND, COPY, MESSAGE = range(3)
# Extension types of MessagePack.
VIEW, FUNCTION, ALLOCATOR, LIST, COMPLEX = range(5)

PLANS = 1024  # calls that are remembered; each is a packet and its arguments
PLANNED = 1024  # bytes of the longest packet of these


class SwiftError(RuntimeError):
    """A Swift closure that Python called threw an error."""


class Cancelled(BaseException):
    """The Swift task that made this call was cancelled."""


class DeadlineExceeded(BaseException):
    """The time that this call had is over."""


for _type in (SwiftError, Cancelled, DeadlineExceeded):
    _type.__module__ = "PythonBridge"


class Misfit(Exception):
    """A result is not what Swift asked for."""


# MARK: - MessagePack


def pack_int(value):
    if 0 <= value < 128:
        return bytes((value,))
    if -(1 << 63) <= value < 1 << 63:
        return b"\xd3" + value.to_bytes(8, "big", signed=True)
    return b"\xcf" + value.to_bytes(8, "big")


def pack_sized(data, code):
    return bytes((code,)) + len(data).to_bytes(4, "big") + data


def pack_str(text):
    return pack_sized(text.encode("utf-8", "surrogatepass"), 0xDB)


def pack_list(items):
    return b"\xdd" + len(items).to_bytes(4, "big") + b"".join(items)


def pack_ext(code, data):
    return b"\xc9" + len(data).to_bytes(4, "big") + bytes((code,)) + data


def pack(value):
    """Return the packed form of nested lists of numbers, texts and None."""
    if value is None:
        return b"\xc0"
    if value is True or value is False:
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return pack_int(value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        return pack_str(value)
    return pack_list([pack(item) for item in value])


# Codes of MessagePack: how a number is packed, and how many bytes a length has.
SIZES = {0xCC: "B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: "b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
LENGTHS = {0xD9: 1, 0xDA: 2, 0xDB: 4, 0xC4: 1, 0xC5: 2, 0xC6: 4, 0xDC: 2, 0xDD: 4, 0xC7: 1, 0xC8: 2, 0xC9: 4}


class Unpacker:
    """Reads one packet; `is_repeatable` tells whether the same packet means the same again."""

    def __init__(self, packet, extension):
        self.packet = packet
        self.position = 0
        self.extension = extension
        self.is_repeatable = True

    def take(self, count):
        start = self.position
        self.position = start + count
        return self.packet[start : self.position]

    def value(self):
        code = self.packet[self.position]
        self.position += 1
        if code < 0x80:
            return code
        if code >= 0xE0:
            return code - 0x100
        if code == 0xC0:
            return None
        if code in (0xC2, 0xC3):
            return code == 0xC3
        if code == 0xCB:
            return struct.unpack(">d", self.take(8))[0]
        if code in SIZES:
            layout = SIZES[code]
            return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]
        if 0xA0 <= code < 0xC0:
            return str(self.take(code - 0xA0), "utf-8")
        if 0x90 <= code < 0xA0:
            return self.items(code - 0x90)
        length = int.from_bytes(self.take(LENGTHS[code]), "big")
        if code in (0xDC, 0xDD):
            return self.items(length)
        if code in (0xC7, 0xC8, 0xC9):
            extension = self.take(1)[0]
            self.is_repeatable &= extension in (VIEW, COMPLEX)
            return self.extension(extension, self.take(length))
        data = self.take(length)
        return str(data, "utf-8", "surrogatepass") if code >= 0xD9 else data

    def items(self, count):
        return [self.value() for _ in range(count)]


# MARK: - Memory


class Memory:
    """Memory of the host's that is mapped here."""

    def __init__(self, descriptor, length, is_writable, is_lent):
        self.length = length
        self.is_lent = is_lent
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if is_writable else 0)
        # An empty mapping there is not.
        self.map = mmap.mmap(descriptor, length, mmap.MAP_SHARED, protection) if length else bytearray()
        self._address = None

    @property
    def address(self):
        if self._address is None:
            self._address = Description(self.map).address
        return self._address

    def view(self, offset, letters, is_read_only, shape, strides):
        """Return a memoryview of an array in this memory, whose strides count bytes."""
        size = item_size(letters)
        packed = []
        distance = size
        for length in reversed(shape):
            packed.insert(0, distance)
            distance *= max(length, 1)
        count = 1
        for length in shape:
            count *= length
        whole = memoryview(self.map)
        if letters in "dflLiIhHbB?" and count and list(strides) == packed:
            view = whole[offset : offset + count * size].cast("B").cast(letters, shape)
        elif letters in "dflLiIhHbB?" and len(shape) == 1 and count and strides[0] and strides[0] % size == 0:
            step = strides[0] // size
            low = offset if step > 0 else offset + (count - 1) * strides[0]
            high = low + (count - 1) * abs(strides[0]) + size
            view = whole[low:high].cast(letters)[::step]
        else:
            import numpy

            kind = numpy.dtype({"Zd": "complex128", "Zf": "complex64"}.get(letters, letters))
            source = whole if count else bytearray(size)
            place = {"offset": offset, "strides": tuple(strides)} if count else {}
            view = memoryview(numpy.ndarray(tuple(shape), kind, source, **place))
        return view.toreadonly() if is_read_only else view

    def close(self):
        """Unmap; return whether a view was left, which keeps the mapping."""
        try:
            if self.length:
                self.map.close()
        except BufferError:
            return True
        return False


def item_size(letters):
    if letters[0] == "Z":
        return 2 * struct.calcsize(letters[1:])
    return struct.calcsize(letters)


@lru_cache(maxsize=1)
def buffer_type():
    """Return C's `Py_buffer`: a class that takes longer to make than a short call."""
    import ctypes

    class PyBuffer(ctypes.Structure):
        _fields_ = (
            ("buf", ctypes.c_void_p),
            ("obj", ctypes.py_object),
            ("len", ctypes.c_ssize_t),
            ("itemsize", ctypes.c_ssize_t),
            ("readonly", ctypes.c_int),
            ("ndim", ctypes.c_int),
            ("format", ctypes.c_char_p),
            ("shape", ctypes.POINTER(ctypes.c_ssize_t)),
            ("strides", ctypes.POINTER(ctypes.c_ssize_t)),
            ("suboffsets", ctypes.c_void_p),
            ("internal", ctypes.c_void_p),
        )

    return PyBuffer


class Description:
    """What the buffer protocol says of an object: where its elements lie, and what they are."""

    def __init__(self, value):
        import ctypes

        buffer = buffer_type()()
        full_read_only = 0x011C  # PyBUF_FULL_RO
        ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(value), ctypes.byref(buffer), full_read_only)
        try:
            self.address = buffer.buf or 0
            self.letters = (buffer.format or b"B").decode()
            self.is_read_only = bool(buffer.readonly)
            self.shape = buffer.shape[: buffer.ndim] if buffer.ndim else []
            self.strides = buffer.strides[: buffer.ndim] if buffer.ndim else []
            self.size = buffer.itemsize
            self.has_pointers = bool(buffer.suboffsets)
        finally:
            ctypes.pythonapi.PyBuffer_Release(ctypes.byref(buffer))


# MARK: - Results


def type_name(value):
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def misfit(value):
    return Misfit(type_name(value))


def is_numpy_bool(value):
    return type_name(value) in ("numpy.bool_", "numpy.bool")


def write_int(worker, value):
    if not isinstance(value, int):
        if is_numpy_bool(value) or not hasattr(type(value), "__index__"):
            raise misfit(value)
        value = operator.index(value)
    if not -(1 << 63) <= value < 1 << 64:
        raise Misfit("an int out of its range")
    return pack_int(value)


def as_float(value):
    if isinstance(value, float):
        return value
    kind = type(value)
    is_number = hasattr(kind, "__float__") or hasattr(kind, "__index__")
    if not is_number or hasattr(kind, "__len__") or isinstance(value, complex):
        raise misfit(value)
    if type_name(value).startswith("numpy.c"):
        raise misfit(value)
    try:
        return float(value)
    except OverflowError:
        raise Misfit("an int out of its range") from None


def write_float(worker, value):
    return b"\xcb" + struct.pack(">d", as_float(value))


def write_complex(worker, value):
    if not isinstance(value, complex):
        value = complex(value) if type_name(value).startswith("numpy.c") else complex(as_float(value))
    return pack_ext(COMPLEX, struct.pack(">dd", value.real, value.imag))


def write_bool(worker, value):
    if value is not True and value is not False and not is_numpy_bool(value):
        raise misfit(value)
    return b"\xc3" if value else b"\xc2"


def write_str(worker, value):
    if not isinstance(value, str):
        raise misfit(value)
    return pack_sized(value.encode("utf-8"), 0xDB)


def write_nothing(worker, value):
    return b"\xc0"


def write_optional(write, worker, value):
    return b"\xc0" if value is None else write(worker, value)


def write_list(kind, worker, value):
    if isinstance(value, (str, bytes, bytearray)):
        raise misfit(value)
    try:
        items = list(value)
    except TypeError:
        if hasattr(type(value), "__iter__") or hasattr(type(value), "__getitem__"):
            raise
        raise misfit(value) from None
    letter = {"f": "d", "i": "q"}.get(kind)
    if letter and items and all(type(item) in (float, int) for item in items):
        try:
            return pack_ext(LIST, letter.encode() + array.array(letter, items).tobytes())
        except (OverflowError, TypeError):
            pass
    write = writer(kind)
    return pack_list([write(worker, item) for item in items])


def write_view(worker, value):
    try:
        found = Description(value)
    except TypeError:
        raise misfit(value) from None
    if found.letters.lstrip("@=<>!Z") not in tuple("dfeqQlLiIhHbB?"):
        raise Misfit(f"elements of format '{found.letters}'")
    place = worker.place_of(found)
    if place is None:
        place, value = worker.copied(value)
        found = Description(value)
    number, offset = place
    fields = (number, offset, found.letters, found.is_read_only, found.shape, found.strides)
    return pack_ext(VIEW, pack(fields))


WRITERS = {
    "i": write_int,
    "f": write_float,
    "c": write_complex,
    "?": write_bool,
    "s": write_str,
    "n": write_nothing,
    "v": write_view,
}


def writer(kind):
    """Return the function that packs a result of a kind: a letter, `*` for a list of, `!` for None or."""
    if kind[0] == "*":
        return partial(write_list, kind[1:])
    if kind[0] == "!":
        return partial(write_optional, writer(kind[1:]))
    return WRITERS[kind]


# MARK: - Functions of the host


class Callback:
    """A Swift closure."""

    def __init__(self, worker, number, kinds):
        self.worker = worker
        self.call = worker.call
        self.number = number
        self.writers = [writer(kind) for kind in kinds]

    def __call__(self, *arguments):
        if len(arguments) != len(self.writers):
            expected = len(self.writers)
            plural = "one argument" if expected == 1 else f"{expected} arguments"
            raise TypeError(f"expected {plural} from Python, got {len(arguments)}")
        packed = []
        for index, (write, argument) in enumerate(zip(self.writers, arguments)):
            try:
                packed.append(write(self.worker, argument))
            except Misfit as error:
                raise TypeError(f"argument {index + 1} of a Swift function cannot be {error}") from None
        request = b"\x93" + pack_int(CALLBACK) + pack_int(self.number) + pack_list(packed)
        return self.worker.ask(self.call, request)


class Allocator:
    """Asks the host for memory."""

    def __init__(self, worker, letters):
        self.worker = worker
        self.call = worker.call
        self.letters = letters

    def __call__(self, lengths):
        try:
            shape = [operator.index(lengths)]
        except TypeError:
            if isinstance(lengths, (str, bytes, bytearray)) or not hasattr(type(lengths), "__iter__"):
                found = type_name(lengths)
                raise TypeError(f"expected a length or a tuple of lengths from Python, got {found}") from None
            shape = [operator.index(length) for length in lengths]
        size = item_size(self.letters)
        strides = []
        for length in reversed(shape):
            if length < 0:
                raise ValueError(f"a length of {length} is negative")
            strides.insert(0, size)
            size *= max(length, 1)
        if size >= 1 << 63:
            raise MemoryError(f"no memory for {size} bytes")
        memory, _ = self.worker.allocate(self.call, 0 if 0 in shape else size, ON_DEMAND)
        return memory.view(0, self.letters, False, shape, strides)


class LogHandler(logging.Handler):
    """Hands log records to the host's logger."""

    def __init__(self, worker):
        super().__init__()
        self.worker = worker

    def emit(self, record):
        try:
            text = self.format(record)[: PACKET // 8]
            packet = pack((LOG, record.levelno, record.name[:256], text))
            self.worker.socket.send(packet, socket.MSG_DONTWAIT)
        except BlockingIOError:
            # Nobody reads between two calls, and the socket is full.
            print(f"{record.levelname}:{record.name}:{record.getMessage()}", file=sys.stderr)
        except Exception:
            self.handleError(record)


# MARK: - The worker


class Worker:
    """Serves calls, one at a time; those that a callback of the host makes within it are served within it."""

    def __init__(self, channel):
        self.socket = channel
        self.memories = {}
        self.functions = {}
        self.plans = {}
        self.depth = 0
        self.call = 0
        # Held while one thread waits for the host's answer, and to end a call.
        self.asking = threading.RLock()
        # The exceptions of calls that a callback made, as long as it runs.
        self.raised = {}
        self.raised_count = 0

    # What comes in.

    def serve(self):
        buffer = bytearray(PACKET)
        received = memoryview(buffer)
        receive = self.socket.recv_into
        send = self.socket.send
        plans = self.plans
        while True:
            packet = bytes(received[: receive(buffer)])
            plan = plans.get(packet)
            if plan is not None:
                send(self.run(*plan))
            elif packet:
                self.handle(packet)
            else:
                return

    def unpack(self, packet):
        unpacker = Unpacker(packet, self.extension)
        return unpacker.value(), unpacker.is_repeatable

    def handle(self, packet):
        """Do what a packet says, unless it is an answer, which is returned."""
        message, is_repeatable = self.unpack(packet)
        kind = message[0]
        if kind == CALL:
            _, module, name, result, arguments, keywords, lent = message
            keywords = dict(zip(keywords[::2], keywords[1::2])) if keywords else None
            plan = ((str(module), name), module, writer(result), arguments, keywords, lent)
            # Nothing that the function can change, and the next call would find changed.
            is_constant = not any(type(argument) is list for argument in arguments) and not (
                keywords and any(type(value) in (list, memoryview) for value in keywords.values())
            )
            if is_repeatable and is_constant and len(packet) <= PLANNED and not lent:
                if len(self.plans) >= PLANS:
                    self.plans.clear()
                self.plans[packet] = plan
            reply = self.run(*plan)
            del plan, arguments, keywords, message
            self.socket.send(reply)
        elif kind == MAP:
            self.map(*message[1:])
        elif kind == FORGET:
            self.plans.clear()
            for number in message[1]:
                self.memories.pop(number, None)
        elif kind == LARGE:
            _, number, length = message
            memory = self.memories.pop(number)
            packet = memory.map[:length]
            memory.close()
            return self.handle(packet)
        elif kind == PING:
            self.socket.send(pack((PONG,)))
        else:
            return message
        return None

    def map(self, number, *description):
        _, descriptors, _, _ = socket.recv_fds(self.socket, 1, 1)
        try:
            self.memories[number] = Memory(descriptors[0], *description)
        finally:
            os.close(descriptors[0])

    def extension(self, code, data):
        if code == LIST:
            return array.array(chr(data[0]), data[1:]).tolist()
        if code == COMPLEX:
            return complex(*struct.unpack(">dd", data))
        fields, _ = self.unpack(data)
        if code == VIEW:
            number, *place = fields
            return self.memories[number].view(*place)
        return Callback(self, *fields) if code == FUNCTION else Allocator(self, fields)

    # Calls.

    def function(self, module, name):
        module = load_script(*module) if isinstance(module, list) else importlib.import_module(module)
        function = getattr(module, name)
        if not callable(function):
            raise TypeError(f"'{name}' is not callable: it is of type {type_name(function)}")
        return function

    def run(self, key, module, write, arguments, keywords, lent):
        """Call, and return the packed reply."""
        self.depth += 1
        try:
            function = self.functions.get(key)
            if function is None:
                function = self.functions[key] = self.function(module, key[1])
            # A memoryview of its own each time, for it can be released.
            views = [memoryview(a) if type(a) is memoryview else a for a in arguments]
            result = function(*views) if keywords is None else function(*views, **keywords)
            reply = b"\x92\x01" + write(self, result)
        except Misfit as error:
            reply = pack((MISFIT, str(error)))
        except BaseException as error:
            reply = self.report(error)
        if lent:
            views = result = None
            arguments.clear()
            reply = self.end_lent(lent, key, reply)
        if len(reply) > PACKET:
            reply = self.in_memory(reply)
        # Not while another thread asks: what it is answered may be a call within this one.
        with self.asking:
            self.depth -= 1
            if self.depth == 0:
                self.call += 1
                self.raised.clear()
        return reply

    def end_lent(self, lent, key, reply):
        """Unmap what was lent; name the arguments of which a view is left."""
        kept = []
        for position, number in lent:
            memory = self.memories.pop(number)
            if memory.close():
                gc.collect()
                if memory.close():
                    kept.append([position, self.parameter(key, position)])
        if not kept:
            return reply
        message, _ = self.unpack(reply) if reply[1] == RAISED else ((RAISED, [], [], 0), True)
        return pack((RAISED, message[1], kept, message[3]))

    def parameter(self, key, position):
        try:
            parameters = list(inspect.signature(self.functions[key]).parameters.values())
            parameter = parameters[min(position, len(parameters) - 1)]
            if position >= len(parameters) and parameter.kind != parameter.VAR_POSITIONAL:
                return None
            return parameter.name if parameter.kind <= parameter.VAR_POSITIONAL else None
        except (KeyError, TypeError, ValueError, IndexError):
            return None

    def report(self, error):
        """Return the packed chain of an exception and its causes; its frames let go of what they hold."""
        chain = []
        links = []
        link = error
        while link is not None and len(chain) < CHAIN and not any(link is other for other in chain):
            chain.append(link)
            steps = link.__traceback__
            while steps is not None and steps.tb_frame.f_code.co_filename == __file__:
                steps = steps.tb_next
            kind = type(link)
            lines = traceback.format_exception(kind, link, steps, chain=len(chain) == 1)
            links.append([type_name(link), text_of(link), "".join(lines), getattr(link, "_swift_error", None)])
            cause, context = link.__cause__, link.__context__
            link = context if cause is None and not link.__suppress_context__ else cause
        number = 0
        if self.depth > 1:
            self.raised_count += 1
            number = self.raised_count
            self.raised[number] = error
        for link in chain:
            traceback.clear_frames(link.__traceback__)
            if number == 0:
                link.__traceback__ = None
        return pack((RAISED, links, [], number))

    # What goes out.

    def ask(self, call, request):
        """Send a request of the call that runs, and return the answer."""
        with self.asking:
            if self.depth == 0 or call != self.call:
                raise RuntimeError("the call that passed this Swift function has ended")
            self.socket.send(request if len(request) <= PACKET else self.in_memory(request))
            while True:
                packet = self.socket.recv(PACKET)
                if not packet:
                    os._exit(0)
                answer = self.handle(packet)
                if answer is not None:
                    break
        _, is_value, value = answer
        if is_value:
            return value
        kind, message, number, exception = value
        if exception in self.raised:
            raise self.raised[exception]
        types = {"SwiftError": SwiftError, "Cancelled": Cancelled, "DeadlineExceeded": DeadlineExceeded}
        error = types.get(kind) or getattr(builtins, kind)
        error = error(message)
        error._swift_error = number
        raise error

    def allocate(self, call, length, purpose):
        number = self.ask(call, pack((ALLOCATE, length, purpose)))
        return self.memories[number], number

    def place_of(self, found):
        """Return the memory of the host's, and the offset in it, where an array lies."""
        if found.has_pointers:
            return None
        low = high = 0
        for length, stride in zip(found.shape, found.strides):
            if length == 0:
                low = high = 0
                break
            low += min(0, (length - 1) * stride)
            high += max(0, (length - 1) * stride)
        for number, memory in self.memories.items():
            if memory.is_lent:
                continue
            offset = found.address - memory.address
            if memory.length == 0 and offset == 0:
                return number, 0
            if offset + low >= 0 and offset + high + found.size <= memory.length:
                return number, offset
        return None

    def copied(self, value):
        """Return the place of a copy in memory of the host's, and the copy."""
        source = memoryview(value)
        target, number = self.allocate(self.call, source.nbytes, COPY)
        strides = []
        distance = source.itemsize
        for length in reversed(source.shape):
            strides.insert(0, distance)
            distance *= max(length, 1)
        view = target.view(0, source.format, False, list(source.shape), strides)
        if source.nbytes:
            bytes_of = memoryview(target.map)
            bytes_of[:] = source.cast("B") if source.c_contiguous else source.tobytes()
        return (number, 0), view

    def in_memory(self, packet):
        memory, number = self.allocate(self.call, len(packet), MESSAGE)
        memory.map[:] = packet
        return pack((LARGE_REPLY, number, len(packet)))


def text_of(error):
    try:
        return str(error)
    except Exception:
        return ""


def load_script(path, directory):
    """Load a script file as a module that is named after it, once."""
    from importlib.machinery import SourceFileLoader
    from importlib.util import find_spec, module_from_spec, spec_from_loader

    if directory not in sys.path:
        sys.path.insert(0, directory)
    stem = os.path.splitext(os.path.basename(path))[0].replace(".", "_")
    name, number = stem, 1
    while name in sys.modules or getattr(find_spec(name), "origin", path) != path:
        if getattr(sys.modules.get(name), "__file__", None) == path:
            return sys.modules[name]
        number += 1
        name = f"{stem}_{number}"
    loader = SourceFileLoader(name, path)
    module = module_from_spec(spec_from_loader(name, loader))
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def end_with_host(lifeline):
    """Have the kernel end this process and those that it starts, whatever they do, when the host is gone.

    The host holds the other end of a pipe in which nothing is ever written. Source: fcntl(2),
    F_SETOWN of a process group, F_SETSIG; pipe(7).
    """
    os.set_inheritable(lifeline, False)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC | os.O_NONBLOCK)
    try:
        os.read(lifeline, 1)
    except BlockingIOError:
        return
    os._exit(0)  # it is gone already


def limit(which, value, hard=None):
    if value is not None:
        resource.setrlimit(which, (value, value if hard is None else hard))


def main(channel):
    worker = Worker(channel)
    hello, _ = worker.unpack(channel.recv(PACKET))
    _, search_paths, level, memory, seconds, files = hello
    _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    end_with_host(descriptors[0])

    def leave_to_parent():
        channel.close()
        os.close(descriptors[0])

    os.register_at_fork(after_in_child=leave_to_parent)
    sys.path[:0] = search_paths
    sys.stdout.reconfigure(line_buffering=True)
    faulthandler.enable()
    root = logging.getLogger()
    root.addHandler(LogHandler(worker))
    root.setLevel(level)
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_DATA, memory)
    limit(resource.RLIMIT_CPU, seconds, None if seconds is None else seconds + 1)
    limit(resource.RLIMIT_NOFILE, files)
    channel.send(pack((READY, sys.version.split()[0])))
    worker.serve()

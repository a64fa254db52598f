"""A worker that is in somebody else's hands: functions that use the host's socket themselves."""

import array
import os
import signal
import socket
import sys
import time

LOG, LARGE = 6, 8
MESSAGE = 2


def worker():
    frame = sys._getframe()
    while frame.f_code.co_filename != "<PythonWorkers>":
        frame = frame.f_back
    return frame.f_locals["self"]


def pack(*fields):
    return type(worker()).serve.__globals__["pack"](fields)


def add(a, b):
    return a + b


def process():
    return os.getpid()


def say(packet, *_):
    """Send a packet, in hexadecimal digits, and no reply; then serve whatever comes."""
    worker().socket.send(bytes.fromhex(packet))
    worker().serve()


def say_more_than_a_packet():
    worker().socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    say("c0" * ((1 << 16) + 1))


def say_nothing():
    worker().socket.send(b"")
    time.sleep(60)


def say_twice(value):
    """The second reply is to nothing."""
    worker().socket.send(bytes((0x92, 1, value)))
    return value


def say_in_memory(packet, allocated, claimed):
    """Announce a packet in memory whose length is not what was asked for."""
    it = worker()
    memory, number = it.allocate(it.call, allocated, MESSAGE)
    packet = bytes.fromhex(packet)
    memory.map[: len(packet)] = packet
    it.socket.send(pack(LARGE, number, claimed))
    time.sleep(60)


def say_in_memories(depth):
    """Announce a packet in memory that announces a packet in memory, and so on."""
    it = worker()
    announcement = b""
    for _ in range(depth):
        memory, number = it.allocate(it.call, 64, MESSAGE)
        memory.map[: len(announcement)] = announcement
        announcement = pack(LARGE, number, max(len(announcement), 1))
    it.socket.send(announcement)
    time.sleep(60)


def ask_for(length):
    it = worker()
    it.allocate(it.call, length, MESSAGE)


def ask_without_end(length):
    """Ask for memory until there is none; return how often there was."""
    it = worker()
    for count in range(1 << 20):
        try:
            it.allocate(it.call, length, MESSAGE)
        except Exception as error:
            return [str(count), str(error)]


def send_descriptors(count):
    record = pack(LOG, 1, "", "")
    with open(os.devnull) as file:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file.fileno()] * 100))]
        for _ in range(count):
            worker().socket.sendmsg([record], ancillary)


def log_without_end():
    record = pack(LOG, 1, "hostile", "x" * 1000)
    while True:
        worker().socket.send(record)


def print_without_end():
    """By several processes, so that the pipes are never empty."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for _ in range(3):
        os.fork()
    lines = b"x" * 200 + b"\n"
    while True:
        os.write(1, lines * 300)
        os.write(2, lines * 300)


def leave_group():
    """Join the host's process group, and do not end when asked to."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.setpgid(0, os.getpgid(os.getppid()))
    time.sleep(60)


def close_socket():
    os.close(worker().socket.fileno())
    time.sleep(60)


def recurse(function, depth):
    sys.setrecursionlimit(1 << 20)
    return function(depth)


def mapped(*_):
    """How much memory of the host's is mapped here."""
    return len(worker().memories)


def busy(seconds):
    time.sleep(seconds)

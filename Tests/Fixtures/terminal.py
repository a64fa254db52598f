"""Runs a program with a terminal as its standard error, and sends it signals.

The one argument is a JSON object:

    command     the program and its arguments
    terminal    whether standard error is a terminal; otherwise it is a pipe
    columns     the width of the terminal
    signals     names of signals, sent one after the other
    text, file  they are sent once this text was on standard error, or this file exists
    input       text that is passed on standard input before they are sent, so many `times`; if they are
                ignored the input ends after them
    times       1 if it is left out
    ignored     names of signals that are ignored when the program starts
    watcher     whether they go to the thread that watches over the program's own processes, whose
                signals are open while it waits, once there is one
    directory   the working directory

Printed is another one: `status` is the exit code, or the signal's number with a minus; `output` and
`error` are what came on the two streams.
"""

import ctypes
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
import time

# Longer than any of it takes, so that a program that is not ended is killed, which is told as -9.
LIMIT = 60


def main(options):
    columns = options.get("columns", 80)
    if options.get("terminal"):
        reader, writer = pty.openpty()
        fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        attributes = termios.tcgetattr(writer)
        attributes[1] &= ~termios.OPOST  # a newline stays one
        termios.tcsetattr(writer, termios.TCSANOW, attributes)
    else:
        reader, writer = os.pipe()

    def prepare():
        for name in options.get("ignored", []):
            signal.signal(getattr(signal, name), signal.SIG_IGN)

    child = subprocess.Popen(
        options["command"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=writer,
        preexec_fn=prepare,
        cwd=options.get("directory"),
    )
    os.close(writer)
    watchdog = threading.Timer(LIMIT, child.kill)
    watchdog.daemon = True
    watchdog.start()
    error, output = bytearray(), bytearray()
    threads = [
        threading.Thread(target=collect, args=(reader, error)),
        threading.Thread(target=collect, args=(child.stdout.fileno(), output)),
    ]
    for thread in threads:
        thread.start()
    if "input" in options:
        child.stdin.write(options["input"].encode() * options.get("times", 1))
        child.stdin.flush()
    text, file = options.get("text", "").encode(), options.get("file")
    while child.poll() is None and not (text in error and (not file or os.path.exists(file))):
        time.sleep(0.001)
    watcher = open_thread(child) if options.get("watcher") else None
    for name in options.get("signals", []):
        if watcher:
            tgkill(child.pid, watcher, getattr(signal, name))
        else:
            child.send_signal(getattr(signal, name))
    if "signals" not in options or "ignored" in options:
        child.stdin.close()
    child.wait()
    for thread in threads:
        thread.join()
    print(json.dumps({"status": child.returncode, "output": output.decode(), "error": error.decode()}))


def open_thread(child):
    """The newest of two threads that block no signal: the older one waits for them."""
    while child.poll() is None:
        threads = sorted(map(int, os.listdir(f"/proc/{child.pid}/task")))
        opened = [thread for thread in threads if not blocked(child.pid, thread) & 1 << (signal.SIGINT - 1)]
        if len(opened) > 1:
            return opened[-1]
        time.sleep(0.001)
    return None


def blocked(process, thread):
    try:
        with open(f"/proc/{process}/task/{thread}/status") as status:
            return next(int(line.split()[1], 16) for line in status if line.startswith("SigBlk:"))
    except OSError:  # it has ended
        return -1


def tgkill(process, thread, number):
    if ctypes.CDLL(None, use_errno=True).tgkill(process, thread, int(number)) != 0:
        raise OSError(ctypes.get_errno(), "tgkill")


def collect(descriptor, into):
    while True:
        try:
            part = os.read(descriptor, 1 << 16)
        except OSError:  # EIO: nobody has the terminal open any more
            return
        if not part:
            return
        into += part


main(json.loads(sys.argv[1]))

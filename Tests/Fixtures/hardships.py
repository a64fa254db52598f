"""What can happen to a worker. Without numpy, which takes long to import."""

import ctypes
import os
import resource
import signal
import socket
import stat
import sys
import threading
import time

kept = []


def process():
    return os.getpid()


def echo(value):
    return value


def be_killed(number):
    print("about to end", file=sys.stderr)
    os.kill(os.getpid(), number)
    time.sleep(60)


def write_to_null():
    ctypes.memset(0, 0, 1)


def leave(status):
    print("leaving", file=sys.stderr)
    os._exit(status)


def leave_once(path, value):
    """Return the value, but for the first time."""
    if not os.path.exists(path):
        open(path, "x").close()
        os._exit(3)
    return value


def count_and_leave(path):
    with open(path, "a") as file:
        file.write("x")
    os._exit(3)


def sleep(seconds):
    time.sleep(seconds)


def loop():
    while True:
        pass


def hold():
    """Sleep in C, with the GIL."""
    ctypes.PyDLL(None).sleep(60)


def stop():
    os.kill(os.getpid(), signal.SIGSTOP)


def refuse_to_end():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)


def chatter():
    line = "x" * 200
    while True:
        print(line)


def hang_in(way):
    globals()[way]()


def host():
    """Return the descriptor of the socket to the host."""
    for number in map(int, os.listdir("/proc/self/fd")):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                return number
        except OSError:
            pass


def send_garbage(data):
    os.write(host(), data.encode("latin-1"))
    time.sleep(60)


def send_too_much():
    socket.socket(fileno=os.dup(host())).setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    os.write(host(), bytes(100_000))
    time.sleep(60)


def close_socket():
    number = host()
    os.close(number)
    time.sleep(60)


def close_outputs():
    os.close(1)
    os.close(2)


def fork_sleeper():
    """Return the number of a child that would go on by itself."""
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    return child


def take_memory(count):
    kept.append(bytearray(count))


def open_files(count):
    kept.append([open(os.devnull) for _ in range(count)])


def burn():
    end = time.process_time() + 30
    while time.process_time() < end:
        pass


def limits():
    kinds = (resource.RLIMIT_DATA, resource.RLIMIT_CPU, resource.RLIMIT_NOFILE)
    return [resource.getrlimit(kind)[0] for kind in kinds]


def variable(name):
    return os.environ.get(name)


def directory():
    return os.getcwd()


def read_file(path):
    with open(path) as file:
        return file.read()


def prefix():
    return sys.prefix


def version():
    return list(sys.version_info[:2])


def search_path():
    return sys.path


def has_numpy():
    try:
        import numpy  # noqa: F401
    except ImportError:
        return False
    return True


def descriptors():
    return len(os.listdir("/proc/self/fd")) - 1


def call(function, *values):
    return function(*values)


def keep_function(function):
    kept.append(function)


def call_kept():
    return kept[-1]()


def call_kept_catching(*values):
    try:
        kept[-1](*values)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def call_on_threads(function, count):
    results = [None] * count

    def run(index):
        results[index] = function(index)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def call_on_thread_left_behind(function, value):
    """Return while a thread is in a call of the function."""
    threading.Thread(target=function, args=(value,)).start()
    time.sleep(0.1)
    return value


def refuse(message):
    raise ValueError(message)


def add_all(values):
    return sum(values)

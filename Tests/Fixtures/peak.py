"""Runs a program, and tells how much memory of their own it and what it starts have at most.

The one argument is a JSON object:

    command     the program and its arguments
    source      a shell command whose output is passed on standard input through a pipe

Printed is another one: `status`, `output` and `error` of the program; `anonymous`, the most bytes
that were resident and no file's, of all processes together (proc_pid_status(5): RssAnon, RssShmem);
and `files`, the names of the removed files that were open meanwhile, sorted.
"""

import json
import os
import re
import subprocess
import sys
import threading


def family(process):
    """Yield a process and what it has started. Source: proc_pid_task_children(5)."""
    yield process
    for thread in os.listdir(f"/proc/{process}/task"):
        with open(f"/proc/{process}/task/{thread}/children") as file:
            children = file.read().split()
        for child in children:
            yield from family(int(child))


def anonymous(process):
    with open(f"/proc/{process}/status") as file:
        return sum(int(size) << 10 for size in re.findall(r"(?:RssAnon|RssShmem):\s+(\d+) kB", file.read()))


def removed_files(process):
    folder = f"/proc/{process}/fd"
    names = [os.readlink(f"{folder}/{name}") for name in os.listdir(folder)]
    return {name for name in names if name.endswith(" (deleted)") and not name.startswith("/memfd:")}


def main(options):
    source = None
    if "source" in options:
        source = subprocess.Popen(options["source"], shell=True, stdout=subprocess.PIPE)
    child = subprocess.Popen(
        options["command"],
        stdin=source.stdout if source else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if source:
        source.stdout.close()
    most, files, streams = 0, set(), []
    reader = threading.Thread(target=lambda: streams.extend(child.communicate()))
    reader.start()
    while reader.is_alive():
        try:
            processes = list(family(child.pid))
            most = max(most, sum(map(anonymous, processes)))
            files |= removed_files(child.pid)
        except OSError:  # one of them has ended
            pass
        reader.join(0.002)
    print(
        json.dumps(
            {
                "status": child.returncode,
                "output": streams[0],
                "error": streams[1],
                "anonymous": most,
                "files": sorted(files),
            }
        )
    )


main(json.loads(sys.argv[1]))

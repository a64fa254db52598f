"""Counts the instructions of one call of each kind, and compares them with what is stored: `make instructions`.

They are counted by valgrind's callgrind, and do not depend on how fast or busy a machine is; but on the libpython, the compiler and the
C library, for which the tolerance is. `make instructions UPDATE=1` stores them anew.
"""

import argparse
import json
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

STORED = pathlib.Path(__file__).with_name("instructions.json")
WAYS = (
    "ready in C",
    "prepared",
    "shared",
    "ready in C, attached",
    "shared, attached",
    "lent in C",
    "lent",
    "lent raw",
    "integers in C",
    "integers",
)
# So far apart that what differs from start to start, such as the seed of hashes, does not show.
CALLS = (1000, 51_000)
TOLERANCE = 0.03


def instructions(program: pathlib.Path, way: str, calls: int, folder: str) -> int:
    """All that a run executes; the same for each run of the same program."""
    output = f"{folder}/callgrind.out"
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={output}", str(program), way, str(calls)]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"instructions: {way}: {run.stderr.strip().splitlines()[-1]}")
    return int(re.search(r"^summary: (\d+)", pathlib.Path(output).read_text(), re.MULTILINE)[1])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    python = ".".join(platform.python_version_tuple()[:2])
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "program"
        # valgrind 3.19 stumbles over the debugging information of newer compilers.
        subprocess.run(["strip", "-g", "-o", program, options.program], check=True)
        counts = {}
        for way in WAYS:
            few, many = (instructions(program, way, calls, folder) for calls in CALLS)
            counts[way] = round((many - few) / (CALLS[1] - CALLS[0]))
    expected = stored.get(python, {})
    grown = []
    for way, count in counts.items():
        before = expected.get(way)
        change = f"{count / before - 1:+7.1%}" if before else " not stored"
        print(f"{way:20} {count:6} instructions a call {change}")
        if before and count > before * (1 + TOLERANCE):
            grown.append(way)
    if options.update:
        STORED.write_text(json.dumps(stored | {python: counts}, indent=2) + "\n")
    elif grown:
        sys.exit(f"instructions: more than {TOLERANCE:.0%} above what is stored: {', '.join(grown)}")
    elif not expected:
        print(f"instructions: nothing is stored for Python {python}: there is nothing to compare with")


if __name__ == "__main__":
    main()

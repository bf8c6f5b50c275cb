"""Counts the instructions of the core's hot paths and compares them with those on record.

    make instructions            fails when a path takes 3 % more, or less, than is on record
    make instructions BUILD=dev  the same for the development build, which is there after tests:
                                 CI compares these, within 5 %
    make instructions UPDATE=1   puts what was counted on record
    make instructions PROFILE="lookup, shown"   where one path's instructions go, by function

callgrind counts what runs inside one function (benches/instructions.rs), so neither start-up nor
what is made ready takes part. Counts depend on the compiler and, a little, on the processor that
memcpy and the like choose their form by; the record says under which it was made.
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib

HERE = pathlib.Path(__file__).parent
RECORD = HERE / "instructions.toml"
TIMES = 100
# The development build is compared on whatever machine changes are checked.
TOLERANCES = {"release": 0.03, "dev": 0.05}
BUILD = os.environ.get("BUILD") or "release"
TOLERANCE = TOLERANCES[BUILD]
# Paths that take fewer than this are allowed to differ by as many as 3 % of it.
SMALL = 2_000

HEAD = """\
# Instructions that the core's hot paths take (benches/paths.rs), one run of each, on average:
# `make instructions` compares the release build, with BUILD=dev that of development (CI does);
# with UPDATE=1 they renew what is here.

"""


def build():
    profile = [] if BUILD == "dev" else ["--release"]
    subprocess.run(["cargo", "build", "--quiet", *profile, "--example", "instructions"],
                   check=True, cwd=HERE.parent)
    target = os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target")
    folder = "debug" if BUILD == "dev" else "release"
    return pathlib.Path(target) / folder / "examples/instructions"


def callgrind(program, path, out):
    command = ["valgrind", "--tool=callgrind", "--collect-atstart=no",
               "--toggle-collect=*::counted*", f"--callgrind-out-file={out}",
               str(program), path, str(TIMES)]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode != 0:
        sys.exit(f"instructions: {path}: {ran.stderr[-2000:]}")
    return int(re.search(r"Collected : (\d+)", ran.stderr).group(1)) // TIMES


def count(program, path):
    with tempfile.TemporaryDirectory() as directory:
        return callgrind(program, path, f"{directory}/out")


def profile(program, path):
    with tempfile.TemporaryDirectory() as directory:
        callgrind(program, path, f"{directory}/out")
        for inclusive in ("yes", "no"):
            subprocess.run(["callgrind_annotate", f"--inclusive={inclusive}", "--auto=no",
                            "--threshold=95", f"{directory}/out"], check=True)


def compiler():
    said = subprocess.run(["rustc", "--version"], check=True, capture_output=True, text=True)
    return said.stdout.split(" (")[0].strip()


def recorded():
    record = tomllib.loads(RECORD.read_text()) if RECORD.exists() else {}
    return {name: record.get(name, {"compiler": None, "paths": {}}) for name in TOLERANCES}


def update(counts):
    record = recorded()
    record[BUILD] = {"compiler": compiler(), "paths": counts}
    text = HEAD
    for name, build in record.items():
        lines = [f'"{path}" = {number:_}\n' for path, number in build["paths"].items()]
        text += f'[{name}]\ncompiler = "{build["compiler"]}"\n\n[{name}.paths]\n{"".join(lines)}\n'
    RECORD.write_text(text.rstrip("\n") + "\n")


def compare(counts):
    record = recorded()[BUILD]
    if record.get("compiler") != compiler():
        print(f"counted under {compiler()}, on record under {record.get('compiler')}")
    wrong = []
    for path, number in counts.items():
        before = record["paths"].get(path)
        change = "new" if before is None else f"{number / before - 1:+8.1%}"
        print(f"{path:30} {number:12_} {change}")
        if before is None or abs(number - before) > TOLERANCE * max(before, SMALL):
            wrong.append(path)
    wrong += [path for path in record["paths"] if path not in counts]
    if wrong:
        print("\nnot what is on record: " + "; ".join(wrong))
        build = " BUILD=dev" if BUILD == "dev" else ""
        print(f"if that is meant, `make instructions{build} UPDATE=1` and say why in the commit")
    return wrong


def main():
    program = build()
    if os.environ.get("PROFILE"):
        return profile(program, os.environ["PROFILE"])
    names = subprocess.run([program], check=True, capture_output=True, text=True)
    paths = names.stdout.splitlines()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = dict(zip(paths, pool.map(lambda path: count(program, path), paths)))
    if os.environ.get("UPDATE"):
        update(counts)
        return None
    return 1 if compare(counts) else None


if __name__ == "__main__":
    sys.exit(main())

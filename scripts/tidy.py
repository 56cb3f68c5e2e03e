#!/usr/bin/env python3
"""Runs clang-tidy-19 over the project's files that a build directory compiles, two or more at a time.

A file that passed is not read again until what it is made of changes: the key of build/tidy-cache is the hash of
.clang-tidy, the file, every header of the project (generated ones too) that it includes, and its compile flags.
Usage: tidy.py BUILD_DIRECTORY [PART-OF-A-PATH …]
Without a part of a path: the sources of apps and of the modules of src that are free of findings, which is all but
NOT_YET. Tests are linted where a part names `tests`.
"""

import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "build/tidy-cache"
FOLDERS = {"src", "include", "apps", "examples", "fuzz", "tests", "benchmarks"}
TOOL = "clang-tidy-19"
KEEP_SECONDS = 30 * 24 * 3600
INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', re.MULTILINE)
# GoogleTest's assertions end a test in a way that the check of optional values cannot see.
TEST_CHECKS = "--checks=-bugprone-unchecked-optional-access"


def flags_of(entry):
    """The compile flags of an entry that change what the file means: without launcher, files and debug output."""
    words = shlex.split(entry["command"]) if "command" in entry else entry["arguments"]
    flags, skip = [], False
    for word in words[1:]:
        if skip or word in ("-o", "-c", "-MF", "-MT"):
            skip = not skip and word != "-c"
        elif word != entry["file"]:
            flags.append(word)
    return flags


def include_folders(flags, build):
    """The include folders of the project and of its build directory."""
    folders = []
    for at, flag in enumerate(flags):
        if flag in ("-I", "-isystem") and at + 1 < len(flags):
            folders.append(Path(flags[at + 1]))
        elif flag.startswith("-I"):
            folders.append(Path(flag[2:]))
    return [folder for folder in folders if folder.is_relative_to(ROOT) or folder.is_relative_to(build)]


class Headers:
    """What files include, read once each. Used from one thread."""

    def __init__(self):
        self._content = {}

    def read(self, path):
        if path not in self._content:
            content = path.read_bytes()
            names = [name.decode(errors="replace") for name in INCLUDE.findall(content)]
            self._content[path] = (hashlib.sha256(content).hexdigest(), names)
        return self._content[path]

    def closure(self, path, folders):
        """The file and the headers it reaches."""
        seen, rest = set(), [path]
        while rest:
            file = rest.pop()
            if file in seen:
                continue
            seen.add(file)
            for name in self.read(file)[1]:
                found = (folder / name for folder in (file.parent, *folders))
                rest += [hit for hit in found if hit.is_file()][:1]
        return sorted(seen)


def key_of(entry, build, headers, base):
    flags = flags_of(entry)
    digest = hashlib.sha256(base)
    digest.update("\0".join(flags).replace(str(build), "BUILD").replace(str(ROOT), "ROOT").encode())
    for file in headers.closure(Path(entry["file"]), include_folders(flags, build)):
        digest.update(f"{os.path.relpath(file, ROOT)} {headers.read(file)[0]}\n".encode())
    return digest.hexdigest()


def base_of():
    """What every key begins with: the configuration, this script and the tool's version."""
    version = subprocess.run([TOOL, "--version"], check=True, capture_output=True).stdout
    return (ROOT / ".clang-tidy").read_bytes() + Path(__file__).read_bytes() + version


# Modules whose sources were not brought through this configuration yet; naming one lints it.
NOT_YET = {"cli", "exec", "message_queue", "node", "sdk", "service_manager", "task_manager", "tee", "tee_proxy", "wire"}


def is_wanted(name, parts):
    if "tests" in name.parts and not any("tests" in part for part in parts):
        return False
    if parts:
        return any(part in str(name) for part in parts)
    return name.parts[0] == "apps" or (name.parts[0] == "src" and name.parts[1] not in NOT_YET)


def select(build, parts):
    """{file: entry} of the project's own files."""
    entries = {}
    for entry in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        path = Path(entry["directory"], entry["file"])
        if not path.is_relative_to(ROOT) or path.relative_to(ROOT).parts[0] not in FOLDERS:
            continue
        name = path.relative_to(ROOT)
        if path.is_file() and is_wanted(name, parts):
            entries[path] = {**entry, "file": str(path)}
    return entries


def generated_missing(build):
    """Whether the build's generated headers are absent, without which files do not parse."""
    return any((ROOT / "src").rglob("*.proto")) and not any(build.rglob("*.pb.h"))


def tidy(path, build):
    """The tool's output if it refuses the file, else None."""
    name = path.relative_to(ROOT)
    extra = [TEST_CHECKS] if "tests" in name.parts else []
    run = subprocess.run([TOOL, "--quiet", "-p", str(build), *extra, str(path)], capture_output=True, text=True,
                         check=False)
    if run.returncode == 0:
        return None
    noise = re.compile(r"^\d+ (warnings?|errors?)( and \d+ errors?)? (generated|treated as errors?)\.?$")
    lines = [line for line in (run.stdout + run.stderr).splitlines() if not noise.match(line)]
    return "\n".join(lines) or f"{name}: {TOOL} ended with {run.returncode} and said nothing"


def prune():
    for old in CACHE.iterdir():
        if time.time() - old.stat().st_mtime > KEEP_SECONDS:
            old.unlink(missing_ok=True)


def pending_of(entries, build):
    """{file: key} of the files whose present content has not passed."""
    headers, base, pending = Headers(), base_of(), {}
    for path, entry in sorted(entries.items()):
        key = key_of(entry, build, headers, base)
        if (CACHE / key).exists():
            (CACHE / key).touch()
        else:
            pending[path] = key
    return pending


def main():
    if len(sys.argv) < 2 or not Path(sys.argv[1], "compile_commands.json").is_file():
        print("tidy: no compile_commands.json; build first (make test) or name a configured build directory")
        return 1
    build = Path(sys.argv[1]).resolve()
    if len(sys.argv) == 2 and generated_missing(build):
        print(f"tidy: {build} has no generated protobuf headers; build first")
        return 1
    CACHE.mkdir(parents=True, exist_ok=True)
    entries = select(build, sys.argv[2:])
    pending = pending_of(entries, build)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        runs = {pool.submit(tidy, path, build): key for path, key in pending.items()}
        for run in concurrent.futures.as_completed(runs):
            if complaint := run.result():
                failed += 1
                print(complaint, flush=True)
            else:
                (CACHE / runs[run]).touch()
    prune()
    print(f"tidy: {len(entries)} files, {len(pending)} read, {failed} refused")
    return 1 if failed or not entries else 0


if __name__ == "__main__":
    sys.exit(main())

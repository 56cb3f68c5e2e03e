#!/usr/bin/env python3
"""Runs clang-tidy-19 over the project's files that a build directory compiles, two or more at a time.

A file that passed is not read again until what it is made of changes: the key of build/tidy-cache is the hash of
.clang-tidy, the file, every header of the project (generated ones too) that it includes, and its compile flags.
Files of the same flags are read as one translation unit, as most of the time goes into the headers that they share; where
they do not go together (two file-local names that are the same) each half is read by itself.
Usage: tidy.py BUILD_DIRECTORY [PART-OF-A-PATH …]
Without a part of a path: everything but tests, which are linted where a part names `tests`.
"""

import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "build/tidy-cache"
FOLDERS = {"src", "include", "apps", "examples", "fuzz", "tests", "benchmarks"}
TOOL = "clang-tidy-19"
KEEP_SECONDS = 30 * 24 * 3600
INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', re.MULTILINE)
GROUP = 24
# What each program has one of.
ENTRY = re.compile(rb"^(?:extern \"C\" )?int (main|LLVMFuzzerTestOneInput)\(", re.MULTILINE)
NOISE = re.compile(r"^\d+ (warnings?|errors?)( and \d+ errors?)? (generated|treated as errors?)\.?$")


def flags_of(entry):
    """The compile flags of an entry that change what the file means: without launcher, files and debug output."""
    words = shlex.split(entry["command"]) if "command" in entry else entry["arguments"]
    flags, skip = [], False
    for word in words[1:]:
        if skip or word in ("-o", "-c", "-MF", "-MT"):
            skip = not skip and word != "-c"
        elif word != entry["file"] and not word.startswith(("-O", "-g", "-fsanitize")):
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
    flags = entry["flags"]
    digest = hashlib.sha256(base)
    digest.update("\0".join(flags).replace(str(build), "BUILD").replace(str(ROOT), "ROOT").encode())
    for file in headers.closure(Path(entry["file"]), include_folders(flags, build)):
        digest.update(f"{os.path.relpath(file, ROOT)} {headers.read(file)[0]}\n".encode())
    return digest.hexdigest()


def base_of():
    """What every key begins with: the configuration, this script and the tool's version."""
    version = subprocess.run([TOOL, "--version"], check=True, capture_output=True).stdout
    return (ROOT / ".clang-tidy").read_bytes() + Path(__file__).read_bytes() + version


def is_wanted(name, parts):
    if "tests" in name.parts and not any("tests" in part for part in parts):
        return False
    return not parts or any(part in str(name) for part in parts)


def sources_of(entry, build):
    """The files of an entry: those that a unity source of the build includes, else its own."""
    path = Path(entry["directory"], entry["file"])
    if not path.is_relative_to(build) or path.parent.name != "Unity" or not path.is_file():
        return [path]
    return [Path(name.decode()) for name in INCLUDE.findall(path.read_bytes())]


def select(build, parts):
    """{file: entry} of the project's own files."""
    entries = {}
    commands = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    for entry, path in ((entry, path) for entry in commands for path in sources_of(entry, build)):
        if not path.is_relative_to(ROOT) or path.relative_to(ROOT).parts[0] not in FOLDERS:
            continue
        name = path.relative_to(ROOT)
        if path.is_file() and is_wanted(name, parts):
            entries[path] = {**entry, "flags": flags_of(entry), "file": str(path)}
    return entries


def generated_missing(build):
    """Whether the build's generated headers are absent, without which files do not parse."""
    return any((ROOT / "src").rglob("*.proto")) and not any(build.rglob("*.pb.h"))


def groups_of(pending, entries):
    """Lists of files that are read together: the same flags, folder by folder, at most GROUP files."""
    alike = {}
    for path in sorted(pending):
        alike.setdefault(tuple(entries[path]["flags"]), []).append(path)
    return [files[at : at + GROUP] for files in alike.values() for at in range(0, len(files), GROUP)]


def unit_of(paths):
    """A translation unit of the files, with the entries of programs under names of their own."""
    lines = []
    for number, path in enumerate(paths):
        entry = ENTRY.search(path.read_bytes())
        name = entry.group(1).decode() if entry else None
        lines += [f"#define {name} entry_{number} // NOLINT(readability-identifier-naming)"] if name else []
        lines += [f'#include "{path}"']
        lines += [f"#undef {name}"] if name else []
    return "".join(f"{line}\n" for line in lines)


def tidy(paths, flags, together):
    """(the files that passed, the tool's output about the others)."""
    command = [TOOL, "--quiet", f"--config-file={ROOT / '.clang-tidy'}"]
    checks = ["-bugprone-unchecked-optional-access"] if "tests" in paths[0].relative_to(ROOT).parts else []
    main = paths[0]
    if len(paths) > 1:
        main = together / (hashlib.sha256("\n".join(map(str, paths)).encode()).hexdigest() + ".cpp")
        main.write_text(unit_of(paths), encoding="utf-8")
        checks.append("-bugprone-suspicious-include")
    run = subprocess.run([*command, f"--checks={','.join(checks)}", str(main), "--", *flags], capture_output=True,
                         text=True, check=False)
    if run.returncode == 0:
        return paths, ""
    if len(paths) > 1 and "[clang-diagnostic-error]" in run.stdout:
        half = len(paths) // 2
        parts = [tidy(part, flags, together) for part in (paths[:half], paths[half:])]
        return parts[0][0] + parts[1][0], "\n".join(output for _, output in parts if output)
    lines = [line for line in (run.stdout + run.stderr).splitlines() if not NOISE.match(line)]
    return [], "\n".join(lines) or f"{main}: {TOOL} ended with {run.returncode} and said nothing"


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
    passed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool, \
            tempfile.TemporaryDirectory(prefix="tcfdl-tidy-") as together:
        runs = [pool.submit(tidy, group, entries[group[0]]["flags"], Path(together))
                for group in groups_of(pending, entries)]
        for run in concurrent.futures.as_completed(runs):
            good, complaint = run.result()
            passed += len(good)
            for path in good:
                (CACHE / pending[path]).touch()
            if complaint:
                print(complaint, flush=True)
    prune()
    refused = len(pending) - passed
    print(f"tidy: {len(entries)} files, {len(pending)} read, {refused} in groups with findings")
    return 1 if refused or not entries else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Checks that the includes and the build of src/ follow scripts/layers.json.

layers.json maps each folder of src/ to {"reason": why it stands where it stands, "deps": modules it may include from}.
DEPS of add_module in src/<module>/CMakeLists.txt equal the entry; tests may include from TEST_DEPS besides. A part of another
module, a library tcfdl::<part> that its CMakeLists.txt makes, stands in LIBS and counts as that module.
An entry without a folder is a plan. Prints one line a finding; exit code 1 if there is any.
"""

import json
import re
import sys
from pathlib import Path

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
PART = re.compile(r"\badd_library\s*\(\s*tcfdl::(\w+)\s+ALIAS\b")
SOURCE_SUFFIXES = {".cpp", ".hpp", ".h", ".c"}
KEYWORDS = {"SOURCES", "DEPS", "LIBS", "TESTS", "TEST_DEPS", "PROTOS"}
MAX_DEPTH = 2


def is_names(value):
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def check_entries(layers):
    """Form of each entry, names of its dependencies, cycles."""
    findings = []
    for module, entry in layers.items():
        where = f"layers.json: '{module}'"
        if not isinstance(entry, dict) or not is_names(entry.get("deps")):
            findings.append(f'{where}: is no {{"reason": text, "deps": [modules]}}')
            continue
        for key in sorted(set(entry) - {"reason", "deps"}):
            findings.append(f"{where}: unknown key '{key}'")
        if not str(entry.get("reason") or "").strip():
            findings.append(f"{where}: has no reason; say in a few words why the module may include these")
        for dep in entry["deps"]:
            if dep not in layers:
                findings.append(f"{where}: depends on '{dep}', which has no entry")
        if len(set(entry["deps"])) != len(entry["deps"]):
            findings.append(f"{where}: names a dependency twice")
    return findings


def find_cycle(graph):
    """The modules of one cycle, first repeated last, or None."""
    done, path = set(), []

    def visit(module):
        if module in path:
            return path[path.index(module):] + [module]
        if module in done:
            return None
        path.append(module)
        for dep in graph.get(module, ()):
            if cycle := visit(dep):
                return cycle
        path.pop()
        done.add(module)
        return None

    for module in graph:
        if cycle := visit(module):
            return cycle
    return None


def parse_module(text, module):
    """{keyword: [words]} of add_module(<module> …), or None if the text has no such call."""
    text = re.sub(r"#[^\n]*", "", text)
    call = re.search(rf"\badd_module\s*\(\s*{re.escape(module)}\b([^)]*)\)", text)
    if not call:
        return None
    sections, current = {}, None
    for word in re.sub(r"\$\{[^}]*\}", "variable", call.group(1)).split():
        if word in KEYWORDS:
            current = sections.setdefault(word, [])
        elif current is not None:
            current.append(word)
    return sections


def owners_of_parts(root):
    """{part: module} of the libraries that modules make beside their own."""
    owners = {}
    for path in sorted((root / "src").glob("*/CMakeLists.txt")):
        for part in PART.findall(path.read_text(encoding="utf-8")):
            owners[part] = path.parent.name
    return owners


def check_build(root, module, deps):
    """(findings, TEST_DEPS) of the module's CMakeLists.txt."""
    name = f"src/{module}/CMakeLists.txt"
    path = root / name
    sections = parse_module(path.read_text(encoding="utf-8"), module) if path.is_file() else None
    if sections is None:
        return [f"{name}: no add_module({module} …)"], set()
    owners = owners_of_parts(root)
    parts = {owners.get(name.removeprefix("tcfdl::")) for name in sections.get("LIBS", []) if name.startswith("tcfdl::")}
    built = set(sections.get("DEPS", [])) | (parts - {None, module})
    findings = []
    for dep in sorted(built - set(deps)):
        findings.append(f"{name}: DEPS has '{dep}', layers.json's entry of '{module}' has not; change one of them")
    for dep in sorted(set(deps) - built):
        findings.append(f"{name}: DEPS lacks '{dep}', which layers.json's entry of '{module}' has; change one of them")
    return findings, set(sections.get("TEST_DEPS", []))


def includes(path):
    """(line, quoted, included path) of each include of a file."""
    text = path.read_text(encoding="utf-8", errors="replace")
    for match in INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match.group(1) == '"', match.group(2)


def check_include(root, modules, file, allowed, is_test, include):
    """The finding of one include, or None."""
    line, quoted, target = include
    parts = target.split("/")
    where = f"{file.relative_to(root)}:{line}"
    if not quoted and not (parts[0] in modules and (root / "src" / target).is_file()):
        return None
    if ".." in parts or (len(parts) < 2 and quoted):
        return f"{where}: \"{target}\" is not written from src/, as \"module/file.hpp\""
    if parts[0] not in allowed:
        known = "" if parts[0] in modules else ", which has no entry in layers.json"
        test = " (a test may, if TEST_DEPS lists it)" if is_test else ""
        may = ", ".join(sorted(allowed)) or "nothing"
        return f"{where}: includes \"{target}\" of '{parts[0]}'{known}; allowed are: {may}{test}"
    if parts[1] == "tests" and not is_test:
        return f"{where}: includes \"{target}\"; only tests include from tests/"
    return None


def sources(folder):
    return sorted(p for p in folder.rglob("*") if p.suffix in SOURCE_SUFFIXES and p.is_file())


def check_module(root, modules, module, deps):
    folder = root / "src" / module
    findings, test_deps = check_build(root, module, deps)
    for file in sources(folder):
        is_test = "tests" in file.relative_to(folder).parts[:-1]
        allowed = {module, *deps, *(test_deps if is_test else ())}
        for include in includes(file):
            findings.append(check_include(root, modules, file, allowed, is_test, include))
    return [finding for finding in findings if finding]


def check_depth(root):
    src = root / "src"
    deep = (p for p in src.rglob("*") if p.is_dir() and len(p.relative_to(src).parts) == MAX_DEPTH + 1)
    return [f"{p.relative_to(root)}: deeper than {MAX_DEPTH} folders below src/" for p in sorted(deep)]


def check_public_headers(root, modules):
    """Public headers stand alone: they include nothing of src/."""
    findings = [check_include(root, modules, file, set(), False, include)
                for file in sources(root / "include") for include in includes(file)]
    return [finding for finding in findings if finding]


def check(root, layers):
    """All findings of a tree, as lines."""
    findings = check_entries(layers)
    if findings:
        return findings
    if cycle := find_cycle({module: entry["deps"] for module, entry in layers.items()}):
        return [f"layers.json: a cycle: {' -> '.join(cycle)}"]
    findings = check_depth(root)
    for folder in sorted(p for p in (root / "src").iterdir() if p.is_dir()):
        if folder.name in layers:
            findings += check_module(root, layers, folder.name, layers[folder.name]["deps"])
        elif any(p.is_file() for p in folder.rglob("*")):
            findings.append(f"src/{folder.name}: has no entry in layers.json")
    return findings + check_public_headers(root, layers)


def unique(pairs):
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError(f"a key stands twice among {', '.join(keys)}")
    return dict(pairs)


def main():
    root = Path(__file__).resolve().parent.parent
    try:
        layers = json.loads((root / "scripts/layers.json").read_text(encoding="utf-8"), object_pairs_hook=unique)
    except ValueError as failure:
        print(f"layers.json: {failure}")
        return 1
    findings = check(root, layers)
    print("\n".join(findings), end="\n" if findings else "")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

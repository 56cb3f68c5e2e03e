"""Sends every image of a folder to plates/read and compares the text with the one that was rendered.

Usage: send_images.py TCFDL FOLDER, where FOLDER/expected.json maps file names to texts. Exits 1 when a text differs.
"""

import json
import pathlib
import subprocess
import sys


def normal(text):
    """Plates are compared by their letters and digits: spaces and dashes are layout."""
    return "".join(c for c in text.upper() if c.isalnum())


def step(name, where):
    """One line of the report: where a step ran and where its time went, in milliseconds."""
    times = " ".join(f"{part} {where[part + '_us'] / 1000:.1f}" for part in ("seal", "wait", "transfer", "run", "open"))
    place = f"{where['cluster']}/{where['node']}/{where['instance']}"
    return f"    {name:<15} {place:<44} {where['tee_kind']} TEE, {where['protection']}  ms: {times}"


def read_plate(tcfdl, image):
    """Calls plates/read from the vehicle. Returns its answer and the call's summary."""
    summary = image.with_suffix(".summary")
    command = [tcfdl, "--context", "vehicle", "invoke", "plates/read", "--in", str(image), "--out", "-",
               "--summary", str(summary), "--timeout", "30s"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        return None, done.stderr.decode(errors="replace").strip()
    return json.loads(done.stdout), json.loads(summary.read_text())


def main():
    tcfdl, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    expected = json.loads((folder / "expected.json").read_text())
    wrong = 0
    for name, text in sorted(expected.items()):
        answer, summary = read_plate(tcfdl, folder / name)
        if answer is None:
            print(f"{name}: {summary}")
            wrong += 1
            continue
        right = normal(answer["text"]) == normal(text)
        wrong += not right
        print(f"{name}: {answer['text']}  ({answer['confidence']:.2f}){'' if right else f'  WRONG, the image shows {text}'}")
        print(step("plates/read", summary))
        for inner in answer["steps"]:
            print(step(inner["function"], inner))
    print(f"{len(expected) - wrong} of {len(expected)} plates read as rendered")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Stands in for a judge: prints lines and writes GoogleTest's JSON as FAKE_JUDGE tells it to.

FAKE_JUDGE is a comma-separated list of what to do, in this order:
  ECHO            print the arguments
  SLEEP           start a child in a session of its own, say "sleeping", wait for ever
  CRASH           end with SIGSEGV before anything is written
  CHECK=WORD      what one check does: fail, notrun, internal, notstarted, hostile, silent, nonsense
  status=N        end with this status
  torn            write half of the report
"""

import json
import os
import signal
import subprocess
import sys
import time

CHECKS = ["compiles", "one_tile", "ragged", "large_index"]
HOSTILE = "red \x1b[31mtext\x1b[0m \x1b]0;title\x07 <b>&amp; ]]> \u202edrowkcab\u202c \x00\x01 end"
NOTE = "extra memory is 4 N^2 bytes per head"


def properties(check: str, word: str, seed: str) -> dict[str, str]:
    case = json.dumps({"seq_len_q": 33, "seq_len_k": 65, "head_dim": 64, "inputs": "randn"})
    failure = {"verdict": "FAIL", "kind": "wrong values", "case": case, "confident": "true"}
    match word:
        case "fail":
            message = (
                "N_q=33 N_k=65 d=64, randn\n"
                f"O[q=3 k=1] = 1.5, expected 2 (seed {seed})\n"
                "looks like: the grid is too small\n"
                "again:      scripts/grade and so on\n"
                'read:       lessons/01_naive/README.md, "The idea"'
            )
            return failure | {"message": message, "diagnosis": "grid-too-small"}
        case "hostile":
            return failure | {"message": HOSTILE, "diagnosis": HOSTILE}
        case "notrun":
            return {"verdict": "NOT RUN", "message": "one_tile failed"}
        case "internal":
            return {"verdict": "INTERNAL ERROR", "message": "the runner did not start"}
        case "notstarted":
            return {"verdict": "NOT STARTED"}
        case "nonsense":
            return {"verdict": "MAYBE"}
    return {"verdict": "PASS", **({"note": NOTE} if check == "ragged" else {})}


def main() -> int:
    words = dict(word.partition("=")[::2] for word in os.environ["FAKE_JUDGE"].split(",") if word)
    options = dict(argument.lstrip("-").partition("=")[::2] for argument in sys.argv[1:])
    if "ECHO" in words:
        print("arguments", *sys.argv[1:], flush=True)
    if "SLEEP" in words:
        subprocess.Popen(["sleep", "1000"], start_new_session=True)
        print("sleeping", flush=True)
        time.sleep(1000)
    if "CRASH" in words:
        os.kill(os.getpid(), signal.SIGSEGV)
    chosen = [word.partition("=")[2] for word in sys.argv if word.startswith("--check=")]
    entries = []
    is_second = "02_tiled" in sys.argv[0]
    for check in CHECKS + ["traffic"] * is_second:
        if words.get(check) == "silent" or (chosen and check not in ("compiles", *chosen)):
            continue
        found = properties(check, words.get(check, "pass"), options["seed"])
        print(f"{found['verdict']:<15} {check:<16} {found.get('kind', '')}", flush=True)
        entry = {
            "name": check,
            "status": "RUN",
            "result": "SKIPPED" if found["verdict"] == "NOT RUN" else "COMPLETED",
            "time": "0.25s",
            "classname": "Lesson01",
            **found,
        }
        if found["verdict"] not in ("PASS", "NOT RUN"):
            entry["failures"] = [{"failure": "Failed", "type": ""}]
        entries.append(entry)
    report = json.dumps({"testsuites": [{"name": "Lesson01", "testsuite": entries}]})
    with open(options["gtest_output"].removeprefix("json:"), "w", encoding="utf-8") as file:
        file.write(report[: len(report) // 2] if "torn" in words else report)
    if "status" in words:
        return int(words["status"])
    return int(any("failures" in entry for entry in entries))


if __name__ == "__main__":
    sys.exit(main())

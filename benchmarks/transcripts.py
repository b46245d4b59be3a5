"""Transcripts of 1, 10 and 100 MB: peak memory, time, and every cue accounted for.

    python benchmarks/transcripts.py [--largest 100]

Each run is a process of its own, so that its peak memory is its own. The files hold cues as Teams writes them; of every
1,000 one has a broken time, and one has no text, which must all be found again.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORDS = (
    *("the", "plan", "import", "tests", "release", "we", "should", "like", "ship", "friday"),
    *("okay", "budget", "numbers", "customer", "um", "so", "they", "ask", "and", "then"),
)
PEOPLE = ("Ann Lee", "Bo Chan", "Cem Öz", "Dana Fox", "Eli Roth")
MB = 2**20


def clock(at: int, rng: random.Random) -> str:
    """A time as WebVTT has it."""
    return f"{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}.{rng.randrange(1000):03}"


def write(path: Path, size: int) -> dict[str, int]:
    """Write WebVTT of about so many bytes, and say what is in it."""
    rng = random.Random(7)
    cues = broken = empty = written = 0
    with path.open("w", encoding="utf-8") as file:
        file.write("WEBVTT\n\n")
        while written < size:
            cues += 1
            times = [clock(cues * 3, rng), clock(cues * 3 + 2, rng)]
            text = " ".join(rng.choices(WORDS, k=rng.randrange(4, 24)))
            if cues % 1000 == 500:
                times[0], broken = times[0].replace(":", ";", 1), broken + 1
            elif cues % 1000 == 0:
                text, empty = "", empty + 1
            said = f"c-{cues}\n{' --> '.join(times)}\n<v {rng.choice(PEOPLE)}>{text}.</v>\n\n"
            written += file.write(said.replace("<v Bo Chan>.</v>", "").replace(">.</v>", "></v>"))
    return {"cues": cues, "broken": broken, "empty": empty}


def read(path: Path) -> dict[str, int]:
    """Read all of it, and keep nothing."""
    from bridge.transcripts.reading import read_transcript

    transcript = read_transcript(path)
    for _ in transcript:
        pass
    tally = transcript.tally
    return {"marks": tally.marks, "turns": tally.turns, "empty": tally.empty, "unread": tally.unread}


def rows(path: Path) -> dict[str, int]:
    """Make rows of it, cleaned, with one turn of overlap."""
    from bridge.transcripts.converting import Conversion, Wanted

    done = Conversion(Wanted()).to_files([path], path.with_suffix(".jsonl"), path.with_suffix(".unread.jsonl"))
    one = done.files[0]
    return {
        "marks": one["marks"],
        "turns": one["turns"],
        "empty": one["empty"],
        "unread": one["unread"],
        "rows": done.rows,
    }


def run(what: str, path: Path) -> dict[str, float]:
    """Do it in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--do", what, str(path)], check=True, capture_output=True, text=True
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=100, help="MB of the largest file")
    parser.add_argument("--do", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.do:
        what, name = given.do
        before = time.perf_counter(), time.process_time()
        result: dict[str, float] = {**{"read": read, "rows": rows}[what](Path(name))}
        result["wall"], result["processor"] = time.perf_counter() - before[0], time.process_time() - before[1]
        result["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(result))
        return
    print("  MB  what      cues     turns  empty  unread  wall s  processor s  peak MB")
    for size in (mb for mb in (1, 10, 100) if mb <= given.largest):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "talk.vtt")
            there = write(path, size * MB)
            for what in ("read", "rows"):
                found = run(what, path)
                counts = found["marks"], found["empty"], found["unread"]
                assert counts == (there["cues"], there["empty"], there["broken"]), (there, found)
                assert found["turns"] + found["empty"] + found["unread"] == there["cues"], (there, found)
                print(
                    f"{size:4}  {what:4}  {there['cues']:8,}  {found['turns']:8,}  {found['empty']:5,}  "
                    f"{found['unread']:6,}  {found['wall']:6.1f}  {found['processor']:11.1f}  {found['peak']:7.1f}"
                )


if __name__ == "__main__":
    main()

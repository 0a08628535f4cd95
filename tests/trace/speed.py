#!/usr/bin/env python3
"""speed.py PVTRACE [RECORDS [SECONDS [MIB]]]: reads a trace of 10 million records with each output
and prints seconds and peak memory. Fails when one takes more than 10 seconds or 64 MiB."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import gen_traces  # noqa: E402

OUTPUTS = {
    "text": [],
    "text -v": ["-v"],
    "summary": ["-c"],
    "json": ["--json"],
    "csv": ["--csv"],
    "svg": ["--svg"],
    "ctf": ["--ctf", "{dir}/ctf"],
    "filtered": ["-e", "trace=sched_op", "-p", "d1"],
}


def peak(pid, known):
    """MiB that a process had at most until now, as Linux knows it; `known` once it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return max([known] +
                       [int(line.split()[1]) / 1024 for line in f if line.startswith("VmHWM:")])
    except OSError:
        return known


def measure(command):
    """Seconds, MiB (looked at every 10 ms), exit status."""
    began, mib = time.monotonic(), 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            mib = peak(process.pid, mib)
            time.sleep(0.01)
    return time.monotonic() - began, mib, process.returncode


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    pvtrace = sys.argv[1]
    given = [int(word) for word in sys.argv[2:]]
    records, most_seconds, most_mib = given + [10**7, 10, 64][len(given):]
    bad = False
    with tempfile.TemporaryDirectory(dir=os.environ.get("TRACE_TMP")) as where:
        trace = os.path.join(where, "big.trace")
        count = gen_traces.write_big(trace, records)
        print(f"{count} records, {os.path.getsize(trace) >> 20} MiB")
        commands = {name: [w.format(dir=where) for w in words] + [trace] for name,
                    words in OUTPUTS.items()}
        commands["diff"] = ["diff", trace, trace]
        for name, words in commands.items():
            seconds, mib, status = measure([pvtrace] + words)
            slow = seconds > most_seconds or mib > most_mib or status != 0
            print(f"{name:12} {seconds:6.2f} s {mib:6.1f} MiB"
                  f"{'' if status == 0 else f'  exit status {status}'}"
                  f"{'  TOO MUCH' if slow else ''}", flush=True)
            bad |= slow
            shutil.rmtree(os.path.join(where, "ctf"), ignore_errors=True)
    sys.exit(bad)


if __name__ == "__main__":
    main()

"""The reader of a running machine's trace: the file that is the machine's memory, and the pvtrace
that follows it while QEMU runs. Called by paragon-run and the boot tests."""

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile

PATIENCE = 60  # seconds for the reader to read the rest
DESCRIBED = re.compile(r"^\(XEN\) Trace: ring of .*, described at ([0-9a-f]+)")


def memory_file(trace, mem):
    """An empty file for mem MiB: in /dev/shm if there is room, or beside the trace."""
    directory = os.path.dirname(os.path.abspath(trace))
    try:
        space = os.statvfs("/dev/shm")
        if space.f_bavail * space.f_frsize > (mem + 64) << 20 and os.access("/dev/shm", os.W_OK):
            directory = "/dev/shm"
    except OSError:
        pass
    handle, path = tempfile.mkstemp(prefix="paragon-", suffix=".ram", dir=directory)
    os.close(handle)
    return path


class Reader:
    """A context for a run of the machine whose memory is to be the file `ram`: pvtrace reads its
    trace and saves it in the file `trace`, while it runs or, with live false, afterwards. Without
    a trace nothing is done and ram is None. view: options of pvtrace, which prints to standard
    output; None: it prints nothing. status: pvtrace's exit status, afterwards."""

    def __init__(self, program, trace, view, mem, live=True):
        self.program, self.trace, self.view, self.mem, self.live = program, trace, view, mem, live
        self.ram = self.at = self.process = self.status = None

    def __enter__(self):
        if self.trace:
            self.ram = memory_file(self.trace, self.mem)
        return self

    def line(self, text):
        """Is given each line of the machine's console: one of the hypervisor's says where its trace
        is. Guests cannot print such a line."""
        said = DESCRIBED.match(text) if self.ram else None
        if said:
            self.at = said[1]
            if self.live and not self.process:
                self.start(["--follow"])

    def start(self, how):
        argv = [self.program, "--ram", self.ram, "--at", self.at, "--save", self.trace] + how
        argv += ["-o", os.devnull] if self.view is None else shlex.split(self.view)
        try:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True)
        except OSError as error:
            os.unlink(self.ram)
            sys.exit(f"{self.program}: {error.strerror} (make builds it)")

    def __exit__(self, *_):
        if not self.ram:
            return
        if self.at and not self.process:
            self.start([])
        if self.process:
            self.finish()
        else:
            print("The hypervisor said nothing of a trace: is there a trace= among its options?",
                  file=sys.stderr)
        os.unlink(self.ram)

    def finish(self):
        # It ends by itself at the trace's own end, which is missing if the machine was stopped.
        try:
            self.process.wait(1)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.status = self.process.wait()

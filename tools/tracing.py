"""The reader of a running machine's trace: the file that is the machine's memory, and the pvtrace
that follows it while QEMU runs. Used by paragon-run and the boot tests."""

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
    """A place for mem MiB: in memory where there is room, or beside the trace."""
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
    """A context: inside of it, a machine whose memory is the file `ram` is followed, and its trace
    kept in the file `trace`. view: words for pvtrace, which prints to our standard output; None: it
    prints nothing. Without a trace nothing is done and ram is None. live false: the memory is only
    read when all is over. status: pvtrace's, afterwards."""

    def __init__(self, program, trace, view, mem, live=True):
        self.program, self.trace, self.view, self.mem, self.live = program, trace, view, mem, live
        self.ram = self.at = self.process = self.status = None

    def __enter__(self):
        if self.trace:
            self.ram = memory_file(self.trace, self.mem)
        return self

    def line(self, text):
        """A line of the machine's console: the hypervisor's own says where its trace is. Guests
        cannot say such lines."""
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
        # It ends by itself when the trace says so; a machine that was stopped from outside never
        # says.
        try:
            self.process.wait(1)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.status = self.process.wait()

"""What is wrong with the run of a case: held against what the case expects, and against an earlier
case that it has to be the same as."""

import re

import ways_linux

LEAST_OUTPUT = 20  # lines of tools/linux/session that are compared


def verdicts(report):
    return {f"guest {n}: {test.name}": test.verdict for n, guest in report.guests.items()
            for test in guest.tests}


def differences(case, report, seen):
    """The tests whose verdict is another in case.same_as, or that ran in one of the two only."""
    here = verdicts(report)
    there = verdicts(seen[case.same_as]) if case.same_as in seen else {}
    if case.same_as and not there:
        yield f"{case.same_as}, to be compared with, ran no test"
    elif case.same_as:
        for name in sorted(here.keys() | there.keys()):
            if here.get(name) != there.get(name):
                yield f"{name}: {here.get(name, 'not there')}, and in {case.same_as}: " + \
                    there.get(name, "not there")


def other_output(case, report, seen):
    """What Linux printed otherwise in case.prints_as."""
    if not case.prints_as:
        return
    there = ways_linux.output_of(seen[case.prints_as].lines) if case.prints_as in seen else []
    if len(there) < LEAST_OUTPUT:
        yield f"{case.prints_as}, to be compared with, printed {len(there)} lines"
    yield from ways_linux.unlike(ways_linux.output_of(report.lines), there, case.prints_as)


def faults(case, args, report, trace, good, reason):
    """Everything that is wrong with this case's run."""
    for pattern in case.shows:
        if not any(re.search(pattern, line) for line in report.lines):
            yield f"no line matches {pattern}"
    if case.check:
        yield from case.check(report.lines)
    if case.cut:
        return
    if not case.starts:
        if report.paragon or "time limit" in reason:
            yield "the hypervisor started" if report.paragon else reason
        return
    if case.panics:
        if not report.panic or "time limit" in reason:
            yield "it did not end by itself" if report.panic else "the hypervisor did not panic"
        if not any(re.search(case.panics, line) for line in report.lines):
            yield f"no line matches {case.panics}"
        return
    finished = tuple(sorted(n for n, guest in report.guests.items() if guest.final))
    quiet = not case.guests and not case.crash and reason == "no guest said anything"
    if not good and not quiet:
        yield reason
    if case.guests is None:
        # The good guest behind a refused module: its domain number is not tested.
        if len(finished) != 1:
            yield f"one guest had to finish its tests, {len(finished)} did"
    elif finished != case.guests:
        yield f"guests {case.guests} had to finish their tests, {finished} did"
    if case.traced:
        yield from case.traced(args, report, trace)
    if len(report.frames) != 2:
        yield "the two lines with the number of free frames are not there"

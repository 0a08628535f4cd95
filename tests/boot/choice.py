"""Which boot cases run, and which of them at the same time."""

import multiprocessing
import multiprocessing.connection

import cases
import several_cpus


def compared_with(case):
    return case.same_as or case.prints_as


def choose(names, cpus, long):
    """The cases that have one of these in their name, and those that they are compared with.
    Without names: those that are long, or those that are not, or on several CPUs all."""
    present = several_cpus.chosen(cases.CASES, cpus) if cpus > 1 else cases.CASES
    named = [case for case in present
             if any(part in f"={case.name}=" for part in names) or
             not names and (cpus > 1 or case.long == long)]
    wanted = {case.name for case in named} | {compared_with(case) for case in named}
    return [case for case in present if case.name in wanted]


def grouped(chosen):
    """Lists: a case and those that are compared with it."""
    groups = {case.name: [case] for case in chosen if not compared_with(case)}
    for case in chosen:
        if compared_with(case):
            groups[compared_with(case)].append(case)
    return list(groups.values())


def run_group(group, run, results):
    """In a process of its own, which ends as the last result has been read."""
    seen = {}
    for case in group:
        results.send(run(case, seen))
    results.close()


def start(group, run):
    """(the process, where its results come from)"""
    here, there = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(target=run_group, args=(group, run, there))
    process.start()
    there.close()
    return process, here


def places(group, jobs):
    """How many of the places for cases a group takes. QEMU emulates each CPU in a thread of its own
    (with icount all in one). If the host does not run all of them at the same time, they wait for
    each other's interrupts and locks, and a guest takes up to 20 times as long."""
    return jobs if any(case.smp > 1 and not case.icount and not case.waits
                       for case in group) else 1


def run_all(chosen, jobs, run):
    """The number of cases that passed, each by run(case, seen). Those with several CPUs run first,
    each alone; then the slowest begin first, so that none is left over."""
    waiting = sorted(grouped(chosen), key=lambda group: (places(group, jobs),
                                                         max(case.limit for case in group)))
    running, passed = {}, 0
    while waiting or running:
        while waiting and jobs >= places(waiting[-1], jobs) + sum(
                places(group, jobs) for group, _ in running.values()):
            group = waiting.pop()
            process, results = start(group, run)
            running[results] = group, process
        for results in multiprocessing.connection.wait(list(running)):
            try:
                good, text = results.recv()
                passed += good
                print(text, flush=True)
            except EOFError:
                running.pop(results)[1].join()
    return passed

"""Races that planted.py plants: Race(name, file, what stands there, what is put in its place, the
scenario that must find it)."""
import collections

Race = collections.namedtuple("Race", "name file old new scenario")

RACES = [
    Race("two vCPUs bind one VIRQ: the look is outside the lock", "evtchn_op.c",
         """    spin_lock(&d->evtchn->lock);
    if (v->virq_port[virq] == 0)
        port = evtchn_open_port""",
         """    bool unbound = v->virq_port[virq] == 0;
    spin_lock(&d->evtchn->lock);
    if (unbound)
        port = evtchn_open_port""", "ports"),
    Race("a port is closed under its own domain's lock only", "evtchn.c",
         """        evtchn_lock_pair(d, remote);
        if (likely(remote""",
         """        evtchn_lock_pair(d, d);
        remote = d;
        break;
        if (likely(remote""", "ends"),
    Race("the remote end of a port is not looked at again under both locks", "evtchn.c",
         "if (likely(remote == (e->remote != NULL ? e->remote : d)))", "if (true)", "ends"),
    Race("a sender does not look whether the receiver went over to FIFO", "evtchn.c",
         "if (unlikely(READ_ONCE(d->evtchn->abi) != &evtchn_two_level)) {", "if (false) {",
         "to-fifo"),
    Race("the bitmaps are searched before the new delivery is published", "evtchn_fifo.c",
         ("    store_release(&t->abi, &fifo_abi);\n    smp_mb();\n",
          "    count_work(t->nr_valid * WORK_PER_STATE);\n}"),
         ("",
          "    count_work(t->nr_valid * WORK_PER_STATE);\n    WRITE_ONCE(t->abi, &fifo_abi);\n}"),
         "to-fifo"),
    Race("mmuext_op takes no mm_lock", "mmuext.c", "    spin_lock(&d->mm_lock);\n",
         "    if (spin_trylock(&d->mm_lock))\n        ;\n", "trees"),
]

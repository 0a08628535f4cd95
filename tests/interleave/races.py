"""Races that plant.py plants: Race(name, file, what stands there, what is put in its place, the
scenario that must find it). NAMED are those that ThreadSanitizer must name, with the place."""
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
    Race("a CPU that waits for the console halts without setting a timer", "console_io.c",
         "sched_halt(LOOK_AGAIN_NS)", "arch_idle()", "writers"),
    Race("the guest is asked to leave a word alone, and never released", "evtchn_fifo.c",
         "    if (w & BUSY)\n        locked_and(tail, ~BUSY);\n", "", "busy"),
    Race("mmuext_op takes no mm_lock", "mmuext.c", "    spin_lock(&d->mm_lock);\n    for",
         "    if (spin_trylock(&d->mm_lock))\n        ;\n    for", "trees"),
    Race("other CPUs are not flushed before a frame changes its use", "flush.c",
         "    flush_elsewhere(d, stamp);\n}\n\nvoid flush_foreign", "}\n\nvoid flush_foreign",
         "hammer"),
    Race("other CPUs are asked to flush, and not waited for", "flush.c",
         """        number[nr++] = request_flush(c);
    }
    while (nr-- > 0)
        wait_for_flush(asked[nr], number[nr]);
}

void flush_since""",
         """        number[nr++] = request_flush(c);
    }
    (void)asked;
}

void flush_since""", "hammer"),
    Race("a CPU that is asked to flush keeps global translations", "request.c",
         "    arch_flush_all();\n    store_release(&c->flush.done, number);\n",
         "    arch_load_root(current);\n    store_release(&c->flush.done, number);\n", "hammer"),
    Race("CPUs that flushed when the epoch was the stamp are left out", "flush.c",
         ("READ_ONCE(v->flushed) > stamp)", "if (v->flushed <= stamp)"),
         ("READ_ONCE(v->flushed) >= stamp)", "if (v->flushed < stamp)"), "hammer"),
    Race("a frame becomes a table first, and other CPUs are flushed behind that", "pagetype.c",
         ("        flush_since(frame_owner(f), f->stamp);\n    claimed |=",
          "    return type == TYPE_WRITABLE ? 0 : validate_claimed(f, type);"),
         ("        ;\n    claimed |=",
          "    int rc = type == TYPE_WRITABLE ? 0 : validate_claimed(f, type);\n"
          "    flush_since(frame_owner(f), f->stamp);\n    return rc;"), "hammer"),
    Race("a CPU that waits for a lock serves no flush", "lock.c",
         "            serve_flush_requests();\n", "", "hammer"),
    # The fake machine's arch_switch: xen/ asks no CPU to flush that runs no vCPU of the domain.
    Race("a change of the vCPU leaves global translations in the TLB", "tlb.c",
         "    load_cr3(v);\n    host_tlb_forget();\n    WRITE_ONCE(v->flushed, epoch);\n}\n\n/*",
         "    load_cr3(v);\n    WRITE_ONCE(v->flushed, epoch);\n}\n\n/*", "tenants"),
    Race("a frame leaves its domain's ring without the ring's lock", "frame.c",
         ("    spin_lock(&d->ring_lock);\n    if (d->frames == mfn)",
          "    WRITE_ONCE(d->nr_frames, d->nr_frames - 1);\n    spin_unlock(&d->ring_lock);"),
         ("    if (d->frames == mfn)", "    WRITE_ONCE(d->nr_frames, d->nr_frames - 1);"),
         "last-puts"),
    Race("a vCPU that waits for a table is not woken", "pagetype.c",
         "    if (unlikely(d->type_waiters != 0))", "    if (false)", "trees"),
    Race("a linear entry is stored between the check of an address and the copy", "linear.c",
         ("    spin_lock(&d->linear_lock);", "    spin_unlock(&d->linear_lock);"), ("", ""),
         "linear"),
    Race("the first linear entry does not wait for copies that are not checked", "linear.c",
         "        flush_others(d);\n", "", "linear"),
    Race("a linear entry that goes is flushed when copies may go on", "linear.c",
         """    if (is_linear_l4e(old))
        flush_domain(d);
    spin_unlock(&d->linear_lock);""",
         """    spin_unlock(&d->linear_lock);
    if (is_linear_l4e(old))
        flush_domain(d);""", "linear"),
    Race("CPUs that are to be held are not waited for", "request.c",
         "    while (load_acquire(&nr_held) != nr_cpus - 1) {", "    while (false) {",
         "retype-audited"),
    Race("references are dropped by a load and a store", "frame.h",
         "    uint64_t before = xadd(&f->word, -refs);",
         "    uint64_t before = READ_ONCE(f->word);\n    WRITE_ONCE(f->word, before - refs);",
         "last-puts"),
    Race("whether a domain may have more memory is decided before the lock is taken", "alloc.c",
         ("    spin_lock(&heap_lock);\n    mfn = find_block(",
          "(may != NULL && !may(arg, 1ull << order))"),
         ("    bool allowed = may == NULL || may(arg, 1ull << order);\n\n"
          "    spin_lock(&heap_lock);\n    mfn = find_block(", "!allowed"), "claims"),
    Race("the service domain's memory is not claimed while it is built", "service.c",
         "(!READ_ONCE(s->building) && READ_ONCE(s->given_up))",
         "READ_ONCE(s->building) || READ_ONCE(s->given_up)", "claims-service"),
    Race("the service domain's memory is not claimed at its last start", "service.c",
         "(!READ_ONCE(s->building) && READ_ONCE(s->given_up))",
         "READ_ONCE(s->given_up)", "claims-service"),
    Race("a CPU waits for a slow line with the console's lock", "console.c",
         ("    do {\n        lock_console();\n        tx_pump(",
          """        unlock_console();
        if (!enough)
            let_others_print();
    } while (!enough);
"""),
         ("    lock_console();\n    do {\n        tx_pump(",
          "    } while (!enough);\n    unlock_console();\n"), "slow-line"),
    Race("a vCPU's periodic timer is set by the CPU that changes it", "vtimer.c",
         "    ask_work(v, WORK_TIMERS);\n    vcpu_kick(v);",
         "    timer_cancel(&v->periodic);\n    if (READ_ONCE(v->on_cpu) != NULL)\n"
         "        vcpu_timers_in(v, now_ns());", "periods"),
    Race("a vCPU that stops leaves its timer if its period has just become 0", "vtimer.c",
         "    if (unlikely(timer_armed(&v->periodic)))", "    if (unlikely(v->periodic_ns != 0))",
         "periods"),
    Race("work that is asked for while other work is done is forgotten", "upcall.c",
         "done_work(v, work & (WORK_TIME | WORK_STOP | WORK_TIMERS));",
         "done_work(v, WORK_TIME | WORK_STOP | WORK_TIMERS);", "periods"),
    Race("a timer is ended while its function runs", "timer.c",
         "    while (unlikely(q->firing == t)) {", "    while (false) {", "timer-ends"),
    Race("a timer is taken off its queue before its function has set it again", "timer.c",
         ("    while (unlikely(q->firing == t)) {",
          "    if (READ_ONCE(t->queue) == q)\n        disarm(t);\n    spin_unlock(&q->lock);\n}"),
         ("    if (READ_ONCE(t->queue) == q)\n        disarm(t);\n"
          "    while (unlikely(q->firing == t)) {", "    spin_unlock(&q->lock);\n}"),
         "timer-ends"),
    Race("a timer leaves its queue before the CPU is seen to run its function", "timer.c",
         "        disarm(t);\n        q->firing = t;\n        spin_unlock(&q->lock);",
         "        disarm(t);\n        spin_unlock(&q->lock);\n        q->firing = t;",
         "timer-ends"),
    Race("a pin of a grant is dropped without the lock", "grant_pin.c",
         """    spin_lock(&gt->lock);
    *(readonly ? &p->readers : &p->writers) -= 1;
    gt->nr_pins--;
""",
         """    *(readonly ? &p->readers : &p->writers) -= 1;
    gt->nr_pins--;
    spin_lock(&gt->lock);
""", "grants"),
    Race("two wake-ups put a vCPU on a queue twice", "sched_wake.c",
         "    if (likely(v->blocked && !is_offline(v))) {\n        now", "    {\n        now",
         "blocks"),
    Race("on_cpu is cleared before the vCPU's stack is left", "sched.c",
         "    cpu->leaving = prev;\n",
         "    cpu->leaving = prev;\n    if (!is_idle(prev))\n"
         "        WRITE_ONCE(prev->on_cpu, NULL);\n",
         "blocks"),
    Race("a poller sets its bit by a load and a store", "sched_op.c",
         "    locked_or(&d->poll_mask, 1u << v->id);",
         "    WRITE_ONCE(d->poll_mask, d->poll_mask | 1u << v->id);", "polls"),
    Race("what a poller waits for is read twice", "evtchn.c",
         "        if (polled == port || polled == POLL_SEVERAL)",
         "        if (READ_ONCE(v->poll_port) == port || READ_ONCE(v->poll_port) == POLL_SEVERAL)",
         "polls"),
]

NAMED = [
    Race("vCPUs in a preemption point are counted by a load and a store", "frame.c",
         ("locked_add(&mm_preempted, 1u);", "locked_add(&mm_preempted, -1u);"),
         ("mm_preempted++;", "mm_preempted--;"), "trees"),
    Race("the priority of a port is set without the lock", "evtchn_op.c",
         """    spin_lock(&d->evtchn->lock);        /* the port is not opened or closed meanwhile */
    WRITE_ONCE(e->priority, (uint8_t)op->priority);
    spin_unlock(&d->evtchn->lock);
""", "    WRITE_ONCE(e->priority, (uint8_t)op->priority);\n", "ports-fifo"),
    Race("a frame leaves its domain's ring without the ring's lock", "frame.c",
         ("    spin_lock(&d->ring_lock);\n    if (d->frames == mfn)",
          "    WRITE_ONCE(d->nr_frames, d->nr_frames - 1);\n    spin_unlock(&d->ring_lock);"),
         ("    if (d->frames == mfn)", "    WRITE_ONCE(d->nr_frames, d->nr_frames - 1);"),
         "last-puts"),
]

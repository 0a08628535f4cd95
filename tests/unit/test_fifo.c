/* FIFO event channels: what is allocated and freed, every refusal, and the switch from the
 * two-level bitmaps. The queues: test_fifo_queues.c. */
#include "cmocka_main.h"
#include "fifo_fixture.h"
#include "xen/core/alloc.h"
#include "xen/core/frame.h"

static void bad_control_blocks_and_arrays_are_refused(void **state)
{
    mfn_t mfn = mfn_of_pfn(a, FIRST_PFN), theirs = mfn_of_pfn(b, FIRST_PFN);
    evtchn_port_t port = new_ipi();

    (void)state;
    assert_int_equal(expand(mfn), -EOPNOTSUPP);
    assert_int_equal(set_priority(port, 0), -ENOSYS);
    assert_int_equal(set_priority(5000, 0), -EINVAL);
    assert_int_equal(init_control(2, mfn, 0), -ENOENT);
    assert_int_equal(init_control(~0u, mfn, 0), -ENOENT);
    assert_int_equal(init_control(0, mfn, 4), -EINVAL);
    assert_int_equal(init_control(0, mfn, PAGE_SIZE - sizeof(struct evtchn_fifo_control_block) + 8),
                     -EINVAL);
    assert_int_equal(init_control(0, mfn, ~7u), -EINVAL);
    assert_int_equal(init_control(0, theirs, 0), -EINVAL);
    assert_int_equal(init_control(0, max_mfn, 0), -EINVAL);
    assert_int_equal(init_control(0, ~0ull, 0), -EINVAL);
    assert_int_equal(init_control(0, current->root_kernel >> PAGE_SHIFT, 0), -EINVAL);
    assert_int_equal(expand(mfn), -EOPNOTSUPP); /* still */
    assert_int_equal(init_control(1, mfn, 0), 0);
    assert_int_equal(init_control(1, mfn, 0), -EINVAL);
    assert_int_equal(expand(theirs), -EINVAL);
    assert_int_equal(expand(current->root_kernel >> PAGE_SHIFT), -EINVAL);
    assert_int_equal(set_priority(port, 16), -EINVAL);
    assert_int_equal(set_priority(port, 15), 0);
    for (unsigned i = 0; i < 128; i++)
        /* the same page, each time with references of its own */
        assert_int_equal(expand(mfn), 0);
    assert_int_equal(expand(mfn), -ENOSPC);
}

static void without_memory_fifo_changes_nothing(void **state)
{
    struct evtchn_init_control s = { .control_gfn = mfn_of_pfn(a, FIRST_PFN) };

    (void)state;
    host_leave_free(0);
    assert_int_equal(QUICK(init_control, s), -ENOMEM);
    audit();
    assert_int_equal(expand(mfn_of_pfn(a, FIRST_PFN)), -EOPNOTSUPP);
    host_free_taken();
    assert_int_equal(init_control(0, mfn_of_pfn(a, FIRST_PFN), 0), 0);
}

/* Events pending in the two-level bitmaps are delivered when their word has a page, unless the word
 * is masked. */
static void pending_events_move_to_fifo(void **state)
{
    evtchn_port_t seen = new_ipi(), masked = new_ipi(), quiet = new_ipi();
    struct evtchn_unmask u = { .port = masked };

    (void)state;
    memset(page_of(0), 0, PAGE_SIZE);
    memset(page_of(2), 0, PAGE_SIZE);
    memset(a->shared->evtchn_mask, 0xff, sizeof(a->shared->evtchn_mask));
    memset(a->shared->evtchn_pending, 0, sizeof(a->shared->evtchn_pending));
    assert_int_equal(send_port(seen), 0);
    assert_int_equal(send_port(masked), 0);
    a->shared->evtchn_pending[63] = ~0ul;       /* of ports that do not exist */
    a->vcpu[0]->info->evtchn_upcall_pending = 0;
    control[0] = page_of(0);
    array = page_of(2);
    assert_int_equal(init_control(0, virt_to_mfn(control[0]), 0), 0);
    assert_int_equal(a->shared->evtchn_pending[0], 0);
    assert_int_equal(a->vcpu[0]->info->evtchn_upcall_pending, 0);
    array[masked] = MASKED;
    assert_int_equal(expand(virt_to_mfn(array)), 0);
    assert_int_equal(array[seen], PENDING | LINKED);
    assert_int_equal(array[masked], PENDING | MASKED);
    assert_int_equal(array[quiet], 0);
    assert_int_equal(control[0]->head[EVTCHN_FIFO_PRIORITY_DEFAULT], seen);
    assert_int_equal(control[0]->ready, 1u << EVTCHN_FIFO_PRIORITY_DEFAULT);
    assert_int_equal(a->vcpu[0]->info->evtchn_upcall_pending, 1);
    assert_int_equal(OP(unmask, u), 0);
    assert_int_equal(array[seen], PENDING | LINKED | masked);
    assert_int_equal(array[masked], PENDING | LINKED);
}

static void reset_frees_all_pages(void **state)
{
    mfn_t mfn = mfn_of_pfn(a, FIRST_PFN);
    uint64_t refs = frame_refs(mfn), before = nr_free_frames();
    struct evtchn_reset reset = { .dom = DOMID_SELF };
    struct evtchn_bind_virq virq = { .virq = VIRQ_DEBUG, .vcpu = 0 };
    unsigned n = 0;
    long rc;

    (void)state;
    use_fifo();
    for (;; n++) {
        struct evtchn_bind_ipi s = { .vcpu = 1 };

        rc = QUICK(bind_ipi, s);
        if (rc != 0 || n == 9000)
            break;
        assert_int_equal(send_port(s.port), 0); /* most ports have no word yet */
    }
    assert_int_equal(rc, 0);
    assert_int_equal(OP(bind_virq, virq), 0);
    assert_true(virq.port > 9000);
    assert_int_equal(a->vcpu[0]->virq_port[VIRQ_DEBUG], virq.port);
    assert_int_equal(OP(reset, reset), 0);
    assert_int_equal(a->vcpu[0]->virq_port[VIRQ_DEBUG], 0);
    assert_int_equal(frame_refs(mfn), refs);
    assert_int_equal(send_port(9000), -EINVAL);
    do {                                /* as many ports as the bitmaps have, and no more */
        struct evtchn_bind_ipi s = { .vcpu = 0 };

        rc = QUICK(bind_ipi, s);
        assert_true(rc != 0 || s.port < 4096);
    } while (rc == 0);
    assert_int_equal(rc, -ENOSPC);
    assert_int_equal(OP(reset, reset), 0);
    use_fifo();                         /* and once more */
    assert_int_equal(set_priority(new_ipi(), 1), 0);
    assert_true(nr_free_frames() < before);
}

/* The guest gives the page back: our reference is the last one, until the domain ends. */
static void page_is_held_until_the_domain_ends(void **state)
{
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
    evtchn_port_t port;
    mfn_t mfn;

    (void)state;
    use_fifo();
    port = new_ipi();
    mfn = virt_to_mfn(array);
    guest_put(SCRATCH + 256, &mfn, sizeof(mfn));
    set_xen_guest_handle_raw(r.extent_start, (xen_pfn_t *)(SCRATCH + 256));
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping,
                           GUEST_BASE + ((FIRST_PFN + 2ull) << PAGE_SHIFT), 0, UVMF_INVLPG), 0);
    assert_int_equal(hcall_struct(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, &r,
                                  sizeof(r)), 1);
    assert_true(frame_owner(mfn_to_frame(mfn)) == a);
    assert_int_equal(send_port(port), 0);
    assert_int_equal(array[port], PENDING | LINKED);
    guest_end(a);
    assert_true(mfn_to_frame(mfn)->owner == 0);
    host_become(b->vcpu[0]);
    audit();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_guests(bad_control_blocks_and_arrays_are_refused),
        with_guests(without_memory_fifo_changes_nothing),
        with_guests(pending_events_move_to_fifo),
        with_guests(reset_frees_all_pages),
        with_guests(page_is_held_until_the_domain_ends),
    };

    return cmocka_run_group_tests_name("fifo", tests, NULL, NULL);
}

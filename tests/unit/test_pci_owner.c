/* Registers of PCI functions in page tables, and the end of their owner. Finding functions and
 * configuration space are in test_pci.c. */
#include "cmocka_main.h"
#include "pci_fixture.h"
#include "xen/core/domain_list.h"
#include "xen/core/frame.h"
#include "xen/core/sched_wake.h"

#define RW (PTE_P | PTE_RW | PTE_US | PTE_A)
#define RO (PTE_P | PTE_US | PTE_A)
#define UNCACHED (PTE_PCD | PTE_PWT | PTE_NX)

static long map(uint64_t maddr, uint64_t flags)
{
    return hcall(__HYPERVISOR_update_va_mapping, FREE_PFN_VA, maddr | flags, 0);
}

/* --- Page tables ------------------------------------------------------------------------------ */

/* P2 */
static void owner_maps_registers_uncached(void **state)
{
    static const uint64_t at[] = { DISK_AT, DISK_AT + 0x3000, CARD_AT, CARD_AT + 0x7000 };
    static const uint64_t flags[] = { RW, RO, RW | PTE_PCD, RW | PTE_PWT | PTE_NX, RO | UNCACHED };
    mfn_t before = mfn_of_va(FREE_PFN_VA);

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(at); i++)
        for (unsigned j = 0; j < ARRAY_SIZE(flags); j++) {
            assert_int_equal(map(at[i], flags[j]), 0);
            assert_int_equal(pte_at(FREE_PFN_VA), at[i] | flags[j] | UNCACHED | PTE_G);
        }
    assert_int_equal(frame_refs(before), 1);            /* the mapping before is given back */
    assert_int_equal(map(before << PAGE_SHIFT, RW), 0);
    assert_int_equal(pte_at(FREE_PFN_VA), before << PAGE_SHIFT | RW | PTE_G);
    assert_int_equal(frame_refs(before), 2);
}

static void memory_type_cannot_be_chosen(void **state)
{
    (void)state;
    assert_int_equal(map(DISK_AT, RW), 0);
    assert_int_equal(map(DISK_AT, RW | PTE_PS), -EINVAL);       /* bit 7 is PAT there */
    assert_int_equal(map(CARD_AT, RW | PTE_PS | UNCACHED), -EINVAL);
    assert_int_equal(pte_at(FREE_PFN_VA), DISK_AT | RW | UNCACHED | PTE_G);
    assert_int_equal(map(DISK_AT, RW | 0x200), 0);          /* the same frame: still uncached */
    assert_int_equal(pte_at(FREE_PFN_VA) & UNCACHED, UNCACHED);
}

static long map_as(uint64_t entry, unsigned foreigndom)
{
    struct mmu_update u = { slot_maddr(FREE_PFN_VA), entry };

    guest_put(SCRATCH, &u, sizeof(u));
    return hcall(__HYPERVISOR_mmu_update, SCRATCH, 1, 0, foreigndom);
}

/* The other name for the owner of such frames; as in Xen, update_va_mapping_otherdomain does not
 * take it from a domain without privileges. */
static void io_domain_is_the_owners_too(void **state)
{
    uint64_t ram = pte_at(SCRATCH);

    (void)state;
    assert_int_equal(map_as(DISK_AT | RW, DOMID_IO), 0);
    assert_int_equal(pte_at(FREE_PFN_VA), DISK_AT | RW | UNCACHED | PTE_G);
    assert_int_equal(map_as(CARD_AT | RO | UNCACHED, DOMID_IO), 0);
    assert_int_equal(map_as((DISK_AT + TABLE_AT) | RW, DOMID_IO), -EPERM);
    assert_int_equal(map_as(0xb8000 | RW, DOMID_IO), -EPERM);
    assert_int_equal(map_as(ram, DOMID_IO), -EBUSY);
    assert_int_equal(map_as(DISK_AT | RW, DOMID_XEN), -EPERM);
    assert_int_equal(map_as(DISK_AT | RW, guest->id), -EPERM);
    assert_int_equal(pte_at(FREE_PFN_VA), CARD_AT | RO | UNCACHED | PTE_G);
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping_otherdomain, FREE_PFN_VA, DISK_AT | RW,
                           0, DOMID_IO), -EPERM);
    host_become(guest->vcpu[0]);
    assert_int_equal(map_as(DISK_AT | RW, DOMID_IO), -EPERM);
    assert_int_equal(map_as(DISK_AT | RW | UNCACHED, DOMID_IO), -EINVAL);
}

/* P2 is checked by the recount of references: each of these would be a fault of the hypervisor. */
static void audit_finds_entries_of_no_device(void **state)
{
    static const uint64_t wrong[] = {
        DISK_AT | RW | PTE_PCD | PTE_NX, DISK_AT | RW | PTE_PCD | PTE_PWT,
        (DISK_AT + TABLE_AT) | RW | UNCACHED, (DISK_AT + 0x5000) | RW | UNCACHED,
    };
    uint64_t *slot;

    (void)state;
    assert_int_equal(map(DISK_AT, RW), 0);
    slot = walk_to_l1(driver->vcpu[0]->root_kernel, FREE_PFN_VA);
    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
        *slot = wrong[i] | PTE_G;
        if (HOST_CATCH_END() == END_NONE) {
            audit();
            fail_msg("entry %u is not found", i);
        }
        assert_true(console_has("P2 broken"));
        host.console_len = 0;
    }
    *slot = DISK_AT | RW | UNCACHED | PTE_G;
    audit();
}

/* P3; and what lies next to the registers. */
static void other_frames_are_refused(void **state)
{
    static const uint64_t at[] = {
        DISK_AT + TABLE_AT, CARD_AT + TABLE_AT, DISK_AT - 0x1000, DISK_AT + 0x5000,
        CARD_AT - 0x1000, CARD_AT + 0x8000, 0xfee00000, 0xfec00000, 0xb8000,
    };
    uint64_t before = pte_at(FREE_PFN_VA);

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
        assert_int_equal(map(at[i], RW), -EPERM);
        assert_int_equal(map(at[i], RO), -EPERM);
        assert_int_equal(map(at[i], RO | UNCACHED), -EINVAL);
        assert_int_equal(pte_at(FREE_PFN_VA), before);
    }
}

static void others_map_nothing(void **state)
{
    uint64_t before;

    (void)state;
    host_become(guest->vcpu[0]);
    before = pte_at(FREE_PFN_VA);
    assert_int_equal(map(DISK_AT, RW), -EPERM);
    assert_int_equal(map(DISK_AT, RW | UNCACHED), -EINVAL);
    assert_int_equal(map(CARD_AT, RO), -EPERM);
    assert_int_equal(pte_at(FREE_PFN_VA), before);
}

/* Whole tables with such entries: counted as nothing when they become tables and when they are
 * given up; as tables or roots, registers are nothing. */
static void tables_may_have_them(void **state)
{
    mfn_t table = unmapped_frame(), bad = unmapped_frame();
    uint64_t *entries = mfn_to_virt(table);

    (void)state;
    entries[0] = DISK_AT | RW;
    entries[511] = CARD_AT | RO;
    assert_int_equal(hcall_mmuext(MMUEXT_PIN_L1_TABLE, table, 0), 0);
    assert_int_equal(entries[0], DISK_AT | RW | UNCACHED | PTE_G);
    assert_int_equal(entries[511], CARD_AT | RO | UNCACHED | PTE_G);
    assert_int_equal(hcall_mmu_update(table << PAGE_SHIFT, CARD_AT | 0x1000 | RW), 0);
    assert_int_equal(entries[0], (CARD_AT + 0x1000) | RW | UNCACHED | PTE_G);
    assert_int_equal(hcall_mmuext(MMUEXT_UNPIN_TABLE, table, 0), 0);
    ((uint64_t *)mfn_to_virt(bad))[7] = DISK_AT | RW;
    ((uint64_t *)mfn_to_virt(bad))[8] = (DISK_AT + TABLE_AT) | RW;
    assert_int_equal(hcall_mmuext(MMUEXT_PIN_L1_TABLE, bad, 0), -EPERM);
    memset(mfn_to_virt(bad), 0, PAGE_SIZE);
    ((uint64_t *)mfn_to_virt(bad))[7] = DISK_AT | RW;
    assert_int_equal(hcall_mmuext(MMUEXT_PIN_L2_TABLE, bad, 0), -EINVAL);
    for (unsigned op = MMUEXT_PIN_L1_TABLE; op <= MMUEXT_PIN_L4_TABLE; op++)
        assert_int_equal(hcall_mmuext(op, DISK_AT >> PAGE_SHIFT, 0), -EINVAL);
    assert_int_equal(hcall_mmuext(MMUEXT_NEW_BASEPTR, CARD_AT >> PAGE_SHIFT, 0), -EINVAL);
    assert_int_equal(hcall_mmuext(MMUEXT_CLEAR_PAGE, DISK_AT >> PAGE_SHIFT, 0), -EINVAL);
    assert_int_equal(hcall_mmu_update(DISK_AT | MMU_MACHPHYS_UPDATE, 1), -EINVAL);
    assert_int_equal(hcall_mmu_update(CARD_AT, 1), -EINVAL);
}

/* --- The end of the owner --------------------------------------------------------------------- */

static void enable(uint16_t function)
{
    guest_port_out(driver->vcpu[0], 0xcf8, 4, 0x80000000u | (uint32_t)function << 8 | PCI_COMMAND);
    guest_port_out(driver->vcpu[0], 0xcfc, 2, PCI_MASTER);
}

static void end_driver(void)
{
    host_become(cpus[0]->idle);
    domain_shutdown(driver, SHUTDOWN_crash);
    vcpu_wake(driver->vcpu[0]);
}

/* P4: giving a function resets it; only then the owner may make it a bus master. */
static void function_is_reset_before_it_is_given(void **state)
{
    struct domain *d;

    (void)state;
    pci_init();
    d = driver = guest_make(1, 1);
    disk.memory[VIRTIO_STATUS] = 15;
    disk.pci.busy = 20;
    card.pci.busy = ~0u;
    host.tsc_step = 24000;                              /* 10 us each time the clock is read */
    assert_int_equal(pci_give(d, &unnamed), 1);
    assert_int_equal(disk.pci.busy, 0);
    assert_int_equal(disk.memory[VIRTIO_STATUS], 0);
    assert_true(console_has("01:00.0 cannot be reset: it is not given to d1"));
    enable(DISK);
    enable(CARD);
    assert_int_equal(command_of(&disk) & PCI_MASTER, PCI_MASTER);
    assert_int_equal(command_of(&card) & PCI_MASTER, 0);
}

static void frames_are_kept_until_the_reset(void **state)
{
    (void)state;
    enable(DISK);
    enable(CARD);
    disk.memory[VIRTIO_STATUS] = card.memory[VIRTIO_STATUS] = 15;
    card.pci.busy = 100;
    end_driver();
    (void)host_run(20000000);
    assert_int_equal(command_of(&disk) & PCI_MASTER, 0);
    assert_int_equal(command_of(&card) & PCI_MASTER, 0);
    assert_int_not_equal(card.pci.busy, 0);
    enable(CARD);
    assert_int_equal(command_of(&card) & PCI_MASTER, 0);
    assert_int_equal(driver->state, DOM_SHUTDOWN);
    assert_int_equal(driver->nr_frames, GUEST_FRAMES);
    assert_true(pci_owns(driver));
    (void)host_run(1000000000);
    assert_int_equal(card.pci.busy, 0);
    assert_int_equal(disk.memory[VIRTIO_STATUS], 0);
    assert_int_equal(domain_count(), 1);                /* and machine_down counts the frames */
    assert_false(pci_owns(guest));
}

/* The next owner gets all, and the one before has nothing any more. */
static void functions_are_given_again(void **state)
{
    (void)state;
    guest_end(driver);
    assert_int_equal(command_of(&disk) & PCI_MASTER, 0);
    assert_int_equal(pci_give(guest, &unnamed), 2);
    host_become(guest->vcpu[0]);
    assert_int_equal(map(DISK_AT, RW), 0);
}

/* A function that a word names stays that domain's: nobody else gets it when it ends. */
static void named_functions_are_not_given_to_others(void **state)
{
    static const struct pci_choice card_only = { { CARD }, 1 };

    (void)state;
    pci_init();
    pci_name(&card_only);
    driver = guest_make(1, 1);
    guest = guest_make(2, 1);
    assert_int_equal(pci_give(driver, &card_only), 1);
    assert_int_equal(pci_give(guest, &unnamed), 1);
    assert_non_null(pci_find(guest, 0, DISK));
    guest_end(driver);
    assert_int_equal(pci_give(guest, &unnamed), 0);
    assert_int_equal(pci_give(guest, &card_only), 1);
}

/* A device that never stops: its owner's memory is never used again. */
static void quarantine(void **state)
{
    uint64_t frames;

    (void)state;
    disk.pci.busy = ~0u;
    end_driver();
    (void)host_run(3000000000);
    assert_int_equal(driver->state, DOM_SHUTDOWN);
    assert_int_equal(driver->nr_frames, GUEST_FRAMES);
    assert_true(console_has("00:04.0 does not stop: the memory of d1 is not used any more"));
    frames = nr_free_frames();
    host.console_len = 0;
    assert_true(domains_left());
    guest_end(guest);                                   /* others end as always */
    assert_false(domains_left());                       /* and the machine is switched off */
    assert_false(console_has("does not stop"));         /* it was said once */
    assert_true(nr_free_frames() > frames);
    assert_int_equal(driver->nr_frames, GUEST_FRAMES);
    disk.pci.busy = 0;
    sched_wake_idle();
    (void)host_run(1000000000);
    assert_int_equal(domain_count(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        driven(owner_maps_registers_uncached),
        driven(memory_type_cannot_be_chosen),
        driven(io_domain_is_the_owners_too),
        driven(audit_finds_entries_of_no_device),
        driven(other_frames_are_refused),
        driven(others_map_nothing),
        driven(tables_may_have_them),
        plugged(function_is_reset_before_it_is_given),
        driven(frames_are_kept_until_the_reset),
        driven(functions_are_given_again),
        plugged(named_functions_are_not_given_to_others),
        driven(quarantine),
    };

    return cmocka_run_group_tests_name("pci_owner", tests, NULL, NULL);
}

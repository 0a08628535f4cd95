/* Interrupts of PCI functions as event channels: physdev_op's calls, bind_pirq, and what the MSI-X
 * tables and the pins have after each. */
#include "cmocka_main.h"
#include "pci_fixture.h"
#include "xen/pv/evtchn_table.h"
#include "xen/pv/pirq.h"

#define SHARED BIND_PIRQ__WILL_SHARE

#define NO_PIRQ (-1)

static struct physdev_map_pirq last;

static long map(uint16_t function, int entry, int pirq)
{
    last = (struct physdev_map_pirq){
        .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_MSI_SEG, .pirq = pirq, .bus = function >> 8,
        .devfn = function & 0xff, .entry_nr = entry,
    };
    return hcall_struct(__HYPERVISOR_physdev_op, PHYSDEVOP_map_pirq, &last, sizeof(last));
}

static long unmap(int pirq)
{
    struct physdev_unmap_pirq u = { .domid = DOMID_SELF, .pirq = pirq };

    return hcall_struct(__HYPERVISOR_physdev_op, PHYSDEVOP_unmap_pirq, &u, sizeof(u));
}

static long eoi(unsigned pirq)
{
    struct physdev_eoi e = { .irq = pirq };

    return hcall_struct(__HYPERVISOR_physdev_op, PHYSDEVOP_eoi, &e, sizeof(e));
}

/* The port, or an errno. */
static long bind_as(unsigned pirq, unsigned flags)
{
    struct evtchn_bind_pirq b = { .pirq = pirq, .flags = flags };
    long rc = hcall_struct(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_pirq, &b, sizeof(b));

    return rc != 0 ? rc : (long)b.port;
}

static long bind(unsigned pirq)
{
    return bind_as(pirq, 0);
}

static long close_port(unsigned port)
{
    struct evtchn_close c = { .port = port };

    return hcall_struct(__HYPERVISOR_event_channel_op, EVTCHNOP_close, &c, sizeof(c));
}

static uint32_t *table(struct test_function *f, unsigned entry)
{
    return (uint32_t *)(void *)(f->memory + TABLE_AT) + 4 * entry;
}

static bool is_pending(const struct domain *d, long port)
{
    return d->shared->evtchn_pending[port / 64] >> port % 64 & 1;
}

static bool fires(uint32_t vector, const struct domain *d, long port)
{
    d->shared->evtchn_pending[port / 64] &= ~(1ul << port % 64);
    device_interrupt(vector);
    return is_pending(d, port);
}

static void message_becomes_an_event(void **state)
{
    const uint32_t *e = table(&disk, 1);
    long port;

    (void)state;
    assert_int_equal(map(DISK, 1, NO_PIRQ), 0);
    assert_int_equal(last.pirq, FIRST_MSI_PIRQ);
    assert_int_equal(disk.pci.config[MSIX_CAP / 4] >> 30, 2);   /* on, and not masked as a whole */
    assert_int_equal(e[0], 0xfee00000);
    assert_int_equal(e[1], 0);
    assert_in_range(e[2], DEVICE_VECTORS, DEVICE_VECTORS_END - 1);
    for (unsigned i = 0; i < ENTRIES; i++)
        assert_int_equal(table(&disk, i)[3], 1);        /* I1: no port yet */
    device_interrupt(e[2]);                             /* nobody's */
    port = bind((unsigned)last.pirq);
    assert_true(port > 0);
    assert_int_equal(e[3], 0);
    assert_true(fires(e[2], driver, port));
    assert_false(fires(e[2] + 1, driver, port));
    assert_int_equal(bind((unsigned)last.pirq), -EEXIST);
    assert_int_equal(eoi((unsigned)last.pirq), 0);
    assert_int_equal(close_port((unsigned)port), 0);
    assert_int_equal(e[3], 1);
    assert_false(fires(e[2], driver, port));
    port = bind((unsigned)last.pirq);
    assert_int_equal(e[3], 0);
    assert_int_equal(unmap(last.pirq), 0);              /* the port stays, and is silent */
    assert_int_equal(e[3], 1);
    assert_false(fires(e[2], driver, port));
    assert_int_equal(bind((unsigned)last.pirq), -EPERM);
    assert_int_equal(unmap(last.pirq), -EINVAL);
    assert_int_equal(close_port((unsigned)port), 0);
}

/* A port that outlived its pirq does not switch off the one that has its number now. */
static void old_port_is_not_the_new_one(void **state)
{
    long old, port;

    (void)state;
    assert_int_equal(map(DISK, 0, 30), 0);
    old = bind(30);
    assert_int_equal(unmap(30), 0);
    assert_int_equal(map(CARD, 2, 30), 0);
    port = bind(30);
    assert_true(port > 0 && port != old);
    assert_int_equal(close_port((unsigned)old), 0);
    assert_int_equal(table(&card, 2)[3], 0);
    assert_true(fires(table(&card, 2)[2], driver, port));
}

static void wrong_numbers_are_refused(void **state)
{
    static const struct { int bus, devfn; } nowhere[] = {
        { 0x10000, DISK }, { 0x1000000, DISK }, { 0, CARD }, { -1, DISK }, { 0, -1 },
    };
    struct physdev_irq_status_query q = { .irq = NR_PIRQS };

    (void)state;
    assert_int_equal(map(DISK, ENTRIES, NO_PIRQ), -EINVAL);
    assert_int_equal(map(DISK, -1, NO_PIRQ), -EINVAL);
    assert_int_equal(map(OTHER, 0, NO_PIRQ), -EPERM);
    assert_int_equal(map(DISK, 0, NR_PIRQS), -EINVAL);
    assert_int_equal(map(DISK, 0, NR_PIRQS - 1), 0);
    assert_int_equal(map(DISK, 0, 40), -EEXIST);
    assert_int_equal(map(DISK, 1, NR_PIRQS - 1), -EEXIST);
    assert_int_equal(eoi(NR_PIRQS), -EINVAL);
    assert_int_equal(eoi(FIRST_MSI_PIRQ), -EINVAL);
    assert_int_equal(bind(NR_PIRQS), -EINVAL);
    assert_int_equal(bind(FIRST_MSI_PIRQ), -EPERM);
    assert_int_equal(unmap(-1), -EINVAL);
    assert_int_equal(hcall_struct(__HYPERVISOR_physdev_op, PHYSDEVOP_irq_status_query, &q,
                                  sizeof(q)), -EINVAL);
    for (unsigned i = 0; i < ARRAY_SIZE(nowhere); i++) {
        last = (struct physdev_map_pirq){
            .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_MSI_SEG, .pirq = -1,
            .bus = nowhere[i].bus, .devfn = nowhere[i].devfn,
        };
        assert_int_equal(hcall_struct(__HYPERVISOR_physdev_op, PHYSDEVOP_map_pirq, &last,
                                      sizeof(last)), -EPERM);
    }
    last = (struct physdev_map_pirq){ .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_MSI_SEG,
                                      .pirq = -1, .devfn = DISK, .table_base = DISK_AT };
    assert_int_equal(hcall_struct(__HYPERVISOR_physdev_op, PHYSDEVOP_map_pirq, &last,
                                  sizeof(last)), -EINVAL);
}

static void others_have_no_interrupts(void **state)
{
    long port;

    (void)state;
    assert_int_equal(map(DISK, 0, NO_PIRQ), 0);
    port = bind(FIRST_MSI_PIRQ);
    host_become(guest->vcpu[0]);
    assert_int_equal(map(DISK, 1, NO_PIRQ), -EPERM);
    assert_int_equal(unmap(FIRST_MSI_PIRQ), -EPERM);
    assert_int_equal(eoi(FIRST_MSI_PIRQ), -EINVAL);
    assert_int_equal(bind(FIRST_MSI_PIRQ), -EPERM);
    assert_int_equal(bind(NR_PIRQS), -EINVAL);
    last.domid = driver->id;
    assert_int_equal(hcall_struct(__HYPERVISOR_physdev_op, PHYSDEVOP_map_pirq, &last,
                                  sizeof(last)), -EPERM);
    assert_true(fires(table(&disk, 0)[2], driver, port));
}

static void owners_end_silences_its_functions(void **state)
{
    uint32_t vector;

    (void)state;
    assert_int_equal(map(DISK, 0, NO_PIRQ), 0);
    assert_true(bind((unsigned)last.pirq) > 0);
    assert_int_equal(map(CARD, 3, NO_PIRQ), 0);
    assert_true(bind((unsigned)last.pirq) > 0);
    vector = table(&disk, 0)[2];
    guest_end(driver);
    assert_int_equal(disk.pci.config[MSIX_CAP / 4] >> 30, 0);
    assert_int_equal(card.pci.config[MSIX_CAP / 4] >> 30, 0);
    assert_int_equal(table(&disk, 0)[3], 1);
    assert_int_equal(table(&card, 3)[3], 1);
    for (unsigned i = DEVICE_VECTORS; i < DEVICE_VECTORS_END; i++)
        device_interrupt(i);
    assert_int_equal(pci_give(guest, &unnamed), 2);
    host_become(guest->vcpu[0]);
    assert_int_equal(bind(FIRST_MSI_PIRQ), -EPERM);
    assert_int_equal(map(CARD, 0, NO_PIRQ), 0);
    assert_int_equal(last.pirq, FIRST_MSI_PIRQ);
    assert_int_equal(table(&card, 0)[2], vector);       /* the first one is free again */
    assert_true(fires(vector, guest, bind(FIRST_MSI_PIRQ)));
}

/* --- Pins ------------------------------------------------------------------------------------- */

static long map_line(int line, int pirq)
{
    last = (struct physdev_map_pirq){ .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI,
                                      .index = line, .pirq = pirq };
    return hcall_struct(__HYPERVISOR_physdev_op, PHYSDEVOP_map_pirq, &last, sizeof(last));
}

static unsigned status(unsigned pirq)
{
    struct physdev_irq_status_query q = { .irq = pirq };

    assert_int_equal(hcall_struct(__HYPERVISOR_physdev_op, PHYSDEVOP_irq_status_query, &q,
                                  sizeof(q)), 0);
    return q.flags;
}

static const struct host_pin *pin = &host.pin[LINE];

/* A level: masked until the guest has ended it. */
static void pin_is_masked_until_its_end(void **state)
{
    long port;

    (void)state;
    assert_int_equal(map_line(LINE, NO_PIRQ), 0);
    assert_int_equal(last.pirq, LINE);
    assert_true(pin->masked);
    port = bind(LINE);
    assert_true(port > 0 && !pin->masked);
    assert_in_range(pin->vector, DEVICE_VECTORS, DEVICE_VECTORS_END - 1);
    assert_int_equal(status(LINE), XENIRQSTAT_needs_eoi);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(fires(pin->vector, driver, port));
        assert_true(pin->masked);
        assert_int_equal(map(DISK, 0, NO_PIRQ), 0);     /* others do not unmask it */
        assert_int_equal(unmap(last.pirq), 0);
        assert_int_equal(eoi(LINE), 0);
        assert_false(pin->masked);
        assert_int_equal(eoi(LINE), 0);                 /* once more: nothing */
        assert_false(pin->masked);
    }
    assert_true(fires(pin->vector, driver, port));
    assert_int_equal(close_port((unsigned)port), 0);
    assert_true(pin->masked);
    port = bind(LINE);                                  /* the new port owes nothing */
    assert_false(pin->masked);
    assert_int_equal(close_port((unsigned)port), 0);
    assert_int_equal(eoi(LINE), 0);
    assert_true(pin->masked);                           /* it has no port */
    assert_true(bind(LINE) > 0);
    assert_false(pin->masked);
    assert_int_equal(unmap(LINE), 0);
    assert_true(pin->masked);
    device_interrupt(pin->vector);                      /* it was on its way */
    assert_int_equal(eoi(LINE), -EINVAL);
}

static void wrong_lines_are_refused(void **state)
{
    (void)state;
    assert_int_equal(map_line(LINE + 1, NO_PIRQ), -EPERM);
    assert_int_equal(map_line(-1, NO_PIRQ), -EPERM);
    assert_int_equal(map_line(0x100 + LINE, NO_PIRQ), -EPERM);
    assert_int_equal(map_line(LINE, NR_PIRQS), -EINVAL);
    host.no_pins = true;
    assert_int_equal(map_line(LINE, NO_PIRQ), -EPERM);
    host.no_pins = false;
    assert_int_equal(map_line(LINE, 30), 0);            /* under another number */
    assert_int_equal(map_line(LINE, 31), -EEXIST);
    assert_int_equal(bind(LINE), -EPERM);
    assert_true(bind(30) > 0);
    host_become(guest->vcpu[0]);
    assert_int_equal(map_line(LINE, NO_PIRQ), -EPERM);
    assert_int_equal(eoi(30), -EINVAL);
}

/* Two domains with a function each on one pin: unmasked when both have ended the interrupt. */
static void domains_share_a_pin(void **state)
{
    long one, two;
    uint8_t vector;

    (void)state;
    pci_find(driver, CARD >> 8, CARD & 0xff)->owner = guest;
    assert_int_equal(map_line(LINE, NO_PIRQ), 0);
    assert_int_equal(status(LINE), XENIRQSTAT_needs_eoi);
    one = bind_as(LINE, SHARED);
    vector = pin->vector;
    host_become(guest->vcpu[0]);
    assert_int_equal(map_line(LINE, NO_PIRQ), 0);
    assert_int_equal(status(LINE), XENIRQSTAT_needs_eoi | XENIRQSTAT_shared);
    assert_int_equal(bind(LINE), -EBUSY);
    two = bind_as(LINE, SHARED);
    assert_true(one > 0 && two > 0);
    assert_int_equal(pin->vector, vector);
    guest->shared->evtchn_pending[0] = 0;
    assert_true(fires(vector, driver, one));
    assert_true(is_pending(guest, two));
    assert_int_equal(eoi(LINE), 0);
    assert_true(pin->masked);
    host_become(driver->vcpu[0]);
    assert_int_equal(eoi(LINE), 0);
    assert_false(pin->masked);
    /* One ends without having answered: the other one goes on, by its own vector. */
    assert_true(fires(vector, driver, one));
    host_become(guest->vcpu[0]);
    assert_int_equal(eoi(LINE), 0);
    assert_true(pin->masked);
    guest_end(driver);
    assert_false(pin->masked);
    assert_int_not_equal(pin->vector, vector);
    assert_true(fires(pin->vector, guest, two));
    host_become(guest->vcpu[0]);
    assert_int_equal(eoi(LINE), 0);
    guest_end(guest);
    assert_true(pin->masked);
}

static void unshared_pin_is_one_domains(void **state)
{
    (void)state;
    pci_find(driver, CARD >> 8, CARD & 0xff)->owner = guest;
    assert_int_equal(map_line(LINE, NO_PIRQ), 0);
    assert_true(bind(LINE) > 0);
    host_become(guest->vcpu[0]);
    assert_int_equal(map_line(LINE, NO_PIRQ), 0);
    assert_int_equal(bind_as(LINE, SHARED), -EBUSY);
    assert_int_equal(bind(LINE), -EBUSY);
}

/* The page says for no interrupt that it needs its end; so the owner of a pin cannot have one. */
static void page_of_ends_is_not_for_owners(void **state)
{
    struct physdev_pirq_eoi_gmfn e = { .gmfn = mfn_of_va(SCRATCH) };

    (void)state;
    assert_int_equal(hcall_struct(__HYPERVISOR_physdev_op, PHYSDEVOP_pirq_eoi_gmfn_v2, &e,
                                  sizeof(e)), -ENOSYS);
    host_become(guest->vcpu[0]);
    e.gmfn = mfn_of_va(SCRATCH);
    assert_int_equal(hcall_struct(__HYPERVISOR_physdev_op, PHYSDEVOP_pirq_eoi_gmfn_v2, &e,
                                  sizeof(e)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        driven(message_becomes_an_event),
        driven(old_port_is_not_the_new_one),
        driven(wrong_numbers_are_refused),
        driven(others_have_no_interrupts),
        driven(owners_end_silences_its_functions),
        driven(pin_is_masked_until_its_end),
        driven(wrong_lines_are_refused),
        driven(domains_share_a_pin),
        driven(unshared_pin_is_one_domains),
        driven(page_of_ends_is_not_for_owners),
    };

    return cmocka_run_group_tests_name("pirq", tests, NULL, NULL);
}

/* Interrupts of PCI functions as event channels: physdev_op's calls, bind_pirq, and what the MSI-X
 * tables have after each. */
#include "cmocka_main.h"
#include "pci_fixture.h"
#include "xen/pv/evtchn_table.h"
#include "xen/pv/pirq.h"

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
static long bind(unsigned pirq)
{
    struct evtchn_bind_pirq b = { .pirq = pirq };
    long rc = hcall_struct(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_pirq, &b, sizeof(b));

    return rc != 0 ? rc : (long)b.port;
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
    assert_int_equal(pci_give_all(guest), 2);
    host_become(guest->vcpu[0]);
    assert_int_equal(bind(FIRST_MSI_PIRQ), -EPERM);
    assert_int_equal(map(CARD, 0, NO_PIRQ), 0);
    assert_int_equal(last.pirq, FIRST_MSI_PIRQ);
    assert_int_equal(table(&card, 0)[2], vector);       /* the first one is free again */
    assert_true(fires(vector, guest, bind(FIRST_MSI_PIRQ)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        driven(message_becomes_an_event),
        driven(old_port_is_not_the_new_one),
        driven(wrong_numbers_are_refused),
        driven(others_have_no_interrupts),
        driven(owners_end_silences_its_functions),
    };

    return cmocka_run_group_tests_name("pirq", tests, NULL, NULL);
}

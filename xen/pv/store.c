/* Tells the service domain about guests: one line for each event (created, to be shut down, ended;
 * of the driver domain also that it is lost or given up), put into its console ring as input
 * (guest-pv/store/main.c has their format). An event waits here until the ring has room for its
 * line, so none is lost; each guest has one bit for each kind of event, so no memory is needed. The
 * service domain is an ordinary domain, and gets from the builder a page and a port of each guest.
 * When it ends the guests continue, and boot/service.c starts another one; if that happens too
 * often the guests' connections are set to an error state. So it does with the driver domain, under
 * the same number, for which guests have granted their pages and bound their ports; they do not
 * notice it. Called by boot/, and when a domain is created or ends. */
#include "arch/arch.h"
#include "common/printf.h"
#include "common/string.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/frame.h"
#include "xen/core/lock.h"
#include "xen/core/log.h"
#include "xen/core/time.h"
#include "xen/core/timer.h"
#include "xen/pv/console_ring.h"
#include "xen/pv/evtchn.h"
#include "xen/pv/pagetype.h"
#include "xen/pv/store.h"

/* An introduction with the devices, whose words have five bytes at least, and a NUL. */
#define MAX_DEVICES (DEVICE_WORDS / 5)
#define TEXT_MAX (112u + DEVICE_WORDS + MAX_DEVICES * sizeof("device 1024 1024 "))

#define DRIVER_PATIENCE (10ull * 1000000000)
/* For a driver domain that nobody can tell: it flushes its disks every second then. */
#define UNTOLD_PATIENCE (3ull * 1000000000)

/* In the order in which they are sent. The first two are of the driver domain. */
enum event { LOST, ABANDON, INTRODUCE, SHUTDOWN, RELEASE, NR_EVENTS };
static const char *const lines[NR_EVENTS] = {
    [LOST] = "lost %u\n",               /* another one of this number will follow */
    [ABANDON] = "abandon %u\n",         /* none will follow */
    [SHUTDOWN] = "shutdown %u poweroff\n",
    [RELEASE] = "release %u\n",
};

static struct {
    bool known;                         /* the service domain was told of it, or will be */
    bool told;                          /* it was, or one before it */
    uint8_t waiting;                    /* bit per event */
    char name[32];
    uint64_t kib;
    unsigned vcpus;
    const struct domain *domain;        /* while it is known */
} guests[MAX_DOMIDS];
struct store_hooks store_hooks;
static unsigned nr_waiting;
static struct domain *service;
/* The back ends of the guests' devices are in this one; NULL: there is none, or it ended before the
 * guests and was not yet replaced (driver_lost). */
static struct domain *driver;
static domid_t driver_id;
static bool driver_told;                /* to end */
static bool driver_lost;
static bool driver_given_up;            /* there will be none any more */
static struct timer driver_patience;
/* The service domain ended before the guests, and was not yet replaced. */
static bool lost;

static void set_waiting(domid_t id, enum event e)
{
    nr_waiting += !(guests[id].waiting >> e & 1);
    guests[id].waiting |= (uint8_t)(1u << e);
}

static void clear_waiting(domid_t id, enum event e)
{
    nr_waiting -= guests[id].waiting >> e & 1;
    guests[id].waiting &= (uint8_t)~(1u << e);
}

static bool has_driver(void)
{
    return driver != NULL || driver_lost;
}

static bool had_driver(void)
{
    return has_driver() || driver_given_up;
}

/* The devices' lines stand before that of their guest, which makes the store act. A store that was
 * started after the driver domain was given up closes the devices: front ends may wait for it. */
static unsigned format_introduction(char *text, size_t size, domid_t id)
{
    const struct domain *d = guests[id].domain;
    unsigned len = 0;

    if (d == driver)
        len = (unsigned)snprintf(text, size, "driver %u\n", id);
    for (const char *word = d->devices; had_driver() && *word != '\0'; word += strlen(word) + 1)
        len += (unsigned)snprintf(text + len, size - len, "device %u %u %s\n", id, driver_id,
                                  word);
    len += (unsigned)snprintf(text + len, size - len, "introduce %u %s %lu %u%s\n", id,
                              guests[id].name, guests[id].kib, guests[id].vcpus,
                              guests[id].told ? " again" : "");
    if (driver_given_up && d->devices[0] != '\0')
        len += (unsigned)snprintf(text + len, size - len, lines[ABANDON], driver_id);
    return len;
}

/* Puts all lines of the event into the ring, or nothing. */
static bool tell(domid_t id, enum event e)
{
    char line[TEXT_MAX];
    unsigned len = e == INTRODUCE
                       ? format_introduction(line, sizeof(line), id)
                       : (unsigned)snprintf(line, sizeof(line), lines[e], id);

    if (!console_has_room(service, len))
        return false;
    for (unsigned i = 0; i < len; i++)
        console_give(service, line[i]);
    guests[id].told |= e == INTRODUCE;
    clear_waiting(id, e);
    return true;
}

void store_poll(void)
{
    if (service == NULL || service->state != DOM_RUNNING)
        return;
    for (domid_t id = 1; nr_waiting != 0 && id < MAX_DOMIDS; id++)
        for (enum event e = 0; e < NR_EVENTS; e++)
            if (guests[id].waiting >> e & 1 && !tell(id, e))
                return;
}

void store_serve(struct domain *d)
{
    memset(guests, 0, sizeof(guests));
    nr_waiting = 0;
    service = d;
    driver = NULL;
    lost = driver_lost = driver_given_up = false;
}

static void driver_is_late(void *arg)
{
    (void)arg;
    if (driver == NULL)
        return;
    log_warning("d%u (%s) %s", driver->id, driver->name,
                service != NULL ? "does not end" : "is ended: there is no store to tell it");
    domain_shutdown(driver, SHUTDOWN_poweroff);
}

void store_driver(struct domain *d)
{
    driver = d;
    driver_id = d->id;
    driver_told = driver_lost = driver_given_up = false;
    timer_init(&driver_patience, driver_is_late, NULL);
}

bool store_present(void)
{
    return service != NULL;
}

void store_introduce(struct domain *d)
{
    domid_t id = d->id;

    if (service == NULL || id == STORE_DOMID || id >= MAX_DOMIDS)
        return;
    guests[id].known = true;
    guests[id].told = false;
    guests[id].domain = d;
    if (d->devices[0] != '\0' && !has_driver())
        log_warning("d%u (%s): there is no driver domain: it gets no devices", id, d->name);
    guests[id].kib = d->max_frames * (PAGE_SIZE / 1024);
    guests[id].vcpus = d->nr_vcpus;
    copy_string(guests[id].name, d->name, sizeof(guests[id].name));
    set_waiting(id, INTRODUCE);
    store_poll();
}

/* Guests stay known when the service domain ends, because the next one has to be told of them. */
void store_domain_ended(struct domain *d)
{
    bool untold;

    if (d == service) {
        service = NULL;
        lost = true;
    }
    if (d == driver) {
        timer_cancel(&driver_patience);
        driver = NULL;
        driver_lost = !driver_told;
    }
    if (d->id >= MAX_DOMIDS || !guests[d->id].known)
        return;
    untold = guests[d->id].waiting >> INTRODUCE & 1;
    guests[d->id].known = false;
    clear_waiting(d->id, INTRODUCE);
    clear_waiting(d->id, SHUTDOWN);
    if (!untold && service != NULL)
        set_waiting(d->id, driver_lost && d->id == driver_id ? LOST : RELEASE);
    store_poll();
}

bool store_shutdown(domid_t id)
{
    if (service == NULL || id >= MAX_DOMIDS || !guests[id].known)
        return false;
    set_waiting(id, SHUTDOWN);
    store_poll();
    return true;
}

/* Whether guests are left. One that is DYING does not count: it may exist only because the
 * service domain maps its frames, and these mappings end with the service domain. */
static bool guests_live(void)
{
    struct domain *d;

    for_each_domain(d)
        if (!d->serves && d->state < DOM_DYING)
            return true;
    return false;
}

/* Sets the connection's error state (public/io/xs_wire.h): there will be no more answers. The
 * page is the guest's, which may have given it away meanwhile. */
static void break_connection(struct domain *d)
{
    struct frame *f;

    spin_lock(&d->mm_lock);
    if (d->store_mfn != 0 && get_page_and_type(d->store_mfn, d, TYPE_WRITABLE, &f) == 0) {
        struct xenstore_domain_interface *page = mfn_to_virt(d->store_mfn);

        WRITE_ONCE(page->error, XENSTORE_ERROR_COMM);
        put_page_and_type(f);
    }
    spin_unlock(&d->mm_lock);
    evtchn_raise_unbound(d, d->store_port);
}

static void break_connections(void)
{
    struct domain *d;

    log_error(
        "Nobody serves the store any more: guests that wait for it find an error in its page");
    for_each_domain(d)
        if (d->state == DOM_RUNNING && d->id < MAX_DOMIDS && guests[d->id].known)
            break_connection(d);
    memset(guests, 0, sizeof(guests));
    nr_waiting = 0;
    store_hooks.forget(SERVICE_STORE);
}

/* Waits until the old one is freed, or there would be two domains of that number. */
static void start_store(void)
{
    if (domain_at(STORE_DOMID) != NULL)
        return;
    lost = false;
    service = store_hooks.start_store();
    if (service == NULL) {
        break_connections();
        return;
    }
    for (domid_t id = 1; id < MAX_DOMIDS; id++) {
        /* Of what has ended the new one was never told. */
        clear_waiting(id, LOST);
        clear_waiting(id, RELEASE);
        if (guests[id].known)
            set_waiting(id, INTRODUCE);
    }
    domain_start(service);
    store_poll();
}

/* There will be no driver domain any more. */
static void abandon_devices(void)
{
    driver_given_up = true;
    set_waiting(driver_id, ABANDON);
    store_poll();
}

/* Waits as start_store() does, also until the store maps nothing of the old one any more. */
static void start_driver(void)
{
    struct domain *d;

    if (domain_at(driver_id) != NULL)
        return;
    driver_lost = false;
    d = store_hooks.start_driver();
    if (d == NULL) {
        log_error("d%u, the driver domain, died too often or cannot be started again: its guests' "
                  "devices are closed", driver_id);
        abandon_devices();
        return;
    }
    store_driver(d);
    store_introduce(d);
    domain_start(d);
}

/* A device of the driver domain does not stop: so there can be no other one of its number. */
static void give_driver_up(void)
{
    timer_cancel(&driver_patience);
    driver = NULL;
    log_error("d%u, the driver domain, cannot be started again: its guests' devices are closed",
              driver_id);
    abandon_devices();
}

/* It is told by the store, as a guest would be, behind the release of the last guest: so it sees to
 * what that guest has left before it ends. Without a store it is ended after a time. */
static void end_driver(void)
{
    if (driver_told)
        return;
    driver_told = true;
    timer_set(&driver_patience,
              now_ns() + (store_shutdown(driver->id) ? DRIVER_PATIENCE : UNTOLD_PATIENCE));
}

void store_idle_work(void)
{
    if (driver != NULL && driver->quarantined)
        give_driver_up();
    if (service == NULL && !lost && !has_driver())
        return;
    if (guests_live()) {
        if (lost)
            start_store();
        if (driver_lost && service != NULL)
            start_driver();
        return;
    }
    lost = driver_lost = false;
    store_hooks.forget(SERVICE_STORE);
    store_hooks.forget(SERVICE_DRIVER);
    if (driver != NULL)
        end_driver();
    else if (service != NULL)
        domain_shutdown(service, SHUTDOWN_poweroff);
}

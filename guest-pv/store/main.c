/* The service domain: the test guest's kernel with the store instead of tests. The hypervisor tells
 * it of the other domains by lines, as if they were typed on its console:
 *
 *     driver DOMID
 *     device DOMID DRIVER disk=SPEC,NAME,r|w
 *     device DOMID DRIVER vif=[MAC][,strict]
 *     introduce DOMID NAME KIB VCPUS [again]     again: a store before us served it
 *     release DOMID
 *     lost DOMID                        a driver domain: another of its number will follow
 *     abandon DOMID                     none will follow
 *     shutdown DOMID poweroff|reboot|halt|suspend
 *
 * With store=refuse on its command line it answers every request of a guest with EIO. The
 * hypervisor starts it so after it has died too often: a guest that waits for an answer must get
 * one. The driver domain is served, so that it learns of guests that end, and when it is to end.
 *
 * Everything happens in one thread: it serves while there is something to do and sleeps until the
 * console or a ring has an event. The hypervisor ends it when no other domain is left. */
#include <stdio.h>
#include <string.h>
#include "console.h"
#include "event.h"
#include "ring.h"
#include "start.h"
#include "store.h"
#include "thread.h"
#include "trap.h"

#define LINE_BYTES 128

static struct thread *server;

void console_wake(void)
{
    thread_wake(server);
}

static void on_console(port_t port, void *arg)
{
    (void)port;
    (void)arg;
    console_wake();
}

static bool is_shutdown_word(const char *word)
{
    static const char *const words[] = { "poweroff", "reboot", "halt", "suspend" };

    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (!strcmp(word, words[i]))
            return true;
    return false;
}

static void obey(const char *line)
{
    unsigned domid, driver, vcpus;
    unsigned long kib;
    char word[LINE_BYTES];

    if (sscanf(line, "driver %u", &domid) == 1 && domid < MAX_DOMAINS)
        accounts[domid].is_driver = true;
    else if (sscanf(line, "device %u %u %s", &domid, &driver, word) == 3 &&
             domid < MAX_DOMAINS && driver < MAX_DOMAINS)
        device_add(domid, driver, word);
    else if (sscanf(line, "introduce %u %s %lu %u", &domid, word, &kib, &vcpus) == 4 &&
        domid < MAX_DOMAINS)
        domain_introduce(domid, word, kib, vcpus, strstr(line, " again"));
    else if (sscanf(line, "release %u", &domid) == 1 && domid < MAX_DOMAINS)
        domain_release(domid);
    else if (sscanf(line, "lost %u", &domid) == 1 && domid < MAX_DOMAINS)
        ring_disconnect(domid);
    else if (sscanf(line, "abandon %u", &domid) == 1 && domid < MAX_DOMAINS)
        devices_close(domid);
    else if (sscanf(line, "shutdown %u %s", &domid, word) == 2 && domid < MAX_DOMAINS &&
             is_shutdown_word(word))
        domain_shutdown(domid, word);
    else
        kprintf("store: not understood: %s\n", line);
}

static void read_lines(void)
{
    static char line[LINE_BYTES];
    static unsigned len;
    char buf[LINE_BYTES];
    int n;

    while ((n = console_read(buf, sizeof(buf))))
        for (int i = 0; i < n; i++) {
            line[len] = buf[i];
            if (buf[i] != '\n') {
                len += len < sizeof(line) - 1;
                continue;
            }
            line[len] = 0;
            len = 0;
            obey(line);
        }
}

int guest_main(void)
{
    if (!tree_init())
        panic("no memory for the store");
    refuse_all = cmdline_has("store", "refuse");
    if (refuse_all)
        kprintf("store: every request of a guest will be answered by EIO\n");
    server = current;
    device_states_init();
    event_set_handler(console_port(), on_console, NULL);
    event_unmask(console_port());
    for (;;) {
        read_lines();
        device_states_serve();
        domains_serve();
        if (!rings_serve())
            thread_block();
    }
}

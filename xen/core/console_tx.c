/* The transmit ring of the machine's console: console.c puts bytes in, the transmitter gets them
 * later, while guests run. tx_pump fills the transmitter; it is called after each print, by the
 * console's timer and by the idle vCPU. Each call sends what the transmitter accepts at once (16
 * bytes with most UARTs), and returns after a bounded time. Only tx_flush waits for bytes to be
 * sent: at boot, at the end, in a panic, and with sync_console.
 *
 * How much each writer may put is decided by console.c and pv/console_ring.c. Positions count bytes
 * since boot and never wrap. */
#include "arch/arch.h"
#include "common/atomic.h"
#include "xen/core/console_tx.h"
#include "xen/core/time.h"

/* TSC ticks, as the clock may not be calibrated yet: some seconds */
#define PATIENCE (1ull << 33)

static struct {
    char bytes[TX_BYTES];
    uint64_t put, sent;                 /* positions; tx_empty() reads them without the lock */
    /* TSC when the transmitter last accepted a byte, or the ring was empty */
    uint64_t moved;
    /* tx_flush timed out: it does not wait again until a byte is accepted */
    bool given_up;
} tx;

void tx_put(const char *s, size_t len)
{
    if (tx_empty())
        WRITE_ONCE(tx.moved, arch_tsc());
    for (; len != 0 && tx_room() != 0; len--) {
        tx.bytes[tx.put % TX_BYTES] = *s++;
        WRITE_ONCE(tx.put, tx.put + 1);
    }
}

unsigned tx_room(void)
{
    return TX_BYTES - (unsigned)(tx.put - tx.sent);
}

bool tx_empty(void)
{
    return READ_ONCE(tx.put) == READ_ONCE(tx.sent);
}

uint64_t tx_position(void)
{
    return tx.put;
}

bool tx_sent(uint64_t position)
{
    return tx.sent >= position;
}

/* Sends what the transmitter accepts at once. False: nothing. */
static bool send_some(void)
{
    unsigned at = (unsigned)(tx.sent % TX_BYTES), len = (unsigned)(tx.put - tx.sent), n;

    if (len == 0)
        return false;
    n = arch_console_write(&tx.bytes[at], MIN(len, TX_BYTES - at));
    if (n == 0)
        return false;
    WRITE_ONCE(tx.sent, tx.sent + n);
    WRITE_ONCE(tx.moved, arch_tsc());
    tx.given_up = false;
    return true;
}

bool tx_pump(uint64_t ns)
{
    uint64_t start = tx_empty() ? 0 : now_ns();
    bool any = false;

    while (send_some()) {
        any = true;
        if (now_ns() - start >= ns)
            break;
    }
    return any;
}

void tx_flush(void)
{
    uint64_t start = arch_tsc();

    while (!tx_empty()) {
        if (send_some()) {
            start = arch_tsc();
        } else if (tx.given_up || arch_tsc() - start > PATIENCE) {
            tx.given_up = true;
            return;
        }
    }
    while (!arch_console_sent() && arch_tsc() - start <= PATIENCE)
        ; /* until the last byte has left: the machine may be switched off next */
}

bool tx_stuck(void)
{
    uint64_t moved;

    if (tx_empty())
        return false;
    moved = load_acquire(&tx.moved);
    return (int64_t)(arch_tsc() - moved) > (int64_t)PATIENCE;   /* another CPU's clock is ahead */
}

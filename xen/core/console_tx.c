/* The bytes between the console's lines and the transmitter. The machine runs on while they wait here: the
 * transmitter is filled when somebody prints, by the console's timer, and by the idle CPU, each time with what it
 * takes at once, 16 bytes mostly, and for a bounded time. Nobody waits for a byte to be sent, but for tx_flush's
 * callers: while nothing else runs (the boot, the end, a panic), or when asked to say more than the ring holds.
 *
 * Who may put how much is console.c's and console_ring.c's business. Positions count bytes from the beginning and
 * never wrap. */
#include "arch/arch.h"
#include "xen/core/console_tx.h"
#include "xen/core/time.h"

#define PATIENCE (1ull << 33)           /* TSC ticks, so that it holds before clocks are calibrated: some seconds */

static struct {
    char bytes[TX_BYTES];
    uint64_t put, sent;                 /* positions */
    uint64_t moved;                     /* TSC when the transmitter took something last, or had nothing to take */
    bool given_up;                      /* tx_flush waited for nothing: not again, until something moves */
} tx;

void tx_put(const char *s, size_t len)
{
    if (tx_empty())
        tx.moved = arch_tsc();
    for (; len != 0 && tx_room() != 0; len--)
        tx.bytes[tx.put++ % TX_BYTES] = *s++;
}

unsigned tx_room(void)
{
    return TX_BYTES - (unsigned)(tx.put - tx.sent);
}

bool tx_empty(void)
{
    return tx.put == tx.sent;
}

uint64_t tx_position(void)
{
    return tx.put;
}

bool tx_sent(uint64_t position)
{
    return tx.sent >= position;
}

/* One filling of the transmitter. */
static bool send_some(void)
{
    unsigned at = (unsigned)(tx.sent % TX_BYTES), len = (unsigned)(tx.put - tx.sent), n;

    if (len == 0)
        return false;
    n = arch_console_write(&tx.bytes[at], MIN(len, TX_BYTES - at));
    if (n == 0)
        return false;
    tx.sent += n;
    tx.moved = arch_tsc();
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

void tx_flush(unsigned room)
{
    uint64_t start = arch_tsc();

    while (tx_room() < room) {
        if (send_some()) {
            start = arch_tsc();
        } else if (tx.given_up || arch_tsc() - start > PATIENCE) {
            tx.given_up = true;
            return;
        }
    }
    while (room == TX_BYTES && !arch_console_sent() && arch_tsc() - start <= PATIENCE)
        ;                               /* the machine may be switched off next */
}

bool tx_stuck(void)
{
    return !tx_empty() && arch_tsc() - tx.moved > PATIENCE;
}

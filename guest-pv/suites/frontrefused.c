/* Suite "frontrefused" (only by name): the back end cannot serve the guest's network device: it
 * closes the device, and what follows of the guest's is not connected. */
#include "clock.h"
#include "front.h"
#include "suite.h"
#include "thread.h"

static void net_is_closed(void)
{
    struct front f;

    ASSERT(front_find(&f, "vif", 0));
    ASSERT(front_wait(&f, STATE(Closing)));
    front_set_state(&f, XenbusStateConnected);
    thread_sleep(FRONT_SOON);
    EXPECT_EQ(front_back_state(&f), XenbusStateClosing);
}

SUITE(frontrefused, 91, SUITE_NAMED_ONLY | SUITE_NEEDS_STORE, TEST(net_is_closed));

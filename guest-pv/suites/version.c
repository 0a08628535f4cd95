/* Suite "version": the smaller answers of xen_version, vm_assist and nmi_op. Features and strings
 * that a kernel needs at boot are in boot.c. */
#include <string.h>
#include <public/features.h>
#include "hypercall.h"
#include "mm.h"
#include "start.h"
#include "suite.h"

#define UNMAPPED ((void *)0xffffff0000001000ul)

/* Each reply has the size of its type: memory behind it is not changed, and a string ends
 * within. */
static void check_string(int cmd, size_t len)
{
    static char buf[2048];
    long rc;

    memset(buf, 0x5a, sizeof(buf));
    rc = xen_version(cmd, buf);
    EXPECT_MSG(rc == 0, "command %d: %ld", cmd, rc);
    EXPECT_MSG(memchr(buf, 0, len) != NULL, "command %d: no end", cmd);
    for (size_t i = len; i < sizeof(buf); i++)
        ASSERT_MSG(buf[i] == 0x5a, "command %d wrote at %lu", cmd, i);
    EXPECT_EQ(xen_version(cmd, UNMAPPED), -XEN_EFAULT);
    EXPECT_EQ(xen_version(cmd, (void *)HOLE_START), -XEN_EFAULT);
    EXPECT_EQ(xen_version(cmd, (void *)(HOLE_START - 4)), -XEN_EFAULT);
}

static void strings(void)
{
    check_string(XENVER_extraversion, sizeof(xen_extraversion_t));
    check_string(XENVER_capabilities, sizeof(xen_capabilities_info_t));
    check_string(XENVER_changeset, sizeof(xen_changeset_info_t));
    check_string(XENVER_commandline, sizeof(xen_commandline_t));
}

static void compile_info(void)
{
    static union {
        struct xen_compile_info info;
        char bytes[512];
    } buf;
    const struct xen_compile_info *info = &buf.info;

    memset(&buf, 0x5a, sizeof(buf));
    ASSERT_EQ(xen_version(XENVER_compile_info, &buf), 0);
    EXPECT(memchr(info->compiler, 0, sizeof(info->compiler)) != NULL);
    EXPECT(memchr(info->compile_by, 0, sizeof(info->compile_by)) != NULL);
    EXPECT(memchr(info->compile_domain, 0, sizeof(info->compile_domain)) != NULL);
    EXPECT(memchr(info->compile_date, 0, sizeof(info->compile_date)) != NULL);
    for (size_t i = sizeof(*info); i < sizeof(buf); i++)
        ASSERT_EQ(buf.bytes[i], 0x5a);
}

static void domain_handle(void)
{
    uint8_t handle[17], again[17];

    memset(handle, 0x5a, sizeof(handle));
    memset(again, 0xa5, sizeof(again));
    ASSERT_EQ(xen_version(XENVER_guest_handle, handle), 0);
    ASSERT_EQ(xen_version(XENVER_guest_handle, again), 0);
    EXPECT_EQ(memcmp(handle, again, 16), 0);
    EXPECT_EQ(handle[16], 0x5a);
    EXPECT_EQ(again[16], 0xa5);
}

/* The version number needs no privilege and no argument; kernels also call it to have pending
 * events delivered. */
static void numbers(void)
{
    long v = xen_version(XENVER_version, NULL);

    EXPECT_EQ(xen_version(XENVER_version, UNMAPPED), v);
    EXPECT_EQ(v >> 32, 0);
    EXPECT_EQ(xen_version(XENVER_pagesize, NULL), PAGE_SIZE);
    EXPECT_EQ(xen_version(-1, NULL), -XEN_ENOSYS);
    EXPECT_EQ(xen_version(11, NULL), -XEN_ENOSYS);
}

/* With NULL it returns the length; a buffer that is too small is refused. */
static void build_id(void)
{
    static uint64_t buf[40];
    struct xen_build_id *id = (struct xen_build_id *)buf;
    long len = xen_version(XENVER_build_id, NULL);

    if (len == -XEN_ENODATA || len == -XEN_EPERM || len == -XEN_ENOSYS)
        SKIP("no build id: %ld", len);
    ASSERT(len > 0 && len <= 256);
    id->len = len;
    EXPECT_EQ(xen_version(XENVER_build_id, id), len);
    EXPECT_EQ(id->len, len);
    id->len = 1;
    EXPECT_EQ(xen_version(XENVER_build_id, id), -XEN_ENOBUFS);
    id->len = 0;
    EXPECT_EQ(xen_version(XENVER_build_id, id), -XEN_EINVAL);
}

static uint32_t features(void)
{
    struct xen_feature_info info = { .submap_idx = 0 };

    return xen_version(XENVER_get_features, &info) ? 0 : info.submap;
}

static void assists(void)
{
    static const unsigned known[] = { VMASST_TYPE_4gb_segments, VMASST_TYPE_writable_pagetables,
                                      VMASST_TYPE_pae_extended_cr3 };
    static const unsigned unknown[] = { 31, 33, 63, 64, 1000, ~0u };

    for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        EXPECT_EQ(xen_vm_assist(VMASST_CMD_enable, known[i]), 0);
        EXPECT_EQ(xen_vm_assist(VMASST_CMD_enable, known[i]), 0);
        EXPECT_EQ(xen_vm_assist(VMASST_CMD_disable, known[i]), 0);
        EXPECT_EQ(xen_vm_assist(VMASST_CMD_disable, known[i]), 0);
        EXPECT_EQ(xen_vm_assist(99, known[i]), -XEN_ENOSYS);
    }
    for (unsigned i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        EXPECT_EQ(xen_vm_assist(VMASST_CMD_enable, unknown[i]), -XEN_EINVAL);
}

/* One of the assists is also a feature. */
static void assist_and_feature(void)
{
    const uint32_t bit = 1u << XENFEAT_pae_pgdir_above_4gb;

    EXPECT_EQ(xen_vm_assist(VMASST_CMD_enable, VMASST_TYPE_pae_extended_cr3), 0);
    EXPECT_EQ(features() & bit, bit);
    EXPECT_EQ(xen_vm_assist(VMASST_CMD_disable, VMASST_TYPE_pae_extended_cr3), 0);
    EXPECT_EQ(features() & bit, 0);
}

static void nmi_callback(void)
{
    struct xennmi_callback cb = { .handler_address = 0x8000000000000000 };

    EXPECT(xen_nmi_op(XENNMI_register_callback, &cb) < 0);      /* not canonical */
    EXPECT_EQ(xen_nmi_op(XENNMI_register_callback, UNMAPPED), -XEN_EFAULT);
    EXPECT_EQ(xen_nmi_op(99, UNMAPPED), -XEN_ENOSYS);
}

SUITE(version, 57, 0, TEST(strings), TEST(compile_info), TEST(domain_handle), TEST(numbers),
      TEST(build_id), TEST(assists), TEST(assist_and_feature), TEST(nmi_callback));

/* The vmm's interrupt controllers, by what their ports and lines do. */
#include "cmocka_main.h"
#include "guest-pv/vmm/platform/pic.h"

static struct pic pic;

static void write_icws(unsigned chip, uint8_t base, uint8_t icw4)
{
    pic_write(&pic, chip, 0, 0x11);
    pic_write(&pic, chip, 1, base);
    pic_write(&pic, chip, 1, chip == 0 ? 4 : 2);
    pic_write(&pic, chip, 1, icw4);
}

static int fresh(void **state)
{
    (void)state;
    pic_init(&pic);
    return 0;
}
/* As Linux does it: vectors 30h to 3Fh, nothing masked. */
static int started(void **state)
{
    fresh(state);
    write_icws(0, 0x30, 1);
    write_icws(1, 0x38, 1);
    return 0;
}

static void pulse(unsigned irq)
{
    pic_set_line(&pic, irq, false);
    pic_set_line(&pic, irq, true);
}
static uint8_t command(unsigned chip, uint8_t value)
{
    pic_write(&pic, chip, 0, value);
    return pic_read(&pic, chip, 0);
}
#define read_irr(chip) command(chip, 0x0a)
#define read_isr(chip) command(chip, 0x0b)
#define eoi(chip) pic_write(&pic, chip, 0, 0x20)
#define expect_vector(vector) (assert_true(pic_output(&pic)), \
                               assert_int_equal(pic_acknowledge(&pic), vector))
#define expect_silence() assert_false(pic_output(&pic))

static void starts_masked(void **state)
{
    (void)state;
    for (unsigned irq = 0; irq < 16; irq++)
        pic_set_line(&pic, irq == 2 ? 0 : irq, true);
    expect_silence();
    assert_int_equal(pic_read(&pic, 0, 1), 0xff);
    assert_int_equal(pic_read(&pic, 1, 1), 0xff);
}

static void initialization_words(void **state)
{
    (void)state;
    pulse(3);                           /* ICW1 forgets it */
    write_icws(0, 0x37, 1);             /* the vector's low bits are the input */
    assert_int_equal(pic_read(&pic, 0, 1), 0);
    expect_silence();
    pic_write(&pic, 0, 1, 0xa5);        /* after ICW4 it is the mask again */
    assert_int_equal(pic_read(&pic, 0, 1), 0xa5);
    pulse(3);
    expect_vector(0x33);
    pic_write(&pic, 0, 0, 0x12);        /* one chip, no ICW4: ICW2 is all */
    pic_write(&pic, 0, 1, 0x48);
    pic_write(&pic, 0, 1, 0xfe);
    assert_int_equal(pic_read(&pic, 0, 1), 0xfe);
    pulse(0);
    expect_vector(0x48);
    pic_write(&pic, 0, 0, 0x13);        /* one chip with ICW4: automatic EOI */
    pic_write(&pic, 0, 1, 0x50);
    pic_write(&pic, 0, 1, 3);
    pulse(0);
    expect_vector(0x50);
    assert_int_equal(read_isr(0), 0);
}

static void an_edge_is_one_interrupt(void **state)
{
    (void)state;
    pic_set_line(&pic, 4, true);
    pic_set_line(&pic, 4, true);
    expect_vector(0x34);
    expect_silence();
    eoi(0);
    expect_silence();                   /* still high */
    pulse(4);
    pulse(4);
    assert_int_equal(read_irr(0), 0x10);
    expect_vector(0x34);
    assert_int_equal(read_irr(0), 0);
    assert_int_equal(read_isr(0), 0x10);
    eoi(0);
    assert_int_equal(read_isr(0), 0);
    expect_silence();
    pulse(4);
    pic_set_line(&pic, 4, false);       /* P1 */
    expect_vector(0x34);
}

static void masks(void **state)
{
    (void)state;
    pic_write(&pic, 0, 1, 0x01);
    pulse(0);
    expect_silence();
    assert_int_equal(read_irr(0), 1);
    pic_write(&pic, 0, 1, 0);
    expect_vector(0x30);
}

static void priorities(void **state)
{
    (void)state;
    pulse(6);
    pulse(4);
    expect_vector(0x34);
    expect_silence();                   /* 6 waits for 4, 3 does not */
    pulse(3);
    expect_vector(0x33);
    assert_int_equal(read_isr(0), 0x18);
    eoi(0);                             /* of the highest in service */
    assert_int_equal(read_isr(0), 0x10);
    expect_silence();
    pic_write(&pic, 0, 0, 0x64);
    expect_vector(0x36);
    pulse(7);
    pic_write(&pic, 0, 0, 0x65);        /* of one that is not in service: nothing */
    expect_silence();
    pic_write(&pic, 0, 0, 0x66);
    expect_vector(0x37);
}

static void rotation(void **state)
{
    (void)state;
    pulse(1);
    expect_vector(0x31);
    pic_write(&pic, 0, 0, 0xa0);        /* 1 is the last now, 2 the first */
    pulse(1);
    pulse(7);
    expect_vector(0x37);
    eoi(0);
    expect_vector(0x31);
    pic_write(&pic, 0, 0, 0xe1);        /* the same, by its number */
    pic_write(&pic, 0, 0, 0xc4);        /* 5 is the first */
    pulse(3);
    pulse(5);
    expect_vector(0x35);
    eoi(0);
    expect_vector(0x33);
}

static void automatic_rotation(void **state)
{
    (void)state;
    write_icws(0, 0x30, 3);
    pic_write(&pic, 0, 0, 0x80);
    pulse(0);
    expect_vector(0x30);
    pulse(0);
    pulse(5);
    expect_vector(0x35);
    expect_vector(0x30);
    pic_write(&pic, 0, 0, 0x00);        /* and no more: 1 stays the first */
    pulse(0);
    pulse(5);
    expect_vector(0x35);
    pulse(5);
    expect_vector(0x35);
    expect_vector(0x30);
}

static void the_second_chip(void **state)
{
    (void)state;
    pulse(14);
    pulse(9);
    assert_int_equal(read_irr(0), 4);
    expect_vector(0x39);
    assert_int_equal(read_isr(0), 4);
    assert_int_equal(read_isr(1), 2);
    pulse(3);
    expect_silence();                   /* input 2 is before 3 */
    eoi(1);
    eoi(0);
    expect_vector(0x3e);
    pic_write(&pic, 1, 0, 0x66);
    pic_write(&pic, 0, 0, 0x62);
    expect_vector(0x33);
    eoi(0);
    pulse(8);
    pic_write(&pic, 0, 1, 4);           /* the mask of the cascade */
    expect_silence();
    pic_write(&pic, 0, 1, 0);
    expect_vector(0x38);
}

static void a_higher_one_of_the_second_chip(void **state)
{
    (void)state;
    pulse(12);
    expect_vector(0x3c);
    pulse(9);
    expect_silence();                   /* input 2 is in service */
    write_icws(0, 0x30, 0x11);          /* special fully nested */
    write_icws(1, 0x38, 1);
    pulse(12);
    expect_vector(0x3c);
    pulse(9);
    expect_vector(0x39);
    pulse(13);
    expect_silence();
}

static void the_second_chip_with_automatic_eoi(void **state)
{
    (void)state;
    write_icws(0, 0x30, 3);
    write_icws(1, 0x38, 3);
    pulse(12);
    pulse(9);
    expect_vector(0x39);
    expect_vector(0x3c);
    expect_silence();
}

static void special_mask(void **state)
{
    (void)state;
    pulse(1);
    expect_vector(0x31);
    pulse(5);
    pic_write(&pic, 0, 1, 2);
    expect_silence();
    pic_write(&pic, 0, 0, 0x68);        /* set */
    expect_vector(0x35);
    eoi(0);                             /* not of the masked one */
    assert_int_equal(read_isr(0), 2);
    pic_write(&pic, 0, 0, 0x48);        /* reset */
    pulse(5);
    expect_silence();
}

static void poll_command(void **state)
{
    (void)state;
    assert_int_equal(command(0, 0x0c), 0);
    pulse(3);
    pulse(10);
    assert_int_equal(command(0, 0x0c), 0x82);
    assert_int_equal(command(1, 0x0c), 0x82);
    pulse(11);
    assert_int_equal(pic_read(&pic, 1, 0), 8);      /* once: the request register again */
    eoi(0);
    assert_int_equal(command(0, 0x0c), 0x83);
    assert_int_equal(read_isr(0), 8);
}

/* A second chip whose request is gone by the time of the acknowledgement answers with its last
 * vector and serves nothing; so does the first. */
static void spurious(void **state)
{
    (void)state;
    assert_int_equal(pic_acknowledge(&pic), 0x37);
    assert_int_equal(read_isr(0), 0);
    pulse(9);
    pic_write(&pic, 1, 1, 0xff);
    expect_vector(0x3f);
    assert_int_equal(read_isr(1), 0);
    assert_int_equal(read_isr(0), 4);
}

#define on(setup, test) cmocka_unit_test_setup(test, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on(fresh, starts_masked), on(fresh, initialization_words),
        on(started, an_edge_is_one_interrupt), on(started, masks), on(started, priorities),
        on(started, rotation), on(started, automatic_rotation), on(started, the_second_chip),
        on(started, a_higher_one_of_the_second_chip),
        on(started, the_second_chip_with_automatic_eoi), on(started, special_mask),
        on(started, poll_command), on(started, spurious),
    };

    return cmocka_run_group_tests_name("vmm_pic", tests, NULL, NULL);
}

/* Magic numbers that tell how the hypervisor was started, and what the second argument of
 * arch_start points to. */
#ifndef ARCH_X86_BOOT_MAGIC_H
#define ARCH_X86_BOOT_MAGIC_H

#define MB1_LOADER_MAGIC 0x2badb002     /* a multiboot 1 information structure */
#define MB2_LOADER_MAGIC 0x36d76289     /* a multiboot 2 one */
#define EFI_LOADER_MAGIC 0x21494645     /* a struct boot_info: start_efi was jumped to */

#endif

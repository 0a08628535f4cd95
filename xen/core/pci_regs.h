/* Registers of PCI configuration space (PCI 3.0, 6.1; 6.8.2 for MSI-X) that the hypervisor uses. */
#ifndef XEN_PCI_REGS_H
#define XEN_PCI_REGS_H

#define PCI_ID 0x00u
#define PCI_COMMAND 0x04u               /* and the status in the upper half */
#define PCI_IO 1u
#define PCI_MEMORY 2u
#define PCI_MASTER 4u
#define PCI_NO_INTX 0x400u
#define PCI_HAS_CAPABILITIES 0x10u      /* of the status */
#define PCI_CLASS 0x08u
#define PCI_CLASS_STORAGE 1u
#define PCI_CLASS_NETWORK 2u
#define PCI_HEADER 0x0cu
#define PCI_BAR0 0x10u
#define PCI_BUSES 0x18u                 /* of a bridge */
#define PCI_CAPABILITIES 0x34u
#define PCI_INTERRUPT 0x3cu             /* the line, and in the second byte the pin */
#define PCI_CAP_VENDOR 0x09u
#define PCI_CAP_MSIX 0x11u
#define PCI_MSIX_ON 0x80000000u         /* in the capability's first register */
#define PCI_MSIX_ALL_MASKED 0x40000000u
#define VIRTIO_COMMON 1u                /* virtio 1.1, 4.1.4 */
#define VIRTIO_STATUS 20u

#define PCI_FORMAT "%02x:%02x.%u"
#define PCI_PARTS(at) (at) >> 8, (at) >> 3 & 31u, (at) & 7u

#endif

; CPU state that a guest chooses: flags and selectors, control and debug registers, segments, I/O
; ports.
(define-sort U64 () (_ BitVec 64))
(define-sort U32 () (_ BitVec 32))
(define-sort U16 () (_ BitVec 16))

; --- The formulas of upcall.c, vcpu_init.c --------------------------------------------------------

; TF 0x100, IF 0x200, IOPL 0x3000, NT 0x4000, RF 0x10000, VM 0x20000, AC 0x40000; 2 is always set.

; do_iret: what it returns to with that word of the frame as rflags, as cs and as ss.
(define-fun iret_rflags ((flags U64)) U64
  (bvor (bvand flags (bvnot (bvor #x0000000000003000 #x0000000000020000)))
        #x0000000000000200 #x0000000000000002))
(define-fun iret_selector ((word U64)) U64 (bvand (bvor word (_ bv3 64)) #x000000000000ffff))
; VCPUOP_initialise.
(define-fun initial_rflags ((flags U64)) U64
  (bvand (bvor (bvand flags (bvnot (bvor #x0000000000003000 #x0000000000020000)))
               #x0000000000000200 #x0000000000000002)
         #x00000000ffffffff))
(define-fun initial_selector ((selector U16)) U16 (bvor selector (_ bv3 16)))
; bounce: rflags that a handler starts with, and those in its frame (arch: the domain has
; architectural IOPL, of that value).
(define-fun handler_rflags ((flags U64)) U64
  (bvand flags (bvnot (bvor #x0000000000000100 #x0000000000004000 #x0000000000010000
                            #x0000000000020000 #x0000000000040000 #x0000000000003000))))
(define-fun frame_rflags-domain ((flags U64) (masked Bool) (arch Bool) (iopl U64)) Bool
  (bvule iopl (_ bv3 64)))
(define-fun frame_rflags ((flags U64) (masked Bool) (arch Bool) (iopl U64)) U64
  (bvor (bvand flags (bvnot (bvor #x0000000000000200 #x0000000000003000)))
        (ite masked (_ bv0 64) #x0000000000000200)
        (ite arch (bvshl iopl (_ bv12 64)) (_ bv0 64))))

; --- The formulas of emulate.c, debugreg.c --------------------------------------------------------

; What the CPU gets as CR4 when a guest writes that value: host, the hypervisor's bits; mask, those
; of a guest's choice.
(define-fun loaded_cr4 ((value U64) (host U64) (mask U64)) U64
  (bvor host (bvand value (bvor mask (bvand host #x0000000000040000)))))
; Whether a write to CR0 is carried out.
(define-fun write_cr0_ok ((value U64)) Bool
  (= (bvand (bvxor value #x0000000080050033) (bvnot #x0000000000000008)) (_ bv0 64)))
(define-fun xcr0_ok ((value U64) (mask U64)) Bool
  (let ((avx512 (bvand value #x00000000000000e0)))
    (and (distinct (bvand value (_ bv1 64)) (_ bv0 64)) (= (bvand value (bvnot mask)) (_ bv0 64))
         (or (= (bvand value (_ bv4 64)) (_ bv0 64)) (distinct (bvand value (_ bv2 64)) (_ bv0 64)))
         (or (= avx512 (_ bv0 64))
             (and (= avx512 #x00000000000000e0) (distinct (bvand value (_ bv4 64)) (_ bv0 64)))))))

; set_dr7: the enable bits of I/O breakpoints in a value with its fixed bits right, whether it
; passes (de: the guest's CR4.DE), and what the CPU gets.
(define-fun dr7_fixed-domain ((value U64)) Bool (= (bvand value #x0000000000002000) (_ bv0 64)))
(define-fun dr7_fixed ((value U64)) U64 (bvor (bvand value #x00000000ffff27ff) #x0000000000000400))
(define-fun is-fixed ((dr7 U64)) Bool (= (bvand dr7 #xffffffff0000fc00) #x0000000000000400))
(define-fun dr7_io_of-domain ((dr7 U64) (i U64)) Bool (and (is-fixed dr7) (bvult i (_ bv4 64))))
(define-fun dr7_io_of ((dr7 U64) (i U64)) U64
  (ite (and (distinct (bvand dr7 #x00000000000000ff) (_ bv0 64))
            (= (bvand (bvlshr dr7 (bvadd (_ bv16 64) (bvmul (_ bv4 64) i))) (_ bv3 64)) (_ bv2 64)))
       (bvand dr7 (bvshl (_ bv3 64) (bvmul (_ bv2 64) i)))
       (_ bv0 64)))
(define-fun dr7_has_io-domain ((dr7 U64)) Bool (is-fixed dr7))
(define-fun dr7_has_io ((dr7 U64)) Bool
  (and (distinct (bvand dr7 #x00000000000000ff) (_ bv0 64))
       (or (= (bvand dr7 #x0000000000030000) #x0000000000020000)
           (= (bvand dr7 #x0000000000300000) #x0000000000200000)
           (= (bvand dr7 #x0000000003000000) #x0000000002000000)
           (= (bvand dr7 #x0000000030000000) #x0000000020000000))))
(define-fun set_dr7_ok ((value U64) (de Bool)) Bool
  (and (= (bvand (dr7_fixed value) #x0000000000002000) (_ bv0 64))
    (or de (not (dr7_has_io (dr7_fixed value))))))
(define-fun set_dr7_io-domain ((value U64)) Bool (set_dr7_ok value true))
(define-fun set_dr7_io ((value U64)) U64
  (let ((dr7 (dr7_fixed value)))
    (bvor (dr7_io_of dr7 (_ bv0 64)) (dr7_io_of dr7 (_ bv1 64)) (dr7_io_of dr7 (_ bv2 64))
      (dr7_io_of dr7 (_ bv3 64)))))
(define-fun set_dr7_cpu-domain ((value U64)) Bool (set_dr7_ok value true))
(define-fun set_dr7_cpu ((value U64)) U64 (bvand (dr7_fixed value) (bvnot (set_dr7_io value))))

; --- The formulas of desc.c -----------------------------------------------------------------------
; A descriptor: type in bits 40 to 43, S (code or data) 44, DPL 45 and 46, P 47; of a call gate the
; target in 16 to 31.

(define-fun gate_target_ok ((selector U32)) Bool
  (or (bvult (bvlshr selector (_ bv3 32)) (_ bv7168 32)) (= selector #x0000e033)
    (= (bvand selector (_ bv4 32)) (_ bv4 32))))
(define-fun descriptor_ok ((desc U64)) Bool
  (let ((type (bvand desc #x00000f0000000000)))
    (or (= (bvand desc #x0000800000000000) (_ bv0 64))
        (distinct (bvand desc #x0000100000000000) (_ bv0 64))
        (= type (_ bv0 64))
        (and (= type #x00000c0000000000) (= (bvand desc #x000000ff00000000) (_ bv0 64))
             (gate_target_ok ((_ zero_extend 16) ((_ extract 31 16) desc)))))))
(define-fun descriptor_made-domain ((desc U64)) Bool (descriptor_ok desc))
(define-fun descriptor_made ((desc U64)) U64
  (ite (= (bvand desc #x0000800000000000) (_ bv0 64)) desc
       (ite (distinct (bvand desc #x0000100000000000) (_ bv0 64)) (bvor desc #x0000600000000000)
            (ite (= (bvand desc #x00000f0000000000) (_ bv0 64)) desc
                 (bvor (bvand desc (bvnot #x0000600000000000)) #x0000000000030000)))))
(define-fun gdt_nr_frames-domain ((entries U32)) Bool (bvule entries (_ bv7168 32)))
(define-fun gdt_nr_frames ((entries U32)) U32
  (bvudiv (bvsub (bvadd entries (_ bv512 32)) (_ bv1 32)) (_ bv512 32)))
(define-fun segment_holds-domain ((limit U32) (down Bool) (big Bool) (offset U32) (bytes U32)) Bool
  (bvugt bytes (_ bv0 32)))
(define-fun segment_holds ((limit U32) (down Bool) (big Bool) (offset U32) (bytes U32)) Bool
  (let ((last (bvsub (bvadd ((_ zero_extend 32) offset) ((_ zero_extend 32) bytes)) (_ bv1 64))))
    (ite down
         (and (bvugt offset limit) (bvule last (ite big #x00000000ffffffff #x000000000000ffff)))
         (bvule last ((_ zero_extend 32) limit)))))
; SEGBASE_GS_USER_SEL: what the CPU gets.
(define-fun user_gs ((word U64)) U32
  (let ((selector (bvand ((_ extract 31 0) word) #x0000ffff)))
    (ite (bvugt selector (_ bv3 32)) (bvor selector (_ bv3 32)) selector)))

; --- The formula of ioport.c ----------------------------------------------------------------------

; guest_io_allowed without IOPL: limit, the ports of the bitmap; first and second, its bytes for the
; port and for the next.
(define-fun io_allowed-domain
  ((port U16) (bytes U32) (limit U32) (first (_ BitVec 8)) (second (_ BitVec 8))) Bool
  (or (= bytes (_ bv1 32)) (= bytes (_ bv2 32)) (= bytes (_ bv4 32))))
(define-fun io_allowed
  ((port U16) (bytes U32) (limit U32) (first (_ BitVec 8)) (second (_ BitVec 8))) Bool
  (let ((bit (bvurem ((_ zero_extend 16) port) (_ bv8 32))))
    (let ((bits (bvor ((_ zero_extend 24) first)
                      (ite (bvugt (bvadd bit bytes) (_ bv8 32))
                        (bvshl ((_ zero_extend 24) second) (_ bv8 32)) (_ bv0 32)))))
      (and (bvule (bvadd ((_ zero_extend 16) port) bytes) limit)
           (= (bvand (bvlshr bits bit) (bvsub (bvshl (_ bv1 32) bytes) (_ bv1 32))) (_ bv0 32))))))

; --- Notions --------------------------------------------------------------------------------------

; A guest in ring 3 with these flags can neither reach ports nor turn interrupts off, and is not in
; virtual-8086 mode.
(define-fun harmless-flags ((flags U64)) Bool
  (= (bvand flags #x0000000000023202) #x0000000000000202))
(define-fun is-present ((desc U64)) Bool (= ((_ extract 47 47) desc) #b1))
(define-fun is-segment ((desc U64)) Bool (= ((_ extract 44 44) desc) #b1))
(define-fun dpl-of ((desc U64)) (_ BitVec 2) ((_ extract 46 45) desc))
(define-fun target-of ((desc U64)) U16 ((_ extract 31 16) desc))
(define-fun io-enabled ((dr7 U64) (i U64)) Bool
  (and (= ((_ extract 1 0) (bvlshr dr7 (bvadd (_ bv16 64) (bvmul (_ bv4 64) i)))) #b10)
       (distinct ((_ extract 1 0) (bvlshr dr7 (bvmul (_ bv2 64) i))) #b00)))

; --- Laws -----------------------------------------------------------------------------------------

(push)
(echo "Whatever frame a guest gives to iret, it runs in ring 3, with interrupts on, with IOPL 0 and
       not as an 8086.")
(declare-const flags U64)
(declare-const cs U64)
(assert (not
          (and (harmless-flags (iret_rflags flags))
            (= (bvand (iret_selector cs) #xffffffffffff0003) (_ bv3 64)))))
(check-sat)
(pop)

(push)
(echo "So does a vCPU that VCPUOP_initialise made, whatever its context says; and no bit of its
       flags above 31 is set.")
(declare-const flags U64)
(declare-const cs U16)
(assert (not
          (and (harmless-flags (initial_rflags flags))
            (= ((_ extract 63 32) (initial_rflags flags)) (_ bv0 32))
                  (= ((_ extract 1 0) (initial_selector cs)) #b11))))
(check-sat)
(pop)

(push)
(echo "A guest's handler starts without TF, NT, RF and AC, and if the flags were harmless before
       they still are.")
(declare-const flags U64)
(assert (or (distinct (bvand (handler_rflags flags) #x0000000000054100) (_ bv0 64))
            (and (harmless-flags flags) (not (harmless-flags (handler_rflags flags))))))
(check-sat)
(pop)

(push)
(echo "The flags in a frame differ from the guest's own in IF and IOPL only, and IF there means
       that events were not masked.")
(declare-const flags U64)
(declare-const masked Bool)
(declare-const arch Bool)
(declare-const iopl U64)
(assert (bvule iopl (_ bv3 64)))
(define-fun shown () U64 (frame_rflags flags masked arch iopl))
(assert (not
          (and (= (bvand (bvxor flags shown) (bvnot #x0000000000003200)) (_ bv0 64))
            (= (= ((_ extract 9 9) shown) #b1) (not masked))
                  (= ((_ extract 13 12) shown) (ite arch ((_ extract 1 0) iopl) #b00)))))
(check-sat)
(pop)

(push)
(echo "CR4 always has all bits of the hypervisor's, and beyond these none but those that a guest
       may choose.")
(declare-const value U64)
(declare-const host U64)
(declare-const mask U64)
(assert (or (distinct (bvand host (bvnot (loaded_cr4 value host mask))) (_ bv0 64))
            (distinct (bvand (loaded_cr4 value host mask) (bvnot (bvor host mask))) (_ bv0 64))
            (distinct (bvand mask (bvxor value (loaded_cr4 value host mask)) (bvnot host))
              (_ bv0 64))))
(check-sat)
(pop)

(push)
(echo "Two writes to CR0 that are carried out differ in TS at most.")
(declare-const a U64)
(declare-const b U64)
(assert (and (write_cr0_ok a) (write_cr0_ok b)
          (distinct (bvand (bvxor a b) (bvnot #x0000000000000008)) (_ bv0 64))))
(check-sat)
(pop)

(push)
(echo "XCR0 of a guest passes only if XSETBV takes it: x87 on, AVX with SSE, AVX-512 whole and with
       AVX, and nothing that is not offered.")
(declare-const value U64)
(declare-const mask U64)
(assert (distinct (xcr0_ok value mask)
  (and (= ((_ extract 0 0) value) #b1) (= (bvor value mask) mask)
    (=> (= ((_ extract 2 2) value) #b1) (= ((_ extract 1 1) value) #b1))
       (or (= ((_ extract 7 5) value) #b000)
         (and (= ((_ extract 7 5) value) #b111) (= ((_ extract 2 2) value) #b1))))))
(check-sat)
(pop)

(push)
(echo "DR7 that the CPU gets has no GD and no bit that the CPU has reserved, and enables no I/O
       breakpoint.")
(declare-const value U64)
(declare-const de Bool)
(declare-const i U64)
(assert (and (set_dr7_ok value de) (bvult i (_ bv4 64))))
(assert (or (not (is-fixed (set_dr7_cpu value))) (io-enabled (set_dr7_cpu value) i)))
(check-sat)
(pop)

(push)
(echo "What DR7 shows to the guest, both parts together, is what it wrote with the fixed bits put
       right.")
(declare-const value U64)
(assert (set_dr7_ok value true))
(assert (distinct (bvor (set_dr7_cpu value) (set_dr7_io value))
          (bvor (bvand value #x00000000ffff03ff) #x0000000000000400)))
(check-sat)
(pop)

(push)
(echo "A present code or data segment in a guest's table has DPL 3.")
(declare-const desc U64)
(define-fun made () U64 (descriptor_made desc))
(assert (and (descriptor_ok desc) (is-present made) (is-segment made)
          (distinct (dpl-of made) #b11)))
(check-sat)
(pop)

(push)
(echo "Any other present descriptor there is of type 0, or a call gate that no ring but 0 can use,
       to a ring 3 selector of the guest's own.")
(declare-const desc U64)
(define-fun made () U64 (descriptor_made desc))
(assert (and (descriptor_ok desc) (is-present made) (not (is-segment made))
          (distinct ((_ extract 43 40) made) #x0)))
(assert (not
          (and (= ((_ extract 43 40) made) #xc) (= (dpl-of made) #b00)
            (= ((_ extract 1 0) (target-of made)) #b11)
                  (or (bvult (target-of made) #xe000) (= ((_ extract 2 2) (target-of made)) #b1)
                    (= (target-of made) #xe033)))))
(check-sat)
(pop)

(push)
(echo "Making a descriptor harmless changes its DPL and the RPL of a gate's target at most, and a
       second time nothing.")
(declare-const desc U64)
(define-fun made () U64 (descriptor_made desc))
(assert (descriptor_ok desc))
(assert (or (distinct (bvand (bvxor desc made) (bvnot #x0000600000030000)) (_ bv0 64))
          (not (descriptor_ok made))
            (distinct (descriptor_made made) made)
              (and (not (is-present desc)) (distinct made desc))))
(check-sat)
(pop)

(push)
(echo "The frames of a GDT hold all its entries, none is beyond the last entry's, and of 7168
       entries there are 14.")
(declare-const entries U32)
(assert (bvule entries (_ bv7168 32)))
(define-fun nr () U32 (gdt_nr_frames entries))
(assert (not
          (and (bvule entries (bvmul nr (_ bv512 32)))
            (bvult (bvmul nr (_ bv512 32)) (bvadd entries (_ bv512 32)))
                  (bvule nr (_ bv14 32)))))
(check-sat)
(pop)

(push)
(echo "An operand that its segment holds does not wrap at 4 GiB; each of its bytes is within the
       limit, or above it in one that expands down.")
(declare-const limit U32)
(declare-const down Bool)
(declare-const big Bool)
(declare-const offset U32)
(declare-const bytes U32)
(declare-const i U32)
(assert (and (segment_holds limit down big offset bytes) (bvult i bytes)))
(define-fun byte () U32 (bvadd offset i))
(assert (or (bvult byte offset)
          (ite down (or (bvule byte limit) (and (not big) (bvugt byte #x0000ffff)))
            (bvugt byte limit))))
(check-sat)
(pop)

(push)
(echo "A selector that a guest has loaded into GS is 16 bits, null or of RPL 3.")
(declare-const word U64)
(assert (not (and (bvule (user_gs word) #x0000ffff)
                  (or (bvule (user_gs word) #x00000003)
                    (= ((_ extract 1 0) (user_gs word)) #b11)))))
(check-sat)
(pop)

(push)
(echo "A port may be accessed exactly if each of its bytes has a clear bit in the bitmap, below the
       bitmap's end.")
(declare-const port U16)
(declare-const bytes U32)
(declare-const limit U32)
(declare-const first (_ BitVec 8))
(declare-const second (_ BitVec 8))
(assert (io_allowed-domain port bytes limit first second))
(define-fun bitmap () U16 (concat second first))
(define-fun allowed ((i U16)) Bool
  (=> (bvult ((_ zero_extend 16) i) bytes)
      (and (bvult (bvadd ((_ zero_extend 16) port) ((_ zero_extend 16) i)) limit)
           (= ((_ extract 0 0) (bvlshr bitmap (bvadd (bvand port (_ bv7 16)) i))) #b0))))
(assert (distinct (io_allowed port bytes limit first second)
                  (and (allowed (_ bv0 16)) (allowed (_ bv1 16)) (allowed (_ bv2 16))
                    (allowed (_ bv3 16)))))
(check-sat)
(pop)

; Addresses: what a guest may name, and where tables have an entry for it. HOLE_START is
; 0xffff800000000000, HOLE_END 0xffff880000000000; the hole is L4 slots 256 to 271.
(define-sort U64 () (_ BitVec 64))

; --- The formulas of types.h, mm.h, pagetype.c, mmu_update.c, upcall.c ----------------------------

(define-fun is_canonical ((va U64)) Bool (= (bvashr (bvshl va (_ bv16 64)) (_ bv16 64)) va))

; guest_range_ok with a length that the compiler does not know, and with one that it knows, of a
; page at most.
(define-fun guest_range_ok ((va U64) (len U64)) Bool
  (let ((end (bvadd va len)))
    (and (bvuge end va) (or (bvule end #xffff800000000000) (bvuge va #xffff880000000000)))))
(define-fun guest_range_ok_short ((va U64)) Bool
  (distinct (bvlshr va (_ bv43 64)) (bvlshr #xffff800000000000 (_ bv43 64))))

(define-fun is_guest_va ((va U64)) Bool
  (bvult (bvlshr (bvsub va #xffff880000000000) (_ bv43 64))
         (bvlshr (bvsub #x0001000000000000 (bvsub #xffff880000000000 #xffff800000000000))
           (_ bv43 64))))

(define-fun table_index-domain ((va U64) (level U64)) Bool
  (and (bvuge level (_ bv1 64)) (bvule level (_ bv4 64))))
(define-fun table_index ((va U64) (level U64)) U64
  (bvand (bvlshr va (bvadd (_ bv12 64) (bvmul (_ bv9 64) (bvsub level (_ bv1 64))))) (_ bv511 64)))

; type is as in the frame's word: the level in bits 60 to 63.
(define-fun is_hole_slot-domain ((type U64) (i U64)) Bool (bvult i (_ bv512 64)))
(define-fun is_hole_slot ((type U64) (i U64)) Bool
  (and (= type #x4000000000000000) (bvuge i (_ bv256 64)) (bvule i (_ bv271 64))))

; Whether mod_table_entry stores at all, in a table with that word, at that offset (an entry of 0:
; others may be refused by themselves).
(define-fun mod_table_entry-domain ((word U64) (offset U64)) Bool
  (and (bvult offset (_ bv4096 64)) (= (bvand offset (_ bv7 64)) (_ bv0 64))))
(define-fun mod_table_entry ((word U64) (offset U64)) Bool
  (let ((index (bvudiv (bvand offset #x0000000000000fff) (_ bv8 64))))
    (not (and (= (bvand word #xf000000000000000) #x4000000000000000)
              (bvuge index (_ bv256 64)) (bvule index (_ bv271 64))))))

; bounce: whether a frame is pushed below that stack pointer, and where the stack ends with `words`
; of its own in it.
(define-fun bounce_pushes ((sp U64)) Bool
  (let ((top (bvand sp #xfffffffffffffff0)))
    (and (guest_range_ok_short (bvsub top (_ bv88 64)))
      (guest_range_ok_short (bvsub top (_ bv1 64))))))
(define-fun bounce_rsp-domain ((sp U64) (words U64)) Bool
  (and (bounce_pushes sp) (bvule words (_ bv4 64))))
(define-fun bounce_rsp ((sp U64) (words U64)) U64
  (bvsub (bvand sp #xfffffffffffffff0) (bvmul (_ bv8 64) (bvadd (_ bv7 64) words))))

; guest_set_debugreg for DR0 to DR3.
(define-fun breakpoint_ok ((va U64)) Bool (and (is_canonical va) (guest_range_ok_short va)))

; --- Notions --------------------------------------------------------------------------------------

(define-fun in-hole ((va U64)) Bool
  (and (bvuge va #xffff800000000000) (bvult va #xffff880000000000)))
(define-fun top-bits ((va U64)) (_ BitVec 17) ((_ extract 63 47) va))

; --- Laws -----------------------------------------------------------------------------------------

(push)
(echo "An address is canonical exactly when its bits 63 to 47 are all the same.")
(declare-const va U64)
(assert (distinct (is_canonical va)
          (or (= (top-bits va) (_ bv0 17)) (= (top-bits va) (bvnot (_ bv0 17))))))
(check-sat)
(pop)

(push)
(echo "A range that passes guest_range_ok does not wrap, and none of its bytes lies in the hole.")
(declare-const va U64)
(declare-const len U64)
(declare-const i U64)
(assert (and (guest_range_ok va len) (bvult i len)))
(assert (or (in-hole (bvadd va i)) (bvult (bvadd va i) va)))
(check-sat)
(pop)

(push)
(echo "A range that has a byte, ends below 2^64 and keeps out of the hole passes guest_range_ok.")
(declare-const va U64)
(declare-const len U64)
(assert (and (bvugt len (_ bv0 64)) (bvuge (bvadd va len) va)))
(assert (or (bvule (bvadd va len) #xffff800000000000) (bvuge va #xffff880000000000)))
(assert (not (guest_range_ok va len)))
(check-sat)
(pop)

(push)
(echo "A range of a page at most whose start alone was judged has no byte in the hole, unless its
       start is not canonical and faults.")
(declare-const va U64)
(declare-const len U64)
(declare-const i U64)
(assert (and (guest_range_ok_short va) (is_canonical va) (bvule len (_ bv4096 64)) (bvult i len)))
(assert (in-hole (bvadd va i)))
(check-sat)
(pop)

(push)
(echo "is_guest_va names exactly the canonical addresses outside the hole.")
(declare-const va U64)
(assert (distinct (is_guest_va va) (and (is_canonical va) (not (in-hole va)))))
(check-sat)
(pop)

(push)
(echo "An array of 2^32 requests of 24 bytes that begins in the guest's part has no byte in the
       hole.")
(declare-const va U64)
(declare-const i U64)
(assert (and (is_guest_va va) (bvult i (bvmul (_ bv24 64) #x0000000100000000))
          (in-hole (bvadd va i))))
(check-sat)
(pop)

(push)
(echo "The four table indices of a canonical address and its offset in the page give the address
       back.")
(declare-const va U64)
(assert (is_canonical va))
(assert (distinct va ((_ sign_extend 16) (concat ((_ extract 8 0) (table_index va (_ bv4 64)))
  ((_ extract 8 0) (table_index va (_ bv3 64))) ((_ extract 8 0) (table_index va (_ bv2 64)))
  ((_ extract 8 0) (table_index va (_ bv1 64))) ((_ extract 11 0) va)))))
(check-sat)
(pop)

(push)
(echo "The L4 slot of an address in the guest's part is never one of the hypervisor's, that of any
       other canonical address always is.")
(declare-const va U64)
(assert (is_canonical va))
(assert (= (is_guest_va va) (is_hole_slot #x4000000000000000 (table_index va (_ bv4 64)))))
(check-sat)
(pop)

(push)
(echo "No update of an L4 reaches a slot of the hypervisor's, and those are the slots that its
       validation leaves out.")
(declare-const word U64)
(declare-const slot U64)
(assert (bvult slot (_ bv512 64)))
(assert (= (mod_table_entry word (bvmul (_ bv8 64) slot))
          (is_hole_slot (bvand word #xf000000000000000) slot)))
(check-sat)
(pop)

(push)
(echo "A frame that is pushed for a guest's handler, of up to four words of its own, has no byte in
       the hole.")
(declare-const sp U64)
(declare-const words U64)
(declare-const i U64)
(assert (and (bounce_pushes sp) (bvule words (_ bv4 64))
          (bvult i (bvmul (_ bv8 64) (bvadd (_ bv7 64) words)))))
(assert (in-hole (bvadd (bounce_rsp sp words) i)))
(check-sat)
(pop)

(push)
(echo "A breakpoint that a guest may set, of up to eight bytes and aligned as the CPU does it,
       watches no byte of the hole.")
(declare-const va U64)
(declare-const i U64)
(declare-const size U64)
(assert (or (= size (_ bv1 64)) (= size (_ bv2 64)) (= size (_ bv4 64)) (= size (_ bv8 64))))
(assert (and (breakpoint_ok va) (bvult i size) (in-hole (bvadd (bvand va (bvneg size)) i))))
(check-sat)
(pop)

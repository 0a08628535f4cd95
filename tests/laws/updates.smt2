; What requests about page tables say: the pointer of mmu_update, the place of an entry, a store to
; a part of an entry. max: the first frame number beyond the frame table.
(define-sort U64 () (_ BitVec 64))

; --- The formulas of mmu_update.c, ptwr.c ---------------------------------------------------------

; The machine address that update_one writes to, when the frame there is plain memory of the
; caller's; all ones: none.
(define-fun update_target-domain ((ptr U64) (max U64)) Bool (bvule max #x0000000000100000))
(define-fun update_target ((ptr U64) (max U64)) U64
  (let ((command (bvand ptr (_ bv7 64))))
    (ite (and (or (= command (_ bv0 64)) (= command (_ bv2 64)) (= command (_ bv3 64)))
           (bvult (bvlshr ptr (_ bv12 64)) max))
         (bvand ptr (bvnot (_ bv7 64)))
         #xffffffffffffffff)))

; l1_slot_at, in a domain that owns every frame, each of them an L1.
(define-fun l1_slot_at-domain ((maddr U64) (max U64)) Bool (bvule max #x0000000000100000))
(define-fun l1_slot_at ((maddr U64) (max U64)) Bool
  (not (or (bvuge (bvlshr maddr (_ bv12 64)) max) (distinct (bvand maddr (_ bv7 64)) (_ bv0 64)))))

; store_to_l1 of 8, 16, 32 or 64 bits: an entry that is not present and stays so.
(define-fun part_stored-domain ((entry U64) (source U64) (bytes U64) (offset U64)) Bool
  (and (or (= bytes (_ bv1 64)) (= bytes (_ bv2 64)) (= bytes (_ bv4 64)) (= bytes (_ bv8 64)))
       (bvult offset (_ bv8 64)) (= (bvand offset (bvsub bytes (_ bv1 64))) (_ bv0 64))
       (= (bvand entry (_ bv1 64)) (_ bv0 64))
       (or (= (bvand source (_ bv1 64)) (_ bv0 64)) (distinct offset (_ bv0 64)))))
(define-fun part_stored ((entry U64) (source U64) (bytes U64) (offset U64)) U64
  (let ((mask
          (bvshl (bvlshr #xffffffffffffffff (bvsub (_ bv64 64) (bvmul (_ bv8 64) bytes)))
            (bvmul (_ bv8 64) offset))))
    (bvor (bvand entry (bvnot mask)) (bvand (bvshl source (bvmul (_ bv8 64) offset)) mask))))

; --- Notions --------------------------------------------------------------------------------------

(define-fun byte-of ((word U64) (i U64)) (_ BitVec 8)
  ((_ extract 7 0) (bvlshr word (bvmul (_ bv8 64) i))))

; --- Laws -----------------------------------------------------------------------------------------

(push)
(echo "The eight bytes that an update writes are aligned and all in the frame that its pointer
       names, below max_mfn.")
(declare-const ptr U64)
(declare-const max U64)
(declare-const i U64)
(assert (and (distinct (update_target ptr max) #xffffffffffffffff) (bvult i (_ bv8 64))
          (bvule max #x0010000000000000)))
(assert (or
          (distinct (bvlshr (bvadd (update_target ptr max) i) (_ bv12 64)) (bvlshr ptr (_ bv12 64)))
            (bvuge (bvlshr (update_target ptr max) (_ bv12 64)) max)
            (distinct ((_ extract 2 0) (update_target ptr max)) #b000)))
(check-sat)
(pop)

(push)
(echo "The command of an update does not change where it writes, if it writes at all.")
(declare-const p U64)
(declare-const q U64)
(declare-const max U64)
(assert (= ((_ extract 63 3) p) ((_ extract 63 3) q)))
(assert (and (distinct (update_target p max) #xffffffffffffffff)
          (distinct (update_target q max) #xffffffffffffffff)))
(assert (distinct (update_target p max) (update_target q max)))
(check-sat)
(pop)

(push)
(echo "An entry that a guest names by its machine address lies wholly in one frame below max_mfn.")
(declare-const maddr U64)
(declare-const max U64)
(assert (and (l1_slot_at maddr max) (bvule max #x0010000000000000)))
(assert (or (bvugt (bvand maddr (_ bv4095 64)) (_ bv4088 64))
          (bvuge (bvlshr (bvadd maddr (_ bv7 64)) (_ bv12 64)) max)))
(check-sat)
(pop)

(push)
(echo "A store to a part of an entry makes those bytes the source's, and changes no other byte.")
(declare-const entry U64)
(declare-const source U64)
(declare-const bytes U64)
(declare-const offset U64)
(declare-const i U64)
(assert (and (part_stored-domain (bvand entry (bvnot (_ bv1 64))) (_ bv0 64) bytes offset)
          (bvult i (_ bv8 64))))
(assert (distinct (byte-of (part_stored entry source bytes offset) i)
                  (ite (and (bvuge i offset) (bvult i (bvadd offset bytes)))
                    (byte-of source (bvsub i offset))
                       (byte-of entry i))))
(check-sat)
(pop)

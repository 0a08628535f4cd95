; Page-table entries: what passes, and what the fast path of an update may change. Bits: P 1, RW 2,
; US 4, PWT 8, PCD 0x10, A 0x20, D 0x40, PAT or PS 0x80, G 0x100, AVAIL 0xe00 and 52 to 62, NX 63;
; the frame number is in bits 12 to 51. paddr: how many bits the CPU's physical addresses have; nx:
; whether it has NX.
(define-sort U64 () (_ BitVec 64))

; --- The formulas of mm.h, pagetype.c, mmu_update.c -----------------------------------------------

(define-fun pte_mfn ((entry U64)) U64 (bvlshr (bvshl entry (_ bv12 64)) (_ bv24 64)))

(define-fun table_refused-domain ((paddr U64) (nx Bool)) Bool
  (and (bvuge paddr (_ bv32 64)) (bvule paddr (_ bv52 64))))
(define-fun table_refused ((paddr U64) (nx Bool)) U64
  (let ((address (bvand #x000ffffffffff000 (bvnot (bvsub (bvshl (_ bv1 64) paddr) (_ bv1 64))))))
    (bvor #x0000000000000198 address (ite nx (_ bv0 64) #x8000000000000000))))
(define-fun l1_refused-domain ((paddr U64) (nx Bool)) Bool (table_refused-domain paddr nx))
(define-fun l1_refused ((paddr U64) (nx Bool)) U64
  (bvand (table_refused paddr nx) (bvnot (bvor #x0000000000000100 #x000ffffffffff000))))

(define-fun l1e_flags_ok-domain ((entry U64) (paddr U64) (nx Bool)) Bool
  (table_refused-domain paddr nx))
(define-fun l1e_flags_ok ((entry U64) (paddr U64) (nx Bool)) Bool
  (= (bvand entry (l1_refused paddr nx)) (_ bv0 64)))

; get_page_from_table_entry, as far as it is about the entry: here it names a table of the right
; kind, below 2^32.
(define-fun table_entry_ok-domain ((entry U64) (paddr U64) (nx Bool)) Bool
  (and (table_refused-domain paddr nx) (= (bvand entry #x000fffff00000000) (_ bv0 64))))
(define-fun table_entry_ok ((entry U64) (paddr U64) (nx Bool)) Bool
  (= (bvand entry (table_refused paddr nx)) (_ bv0 64)))

; mod_l1_entry, for a present new entry: whether it succeeds without taking any reference, and what
; it stores then.
(define-fun keeps_references-domain ((old U64) (new U64) (nx Bool)) Bool
  (= (bvand new (_ bv1 64)) (_ bv1 64)))
(define-fun keeps_references ((old U64) (new U64) (nx Bool)) Bool
  (let ((entry (bvor new (_ bv4 64))))
    (and (= (bvand (bvxor old entry) (bvor #x000ffffffffff000 (_ bv16 64) (_ bv2 64) (_ bv1 64)))
            (_ bv0 64))
         (l1e_flags_ok entry (_ bv52 64) nx))))
(define-fun l1e_to_store ((entry U64)) U64
  (ite (= (bvand entry #x0010000000000004) (_ bv4 64))
       (bvor entry #x0000000000000100)
       (bvor (bvand entry #xfffffffffffffeff) #x0010000000000004)))
(define-fun stored_entry-domain ((old U64) (new U64) (preserve Bool)) Bool
  (and (= (bvand new (_ bv1 64)) (_ bv1 64)) (keeps_references old new true)))
(define-fun stored_entry ((old U64) (new U64) (preserve Bool)) U64
  (bvor (l1e_to_store new)
    (ite preserve (bvand old (bvor #x0000000000000020 #x0000000000000040)) (_ bv0 64))))

; --- Notions --------------------------------------------------------------------------------------

(define-fun frame-bits ((entry U64)) (_ BitVec 40) ((_ extract 51 12) entry))
; What decides the references of an L1 entry: P, RW, PCD and the frame.
(define-fun reference-bits ((entry U64)) U64 (bvand entry #x000ffffffffff013))

; --- Laws -----------------------------------------------------------------------------------------

(push)
(echo "The frame number of an entry made of a frame number and any flags is that frame number.")
(declare-const mfn U64)
(declare-const flags U64)
(assert (and (bvult mfn #x0000010000000000) (= (bvand flags #x000ffffffffff000) (_ bv0 64))))
(assert (distinct (pte_mfn (bvor (bvshl mfn (_ bv12 64)) flags)) mfn))
(check-sat)
(pop)

(push)
(echo "Two entries have the same frame number exactly when their bits 12 to 51 are the same.")
(declare-const a U64)
(declare-const b U64)
(assert (distinct (= (pte_mfn a) (pte_mfn b)) (= (frame-bits a) (frame-bits b))))
(check-sat)
(pop)

(push)
(echo "An L1 entry that passes has PWT, PCD and PAT clear, and NX only on a CPU that has it.")
(declare-const entry U64)
(declare-const paddr U64)
(declare-const nx Bool)
(assert (and (table_refused-domain paddr nx) (l1e_flags_ok entry paddr nx)))
(assert (or (distinct (bvand entry #x0000000000000098) (_ bv0 64))
          (and (not nx) (= ((_ extract 63 63) entry) #b1))))
(check-sat)
(pop)

(push)
(echo "Every L1 entry without PWT, PCD and PAT passes on a CPU that has NX.")
(declare-const entry U64)
(declare-const paddr U64)
(assert (and (table_refused-domain paddr true) (= (bvand entry #x0000000000000098) (_ bv0 64))))
(assert (not (l1e_flags_ok entry paddr true)))
(check-sat)
(pop)

(push)
(echo "An entry of a higher table that passes is no superpage, is not global, has no PWT or PCD,
       and names no frame beyond the CPU's addresses.")
(declare-const entry U64)
(declare-const paddr U64)
(declare-const nx Bool)
(assert (and (table_refused-domain paddr nx) (table_entry_ok entry paddr nx)))
(assert (or (distinct (bvand entry #x0000000000000198) (_ bv0 64))
            (bvuge (bvshl (pte_mfn entry) (_ bv12 64)) (bvshl (_ bv1 64) paddr))
            (and (not nx) (= ((_ extract 63 63) entry) #b1))))
(check-sat)
(pop)

(push)
(echo "An update that takes no reference changes neither P nor RW nor the frame.")
(declare-const old U64)
(declare-const new U64)
(declare-const preserve Bool)
(declare-const nx Bool)
(assert (and (keeps_references old new nx)
          (distinct (reference-bits (stored_entry old new preserve)) (reference-bits old))))
(check-sat)
(pop)

(push)
(echo "A read-only mapping, of a page table for one, becomes writable by no update that takes no
       reference.")
(declare-const old U64)
(declare-const new U64)
(declare-const preserve Bool)
(declare-const nx Bool)
(assert (and (keeps_references old new nx) (= ((_ extract 1 1) old) #b0)))
(assert (= ((_ extract 1 1) (stored_entry old new preserve)) #b1))
(check-sat)
(pop)

(push)
(echo "An update of a present entry that changes only US, A, D, G, AVAIL or NX takes no reference.")
(declare-const old U64)
(declare-const new U64)
(assert (and (= (bvand old (_ bv1 64)) (_ bv1 64)) (l1e_flags_ok new (_ bv52 64) true)))
(assert (= (bvand (bvxor old new) (bvnot #xfff0000000000f64)) (_ bv0 64)))
(assert (not (keeps_references old new true)))
(check-sat)
(pop)

(push)
(echo "What an update stores without taking a reference has US set and passes as an L1 entry,
       whatever the old one was.")
(declare-const old U64)
(declare-const new U64)
(declare-const preserve Bool)
(declare-const nx Bool)
(assert (keeps_references old new nx))
(assert (not (and (l1e_flags_ok (stored_entry old new preserve) (_ bv52 64) nx)
                  (= ((_ extract 2 2) (stored_entry old new preserve)) #b1))))
(check-sat)
(pop)

(push)
(echo "A present L1 entry is stored with US, and with either G or bit 52.")
(declare-const entry U64)
(define-fun stored () U64 (l1e_to_store entry))
(assert (or (= ((_ extract 2 2) stored) #b0)
            (= ((_ extract 8 8) stored) ((_ extract 52 52) stored))))
(check-sat)
(pop)

(push)
(echo "G is stored only where the guest wrote US and not bit 52.")
(declare-const entry U64)
(assert (= ((_ extract 8 8) (l1e_to_store entry)) #b1))
(assert (distinct (bvand entry #x0010000000000004) (_ bv4 64)))
(check-sat)
(pop)

(push)
(echo "An L1 entry that is written back as it was read is stored as it was.")
(declare-const entry U64)
(assert (distinct (l1e_to_store (l1e_to_store entry)) (l1e_to_store entry)))
(check-sat)
(pop)

(push)
(echo "PRESERVE_AD clears no A or D bit, and changes nothing else of the new entry but US, G and bit
       52.")
(declare-const old U64)
(declare-const new U64)
(define-fun stored () U64 (stored_entry old new true))
(assert (or (distinct (bvand old (bvnot stored) #x0000000000000060) (_ bv0 64))
            (distinct (bvand new (bvnot stored) #xfffffffffffffeff) (_ bv0 64))
            (distinct (bvand stored (bvnot (bvor new old #x0010000000000104))) (_ bv0 64))
            (distinct (bvand stored (bvnot (bvor new #x0010000000000164))) (_ bv0 64))))
(check-sat)
(pop)

; The word of a frame: general references in bits 0 to 26, of which 26 is the guard, type references
; in 27 to 53, flags in 54 to 58 (COUNTED 55, ALLOCATED 56, PINNED 57, VALIDATING 58), VALIDATED 59,
; the type in 60 to 63. `linear`: linear entries of a table in bits 0 to 9, linear uses in 10 to 23.
(define-sort U64 () (_ BitVec 64))
(define-sort U32 () (_ BitVec 32))

; --- The formulas of frame.h, pagetype.h, linear.c ------------------------------------------------

; get_page of the frame's owner: whether there is a reference to be had, and the word after it.
; put_page: not the last one.
(define-fun may_get ((word U64)) Bool
  (= (bvand (bvsub word (_ bv1 64)) #x0000000004000000) (_ bv0 64)))
(define-fun word_after_get-domain ((word U64)) Bool (may_get word))
(define-fun word_after_get ((word U64)) U64 (bvadd word (_ bv1 64)))
(define-fun word_after_put-domain ((word U64)) Bool
  (bvugt (bvand word #x0000000007ffffff) (_ bv1 64)))
(define-fun word_after_put ((word U64)) U64 (bvsub word (_ bv1 64)))

(define-fun is_valid_as-domain ((word U64) (type U64)) Bool
  (= (bvand type #x0fffffffffffffff) (_ bv0 64)))
(define-fun is_valid_as ((word U64) (type U64)) Bool
  (= (bvlshr word (_ bv59 64)) (bvlshr (bvor type #x0800000000000000) (_ bv59 64))))

; get_page_type of a frame that is valid as the type already, put_page_type of one with more
; references.
(define-fun type_after_get-domain ((word U64) (type U64)) Bool
  (and (is_valid_as-domain word type) (is_valid_as word type)))
(define-fun type_after_get ((word U64) (type U64)) U64 (bvadd word #x0000000008000000))
(define-fun type_after_put-domain ((word U64)) Bool
  (bvugt (bvand word #x003ffffff8000000) #x0000000008000000))
(define-fun type_after_put ((word U64)) U64 (bvsub word #x0000000008000000))

; get_page_from_l1e of a writable entry for a frame that is writable already, put_page_from_l1e:
; not the last one.
(define-fun is-writable ((word U64)) Bool
  (= (bvand word #xf800000000000000) #x7800000000000000))
(define-fun writable_get-domain ((word U64)) Bool (and (is-writable word) (may_get word)))
(define-fun writable_get ((word U64)) U64 (bvadd word #x0000000008000001))
(define-fun writable_put-domain ((word U64)) Bool
  (and (is-writable word) (word_after_put-domain word) (type_after_put-domain word)))
(define-fun writable_put ((word U64)) U64 (bvsub word #x0000000008000001))

; get_linear_table of an entry of one table for another of the same owner, whose word has one
; general reference; and `linear` of both afterwards.
(define-fun linear_ok-domain ((word U64) (target-word U64) (table U32) (target U32)) Bool
  (= (bvand target-word #x0000000007ffffff) (_ bv1 64)))
(define-fun linear_ok ((word U64) (target-word U64) (table U32) (target U32)) Bool
  (and (= (bvand table #x00fffc00) (_ bv0 32))
       (is_valid_as target-word (bvand word #xf000000000000000))
       (= (bvand target #x000003ff) (_ bv0 32))
       (distinct (bvand target #x00fffc00) #x00fffc00)))
(define-fun linear_table-domain ((word U64) (target-word U64) (table U32) (target U32)) Bool
  (and (linear_ok-domain word target-word table target) (linear_ok word target-word table target)))
(define-fun linear_table ((word U64) (target-word U64) (table U32) (target U32)) U32
  (bvadd table (_ bv1 32)))
(define-fun linear_target-domain ((word U64) (target-word U64) (table U32) (target U32)) Bool
  (and (linear_ok-domain word target-word table target) (linear_ok word target-word table target)))
(define-fun linear_target ((word U64) (target-word U64) (table U32) (target U32)) U32
  (bvadd target #x00000400))

; flush_since for a vCPU that runs: the epoch at its last flush, the frame's stamp and the domain's
; epoch; whether it is flushed, and the epoch afterwards, which the flush then stores.
(define-fun flush_needed-domain ((flushed U64) (stamp U64) (epoch U64)) Bool
  (and (bvule flushed epoch) (bvule stamp epoch) (bvult epoch #xffffffffffffffff)))
(define-fun flush_needed ((flushed U64) (stamp U64) (epoch U64)) Bool (bvule flushed stamp))
(define-fun epoch_after-domain ((flushed U64) (stamp U64) (epoch U64)) Bool
  (flush_needed-domain flushed stamp epoch))
(define-fun epoch_after ((flushed U64) (stamp U64) (epoch U64)) U64
  (ite (= stamp epoch) (bvadd epoch (_ bv1 64)) epoch))

; --- Notions --------------------------------------------------------------------------------------

(define-fun refs-of ((word U64)) (_ BitVec 27) ((_ extract 26 0) word))
(define-fun type-refs-of ((word U64)) (_ BitVec 27) ((_ extract 53 27) word))
(define-fun flags-of ((word U64)) (_ BitVec 10) ((_ extract 63 54) word))
(define-fun linear-entries ((linear U32)) (_ BitVec 10) ((_ extract 9 0) linear))
(define-fun linear-uses ((linear U32)) (_ BitVec 14) ((_ extract 23 10) linear))

; --- Laws -----------------------------------------------------------------------------------------

(push)
(echo "A general reference can be had exactly while there is one and no more than 2^26.")
(declare-const word U64)
(assert (distinct (may_get word) (and (bvuge (refs-of word) (_ bv1 27))
                                      (bvule (refs-of word) (_ bv67108864 27)))))
(check-sat)
(pop)

(push)
(echo "It adds one to the count without overflow and leaves the rest of the word; giving it back
       restores the word.")
(declare-const word U64)
(assert (may_get word))
(assert (not (and (= ((_ extract 63 27) (word_after_get word)) ((_ extract 63 27) word))
                  (bvugt (refs-of (word_after_get word)) (refs-of word))
                  (= (word_after_put (word_after_get word)) word))))
(check-sat)
(pop)

(push)
(echo "A frame is valid as one type at most, and as none unless VALIDATED is set, whatever its
       counts and flags.")
(declare-const word U64)
(declare-const other U64)
(declare-const t U64)
(declare-const u U64)
(assert (and (is_valid_as-domain word t) (is_valid_as-domain word u) (is_valid_as word t)))
(assert (or (and (is_valid_as word u) (distinct t u)) (= ((_ extract 59 59) word) #b0)
            (and (= ((_ extract 63 59) other) ((_ extract 63 59) word))
              (not (is_valid_as other t)))))
(check-sat)
(pop)

(push)
(echo "A type reference, while there are no more than general ones and these fewer than 2^27 - 1,
       changes nothing of the word but its count; giving it back restores the word.")
(declare-const word U64)
(declare-const type U64)
(assert (and (type_after_get-domain word type) (bvule (type-refs-of word) (refs-of word))
             (bvult (refs-of word) (_ bv134217727 27))))
(define-fun after () U64 (type_after_get word type))
(assert (not (and (= (flags-of after) (flags-of word)) (= (refs-of after) (refs-of word))
                  (= (type-refs-of after) (bvadd (type-refs-of word) (_ bv1 27)))
                  (bvugt (type-refs-of after) (type-refs-of word))
                  (= (type_after_put after) word))))
(check-sat)
(pop)

(push)
(echo "A writable mapping takes one reference of each kind in one step and changes nothing else of
       the word; its end gives both back.")
(declare-const word U64)
(assert (and (writable_get-domain word) (bvule (type-refs-of word) (refs-of word))))
(define-fun after () U64 (writable_get word))
(assert (not (and (= (flags-of after) (flags-of word))
                  (= (refs-of after) (bvadd (refs-of word) (_ bv1 27)))
                  (= (type-refs-of after) (bvadd (type-refs-of word) (_ bv1 27)))
                  (bvule (type-refs-of after) (refs-of after))
                  (= (writable_put after) word))))
(check-sat)
(pop)

(push)
(echo "A linear entry that is let in is counted in its table's `linear` and nothing else there
       changes, while there are fewer than 1023 of them.")
(declare-const word U64)
(declare-const target-word U64)
(declare-const table U32)
(declare-const target U32)
(assert (and (linear_table-domain word target-word table target)
             (bvult (linear-entries table) (_ bv1023 10))))
(define-fun after () U32 (linear_table word target-word table target))
(assert (not (and (= (linear-entries after) (bvadd (linear-entries table) (_ bv1 10)))
                  (= ((_ extract 31 10) after) ((_ extract 31 10) table)))))
(check-sat)
(pop)

(push)
(echo "It is counted in its target's `linear` as one linear use, and nothing else there changes.")
(declare-const word U64)
(declare-const target-word U64)
(declare-const table U32)
(declare-const target U32)
(assert (linear_target-domain word target-word table target))
(define-fun after () U32 (linear_target word target-word table target))
(assert (not (and (= (linear-uses after) (bvadd (linear-uses target) (_ bv1 14)))
                  (bvugt (linear-uses after) (_ bv0 14))
                  (= ((_ extract 31 24) after) ((_ extract 31 24) target))
                  (= (linear-entries after) (linear-entries target)))))
(check-sat)
(pop)

(push)
(echo "No linear entry gives a frame both linear entries and linear uses: the table has no uses,
       and its target no entries, and it is a table of the same type.")
(declare-const word U64)
(declare-const target-word U64)
(declare-const table U32)
(declare-const target U32)
(assert (and (linear_table-domain word target-word table target)
             (bvult (linear-entries table) (_ bv1023 10))))
(assert (or (distinct (linear-uses (linear_table word target-word table target)) (_ bv0 14))
            (distinct (linear-entries (linear_target word target-word table target)) (_ bv0 10))
            (distinct ((_ extract 63 60) word) ((_ extract 63 60) target-word))))
(check-sat)
(pop)

(push)
(echo "After a flush before re-use the vCPU's last flush is later than the frame's stamp, and so is
       the epoch; a second time nothing is flushed.")
(declare-const flushed U64)
(declare-const stamp U64)
(declare-const epoch U64)
(assert (flush_needed-domain flushed stamp epoch))
(define-fun epoch-now () U64 (epoch_after flushed stamp epoch))
(define-fun flushed-now () U64 (ite (flush_needed flushed stamp epoch) epoch-now flushed))
(assert (not (and (bvugt flushed-now stamp) (bvugt epoch-now stamp) (bvule flushed-now epoch-now)
                  (not (flush_needed flushed-now stamp epoch-now)))))
(check-sat)
(pop)

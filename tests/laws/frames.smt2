; The two words of a frame. count: references in bits 0 to 31, flags above. type: references in bits
; 0 to 31, linear entries of it in 32 to 41, linear uses in 42 to 55, VALIDATING 57, PINNED 58,
; VALIDATED 59, the type in 60 to 63.
(define-sort U64 () (_ BitVec 64))

; --- The formulas of frame.h, linear.c ------------------------------------------------------------

; get_page of the frame's owner: whether there is a reference to be had, and the word after it.
; put_page: not the last one.
(define-fun get_page_ok ((count U64)) Bool
  (distinct (bvand count #x00000000ffffffff) #x00000000ffffffff))
(define-fun count_after_get-domain ((count U64)) Bool (get_page_ok count))
(define-fun count_after_get ((count U64)) U64 (bvadd count (_ bv1 64)))
(define-fun count_after_put-domain ((count U64)) Bool
  (bvugt (bvand count #x00000000ffffffff) (_ bv1 64)))
(define-fun count_after_put ((count U64)) U64 (bvsub count (_ bv1 64)))

(define-fun is_valid_as-domain ((word U64) (type U64)) Bool
  (= (bvand type #x0fffffffffffffff) (_ bv0 64)))
(define-fun is_valid_as ((word U64) (type U64)) Bool
  (= (bvlshr word (_ bv59 64)) (bvlshr (bvor type #x0800000000000000) (_ bv59 64))))

; get_page_type of a frame that is valid as the type already, put_page_type of one with more
; references.
(define-fun type_after_get-domain ((word U64) (type U64)) Bool
  (and (is_valid_as-domain word type) (is_valid_as word type)))
(define-fun type_after_get ((word U64) (type U64)) U64 (bvadd word (_ bv1 64)))
(define-fun type_after_put-domain ((word U64)) Bool
  (bvugt (bvand word #x00000000ffffffff) (_ bv1 64)))
(define-fun type_after_put ((word U64)) U64 (bvsub word (_ bv1 64)))

; get_linear_table of an entry of one table for another of the same owner, and the words of both
; afterwards.
(define-fun linear_ok ((table U64) (target U64)) Bool
  (and (= (bvand table #x00fffc0000000000) (_ bv0 64))
       (is_valid_as target (bvand table #xf000000000000000))
       (= (bvand target #x000003ff00000000) (_ bv0 64))
       (distinct (bvand target #x00fffc0000000000) #x00fffc0000000000)
       (distinct (bvand target #x00000000ffffffff) #x00000000ffffffff)))
(define-fun linear_table-domain ((table U64) (target U64)) Bool (linear_ok table target))
(define-fun linear_table ((table U64) (target U64)) U64 (bvadd table #x0000000100000000))
(define-fun linear_target-domain ((table U64) (target U64)) Bool (linear_ok table target))
(define-fun linear_target ((table U64) (target U64)) U64
  (bvadd target (bvadd #x0000040000000000 (_ bv1 64))))

; flush_tlb_since: the clock's low half at the CPU's last flush, and at the time in question.
(define-fun flush_needed ((flushed (_ BitVec 32)) (stamp (_ BitVec 32))) Bool
  (bvsle (bvsub flushed stamp) (_ bv0 32)))

; --- Notions --------------------------------------------------------------------------------------

(define-fun refs-of ((word U64)) (_ BitVec 32) ((_ extract 31 0) word))
(define-fun linear-entries ((word U64)) (_ BitVec 10) ((_ extract 41 32) word))
(define-fun linear-uses ((word U64)) (_ BitVec 14) ((_ extract 55 42) word))

; --- Laws -----------------------------------------------------------------------------------------

(push)
(echo "A general reference adds one to the count without overflow and leaves the flags beside it;
       giving it back restores the word.")
(declare-const count U64)
(assert (get_page_ok count))
(assert (not (and (= ((_ extract 63 32) (count_after_get count)) ((_ extract 63 32) count))
                  (bvugt (refs-of (count_after_get count)) (refs-of count))
                  (= (count_after_put (count_after_get count)) count))))
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
(echo "A type reference, while there are fewer than 2^32 - 1, changes nothing of the type word but
       the count; giving it back restores the word.")
(declare-const word U64)
(declare-const type U64)
(assert (and (type_after_get-domain word type) (bvult (refs-of word) #xffffffff)))
(assert (not (and (= ((_ extract 63 32) (type_after_get word type)) ((_ extract 63 32) word))
                  (= (refs-of (type_after_get word type)) (bvadd (refs-of word) (_ bv1 32)))
                  (= (type_after_put (type_after_get word type)) word))))
(check-sat)
(pop)

(push)
(echo "A linear entry that is let in is counted in its table's word and nothing else there changes,
       while there are fewer than 1023 of them.")
(declare-const table U64)
(declare-const target U64)
(assert (and (linear_ok table target) (bvult (linear-entries table) (_ bv1023 10))))
(define-fun after () U64 (linear_table table target))
(assert (not (and (= (linear-entries after) (bvadd (linear-entries table) (_ bv1 10)))
                  (= (refs-of after) (refs-of table))
                    (= ((_ extract 63 42) after) ((_ extract 63 42) table)))))
(check-sat)
(pop)

(push)
(echo "It is counted in its target's word as one linear use and one type reference, and nothing
       else there changes.")
(declare-const table U64)
(declare-const target U64)
(assert (linear_ok table target))
(define-fun after () U64 (linear_target table target))
(assert (not
          (and (= (linear-uses after) (bvadd (linear-uses target) (_ bv1 14)))
            (bvugt (linear-uses after) (_ bv0 14))
                  (= (refs-of after) (bvadd (refs-of target) (_ bv1 32)))
                    (bvugt (refs-of after) (_ bv0 32))
                  (= (linear-entries after) (linear-entries target))
                  (= ((_ extract 63 56) after) ((_ extract 63 56) target)))))
(check-sat)
(pop)

(push)
(echo "No linear entry gives a frame both linear entries and linear uses: the table has no uses,
       and its target no entries.")
(declare-const table U64)
(declare-const target U64)
(assert (and (linear_ok table target) (bvult (linear-entries table) (_ bv1023 10))))
(assert (or (distinct (linear-uses (linear_table table target)) (_ bv0 14))
            (distinct (linear-entries (linear_target table target)) (_ bv0 10))
            (distinct ((_ extract 63 60) table) ((_ extract 63 60) target))))
(check-sat)
(pop)

(push)
(echo "A flush is left out exactly when the CPU's last one came after the stamp, if the two are
       less than 2^31 flushes apart.")
(declare-const flushed U64)
(declare-const stamp U64)
(assert (and (bvslt (bvsub flushed stamp) (_ bv2147483648 64))
          (bvsgt (bvsub flushed stamp) (bvneg (_ bv2147483648 64)))))
(assert (= (flush_needed ((_ extract 31 0) flushed) ((_ extract 31 0) stamp))
          (bvsgt (bvsub flushed stamp) (_ bv0 64))))
(check-sat)
(pop)

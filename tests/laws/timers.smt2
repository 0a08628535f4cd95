; The deadlines that a guest may ask for.
(define-sort U64 () (_ BitVec 64))

; --- The formulas of set_timer_op.c, vtimer.c -----------------------------------------------------

; do_set_timer_op with a time that is not 0: when it comes.
(define-fun timer_deadline-domain ((timeout U64) (now U64)) Bool
  (and (distinct timeout (_ bv0 64)) (bvult now (bvshl (_ bv1 64) (_ bv63 64)))))
(define-fun timer_deadline ((timeout U64) (now U64)) U64
  (ite (or (bvslt timeout (_ bv0 64))
         (and (bvugt timeout now) (bvuge (bvsub timeout now) (bvshl (_ bv1 64) (_ bv50 64)))))
       (bvadd now (bvmul (_ bv100 64) (_ bv1000000 64)))
       timeout))

; vcpu_set_periodic.
(define-fun period_ok ((period U64)) Bool
  (not (and (distinct period (_ bv0 64))
            (or (bvult period (_ bv1000000 64))
              (bvugt period (bvlshr #xffffffffffffffff (_ bv2 64)))))))

; --- Laws -----------------------------------------------------------------------------------------

(push)
(echo "A guest's one-shot timer comes within 2^50 ns, whatever time it names, for 250 years from
       boot.")
(declare-const timeout U64)
(declare-const now U64)
(assert (bvult now (bvshl (_ bv1 64) (_ bv62 64))))
(assert (and (distinct timeout (_ bv0 64)) (bvugt (timer_deadline timeout now) now)))
(assert (bvuge (bvsub (timer_deadline timeout now) now) (bvshl (_ bv1 64) (_ bv50 64))))
(check-sat)
(pop)

(push)
(echo "A time that is not negative and less than 2^50 ns ahead is the deadline as it is.")
(declare-const timeout U64)
(declare-const now U64)
(assert (and (bvsgt timeout (_ bv0 64))
          (or (bvule timeout now) (bvult (bvsub timeout now) (bvshl (_ bv1 64) (_ bv50 64))))))
(assert (distinct (timer_deadline timeout now) timeout))
(check-sat)
(pop)

(push)
(echo "The next tick of a periodic timer is at least a millisecond after the last, and does not
       wrap for 290 years from boot.")
(declare-const period U64)
(declare-const last U64)
(assert (and (period_ok period) (distinct period (_ bv0 64))
          (bvult last (bvshl (_ bv1 64) (_ bv63 64)))))
(assert (bvult (bvadd last period) (bvadd last (_ bv1000000 64))))
(check-sat)
(pop)

; The clock: ticks of the TSC to nanoseconds and back, in integers. The shift of vcpu_time_info is
; two powers of two here, of which one is 1: up multiplies ticks, down divides them. mul is its
; multiplier, from 2^31 to 2^32, though the laws do not need that; per_ns the ticks of 2^32 ns.

; --- The formulas of time.c -----------------------------------------------------------------------

(define-fun is-scale ((up Int) (down Int) (mul Int)) Bool
  (and (or (and (= down 1) (or (= up 1) (= up 2) (= up 4) (= up 8) (= up 16) (= up 32) (= up 64)
                               (= up 128) (= up 256) (= up 512) (= up 1024)))
           (and (= up 1) (or (= down 2) (= down 4) (= down 8) (= down 16))))
       (< 0 mul) (< mul 4294967296)))
(define-fun ticks_to_ns-domain ((ticks Int) (up Int) (down Int) (mul Int)) Bool
  (and (is-scale up down mul) (<= 0 ticks) (< (* ticks up) 18446744073709551616)))
(define-fun ticks_to_ns ((ticks Int) (up Int) (down Int) (mul Int)) Int
  (div (* (div (* ticks up) down) mul) 4294967296))

(define-fun inverse-domain ((up Int) (down Int) (mul Int)) Bool
  (and (is-scale up down mul) (<= 2147483648 mul)))
(define-fun inverse ((up Int) (down Int) (mul Int)) Int
  (div (+ (* (+ (div 18446744073709551615 mul) 1) down) (- up 1)) up))

; now and tsc are the present on both clocks.
(define-fun ns_to_tsc-domain ((ns Int) (now Int) (tsc Int) (per_ns Int) (down Int)) Bool
  (and (<= 0 ns) (<= 0 now) (<= 0 tsc) (<= 1 per_ns) (<= 1 down)))
(define-fun ns_to_tsc ((ns Int) (now Int) (tsc Int) (per_ns Int) (down Int)) Int
  (let ((wait (ite (> ns now) (- ns now) 0)))
    (let ((then (+ (div (* wait per_ns) 4294967296) down tsc)))
      (ite (< then 18446744073709551616) then 18446744073709551615))))

; --- Laws -----------------------------------------------------------------------------------------

(push)
(echo "The clock never goes back: more ticks are never fewer nanoseconds.")
(declare-const ticks Int)
(declare-const later Int)
(declare-const up Int)
(declare-const down Int)
(declare-const mul Int)
(assert (and (is-scale up down mul) (<= 0 ticks) (<= ticks later)))
(assert (> (ticks_to_ns ticks up down mul) (ticks_to_ns later up down mul)))
(check-sat)
(pop)

(push)
(echo "No time is cut off: ticks that can be shifted to the left are less than 2^64 nanoseconds.")
(declare-const ticks Int)
(declare-const up Int)
(declare-const down Int)
(declare-const mul Int)
(assert (ticks_to_ns-domain ticks up down mul))
(assert (>= (ticks_to_ns ticks up down mul) 18446744073709551616))
(check-sat)
(pop)

(push)
(echo "From a point of 2^28 shifted ticks, if mul is a multiple of 16, the same times follow as from
       boot, to the nanosecond.")
(declare-const ticks Int)
(declare-const blocks Int)
(declare-const sixteenth Int)
(assert (and (<= 0 ticks) (<= 0 blocks) (< 0 sixteenth)))
(define-fun mul () Int (* 16 sixteenth))
(define-fun differs ((point Int) (up Int) (down Int)) Bool
  (distinct (ticks_to_ns (+ point ticks) up down mul)
            (+ (ticks_to_ns point up down mul) (ticks_to_ns ticks up down mul))))
(assert (or (differs (* blocks 268435456) 1 1) (differs (* blocks 536870912) 1 2)
            (differs (* blocks 1073741824) 1 4) (differs (* blocks 2147483648) 1 8)
            (differs (* blocks 134217728) 2 1) (differs (* blocks 67108864) 4 1)
            (differs (* blocks 33554432) 8 1) (differs (* blocks 262144) 1024 1)))
(check-sat)
(pop)

(push)
(echo "No timer is early: at its deadline in ticks the clock shows its time, or later.")
(declare-const ticks Int)
(declare-const wait Int)
(declare-const up Int)
(declare-const down Int)
(declare-const mul Int)
(assert (and (is-scale up down mul) (<= 0 ticks) (<= 0 wait)))
(define-fun now () Int (ticks_to_ns ticks up down mul))
(define-fun then () Int (ns_to_tsc (+ now wait) now ticks (inverse up down mul) down))
(assert (and (< then 18446744073709551615) (< (ticks_to_ns then up down mul) (+ now wait))))
(check-sat)
(pop)

(push)
(echo "A deadline in ticks is later than the present, or the last there is: it never wraps.")
(declare-const ns Int)
(declare-const now Int)
(declare-const tsc Int)
(declare-const per_ns Int)
(declare-const down Int)
(define-fun then () Int (ns_to_tsc ns now tsc per_ns down))
(assert (and (ns_to_tsc-domain ns now tsc per_ns down) (< tsc 18446744073709551616)))
(assert (not (and (or (> then tsc) (= then 18446744073709551615)) (< then 18446744073709551616))))
(check-sat)
(pop)

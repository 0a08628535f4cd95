; What requests say of lists and tables: extents of memory_op, grant entries and handles, rings, ELF
; files.
(define-sort U64 () (_ BitVec 64))
(define-sort U32 () (_ BitVec 32))
(define-sort U16 () (_ BitVec 16))

; --- The formulas of memory_exchange.c, memory.c, elf.c -------------------------------------------

; XENMEM_exchange: whether the numbers pass, and something is left to do. (As in addresses.smt2, for
; the lists.)
(define-fun list-ok ((va U64) (len U64)) Bool
  (let ((end (bvadd va len)))
    (and (bvuge end va) (or (bvule end #xffff800000000000) (bvuge va #xffff880000000000)))))
(define-fun exchange_ok
  ((in_nr U64) (in_order U32) (out_nr U64) (out_order U32) (done U64) (in_list U64)
    (out_list U64)) Bool
  (let ((in ((_ zero_extend 32) in_order)) (out ((_ zero_extend 32) out_order))
         (ones #xffffffffffffffff))
    (and (bvule in_order (_ bv9 32)) (bvule out_order (_ bv9 32)) (bvult done in_nr)
         (bvule in_nr (bvlshr ones in)) (bvule out_nr (bvlshr ones out))
           (= (bvshl in_nr in) (bvshl out_nr out))
         (bvule in_nr (bvlshr ones (_ bv3 64))) (list-ok in_list (bvmul in_nr (_ bv8 64)))
         (bvule out_nr (bvlshr ones (_ bv3 64))) (list-ok out_list (bvmul out_nr (_ bv8 64))))))

; do_memory_op: the extent at which a command starts, whose list cannot be read.
(define-fun memory_op_start-domain ((command U64)) Bool
  (or (= (bvand command (_ bv63 64)) (_ bv0 64)) (= (bvand command (_ bv63 64)) (_ bv1 64))
      (= (bvand command (_ bv63 64)) (_ bv6 64))))
(define-fun memory_op_start ((command U64)) U64 (bvlshr command (_ bv6 64)))

(define-fun elf_inside ((size U64) (offset U64) (len U64)) Bool
  (and (bvule len size) (bvule offset (bvsub size len))))

; --- The formulas of grant.h, grant_copy.c, grant_map.c, grant_maptrack.h ------------------------

; Where the entry of a reference lies: the number of its page times 4096, and the offset in that.
(define-fun v1_place-domain ((ref U32)) Bool (bvult ref (_ bv16384 32)))
(define-fun v1_place ((ref U32)) U32
  (bvadd (bvmul (_ bv4096 32) (bvudiv ref (_ bv512 32)))
    (bvmul (_ bv8 32) (bvurem ref (_ bv512 32)))))
(define-fun v2_place-domain ((ref U32)) Bool (bvult ref (_ bv8192 32)))
(define-fun v2_place ((ref U32)) U32
  (bvadd (bvmul (_ bv4096 32) (bvudiv ref (_ bv256 32)))
    (bvmul (_ bv16 32) (bvurem ref (_ bv256 32)))))
(define-fun status_place-domain ((ref U32)) Bool (bvult ref (_ bv8192 32)))
(define-fun status_place ((ref U32)) U32
  (bvadd (bvmul (_ bv4096 32) (bvudiv ref (_ bv2048 32)))
    (bvmul (_ bv2 32) (bvurem ref (_ bv2048 32)))))
(define-fun pins_place-domain ((ref U32)) Bool (bvult ref (_ bv16384 32)))
(define-fun pins_place ((ref U32)) U32
  (bvadd (bvmul (_ bv4096 32) (bvudiv ref (_ bv256 32)))
    (bvmul (_ bv16 32) (bvurem ref (_ bv256 32)))))

; within: whether a copy's bytes are in an area of a page.
(define-fun copy_within ((start U16) (length U16) (offset U16) (len U16)) Bool
  (and (bvuge offset start)
       (bvule (bvadd ((_ zero_extend 16) offset) ((_ zero_extend 16) len))
              (bvadd ((_ zero_extend 16) start) ((_ zero_extend 16) length)))))

; maptrack_by_handle finds the entry of the handle's index if it has that generation; maptrack_free
; gives it the next.
(define-fun handle_found-domain ((handle U32) (generation U16) (nr U32)) Bool
  (bvule nr (_ bv65536 32)))
(define-fun handle_found ((handle U32) (generation U16) (nr U32)) Bool
  (and (bvult (bvand handle #x0000ffff) nr)
    (= ((_ zero_extend 16) generation) (bvlshr handle (_ bv16 32)))))
(define-fun next_generation ((generation U16)) U16 (bvand (bvadd generation (_ bv1 16)) #x7fff))

; --- The formulas of console_ring.c, evtchn_fifo.c ------------------------------------------------

(define-fun ring_waiting ((prod U32) (cons U32)) U32
  (let ((n (bvsub prod cons))) (ite (bvule n (_ bv2048 32)) n (_ bv0 32))))
(define-fun ring_room ((prod U32) (cons U32) (n U32)) Bool
  (let ((used (bvsub prod cons)))
    (and (bvule used (_ bv1024 32)) (bvuge (bvsub (_ bv1024 32) used) n))))

; link_to_tail: the word of a port that is linked in its queue, once the other is linked behind it.
(define-fun linked_word-domain ((word U32) (port U32)) Bool
  (and (= ((_ extract 29 29) word) #b1) (bvult port (_ bv131072 32))))
(define-fun linked_word ((word U32) (port U32)) U32
  (bvor (bvand word (bvnot (bvor #x0001ffff #x10000000))) port))

; --- Notions --------------------------------------------------------------------------------------

(define-fun in-hole ((va U64)) Bool
  (and (bvuge va #xffff800000000000) (bvult va #xffff880000000000)))
(define-fun frames-of ((nr U64) (order U32)) (_ BitVec 128)
  (bvshl ((_ zero_extend 64) nr) ((_ zero_extend 96) order)))
; Extents of a chunk, which is one of the larger order.
(define-fun per-chunk ((order U32) (other U32)) U64
  (bvshl (_ bv1 64) ((_ zero_extend 32) (bvsub (ite (bvugt order other) order other) order))))
; An entry of so many bytes, a power of two, is aligned and in one of the pages that hold so many.
(define-fun is-placed ((place U32) (ref U32) (size U32)) Bool
  (and (= place (bvmul ref size)) (bvule (bvadd (bvand place (_ bv4095 32)) size) (_ bv4096 32))
       (= (bvudiv place (_ bv4096 32)) (bvudiv ref (bvudiv (_ bv4096 32) size)))))

; --- Laws -----------------------------------------------------------------------------------------

(push)
(echo "An exchange that passes takes as many frames as it gives, counted without overflow.")
(declare-const in_nr U64)
(declare-const in_order U32)
(declare-const out_nr U64)
(declare-const out_order U32)
(declare-const done U64)
(declare-const in_list U64)
(declare-const out_list U64)
(assert (exchange_ok in_nr in_order out_nr out_order done in_list out_list))
(assert (distinct (frames-of in_nr in_order) (frames-of out_nr out_order)))
(check-sat)
(pop)

(push)
(echo "No word of its two lists lies in the hole.")
(declare-const in_nr U64)
(declare-const in_order U32)
(declare-const out_nr U64)
(declare-const out_order U32)
(declare-const done U64)
(declare-const in_list U64)
(declare-const out_list U64)
(declare-const i U64)
(declare-const byte U64)
(assert (and (exchange_ok in_nr in_order out_nr out_order done in_list out_list)
          (bvult byte (_ bv8 64))))
(define-fun at ((list U64)) U64 (bvadd list (bvmul (_ bv8 64) i) byte))
(assert (or (and (bvult i in_nr) (in-hole (at in_list)))
          (and (bvult i out_nr) (in-hole (at out_list)))))
(check-sat)
(pop)

(push)
(echo "Both lists are whole numbers of chunks, so that the last chunk ends where they do.")
(declare-const in_nr U64)
(declare-const in_order U32)
(declare-const out_nr U64)
(declare-const out_order U32)
(declare-const done U64)
(declare-const in_list U64)
(declare-const out_list U64)
(assert (exchange_ok in_nr in_order out_nr out_order done in_list out_list))
(assert (or (distinct (bvand in_nr (bvsub (per-chunk in_order out_order) (_ bv1 64))) (_ bv0 64))
            (distinct (bvand out_nr (bvsub (per-chunk out_order in_order) (_ bv1 64))) (_ bv0 64))))
(check-sat)
(pop)

(push)
(echo "An extent below 2^26 and a command of six bits, packed into 32 bits, come apart again.")
(declare-const command U32)
(declare-const start U32)
(assert (and (bvult start #x04000000) (bvult command (_ bv64 32))))
(assert (distinct (memory_op_start ((_ zero_extend 32) (bvor (bvshl start (_ bv6 32)) command)))
          ((_ zero_extend 32) start)))
(check-sat)
(pop)

(push)
(echo "A part is inside an ELF file exactly if it ends in the file, counted without overflow.")
(declare-const size U64)
(declare-const offset U64)
(declare-const len U64)
(assert (distinct (elf_inside size offset len)
                  (bvule (bvadd ((_ zero_extend 1) offset) ((_ zero_extend 1) len))
                    ((_ zero_extend 1) size))))
(check-sat)
(pop)

(push)
(echo "A grant's entry, its status and its pins lie one behind another, each whole in one page,
       which is one of those that so many need.")
(declare-const ref U32)
(assert (or (and (v1_place-domain ref) (not (is-placed (v1_place ref) ref (_ bv8 32))))
            (and (v2_place-domain ref) (not (is-placed (v2_place ref) ref (_ bv16 32))))
            (and (status_place-domain ref) (not (is-placed (status_place ref) ref (_ bv2 32))))
            (and (pins_place-domain ref) (not (is-placed (pins_place ref) ref (_ bv16 32))))))
(check-sat)
(pop)

(push)
(echo "Each byte of a copy that is within an area of a grant is a byte of the area.")
(declare-const start U16)
(declare-const length U16)
(declare-const offset U16)
(declare-const len U16)
(declare-const i U16)
(define-fun wide ((x U16)) U32 ((_ zero_extend 16) x))
(assert (and (copy_within start length offset len) (bvult i len)))
(define-fun byte () U32 (bvadd (wide offset) (wide i)))
(assert (not (and (bvuge byte (wide start)) (bvult byte (bvadd (wide start) (wide length))))))
(check-sat)
(pop)

(push)
(echo "A handle that was given back is not found when its entry is used again, and no entry's
       handle is negative then.")
(declare-const handle U32)
(declare-const generation U16)
(declare-const nr U32)
(assert (handle_found handle generation nr))
(assert (or (handle_found handle (next_generation generation) nr)
            (= ((_ extract 15 15) (next_generation generation)) #b1)))
(check-sat)
(pop)

(push)
(echo "Two handles that an entry's generation lets find the same index are the same.")
(declare-const a U32)
(declare-const b U32)
(declare-const generation U16)
(declare-const nr U32)
(assert (and (handle_found a generation nr) (handle_found b generation nr) (distinct a b)))
(assert (= ((_ extract 15 0) a) ((_ extract 15 0) b)))
(check-sat)
(pop)

(push)
(echo "Whatever indices a guest writes, at most a ring's 2048 bytes wait, and either all that it
       says or none.")
(declare-const prod U32)
(declare-const cons U32)
(define-fun n () U32 (ring_waiting prod cons))
(assert (not (and (bvule n (_ bv2048 32)) (or (= n (_ bv0 32)) (= (bvadd cons n) prod)))))
(check-sat)
(pop)

(push)
(echo "What a ring has room for does not overtake its reader.")
(declare-const prod U32)
(declare-const cons U32)
(declare-const n U32)
(assert (and (ring_room prod cons n) (bvugt (bvsub (bvadd prod n) cons) (_ bv1024 32))))
(check-sat)
(pop)

(push)
(echo "Linking a port behind another changes nothing of the other's word but its link, which is the
       port then, and BUSY, which is clear.")
(declare-const word U32)
(declare-const port U32)
(assert (linked_word-domain word port))
(define-fun after () U32 (linked_word word port))
(assert (not
          (and (= ((_ extract 16 0) after) ((_ extract 16 0) port))
            (= ((_ extract 28 28) after) #b0)
                  (= (bvand (bvxor after word) #xeffe0000) (_ bv0 32)))))
(check-sat)
(pop)

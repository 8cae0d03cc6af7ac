"""The thread pool's code, in LLVM IR. `pool.py` tells what it does; here is how.

A job is a body, its argument and a number of chunks. Each thread has a queue, a range of the chunks, and takes these
first: in the same job of the next step it will get the same chunks, and find what they work on in its own cache. (What
two cores write in turn moves between their caches, which takes longer than the work of a small step.) When its queue is
empty it helps itself from those of the others.

A queue's `left` counts the chunks nobody has taken: whoever subtracts one and finds the old value positive owns a
chunk. Only then is the job read: it cannot end, nor the next one begin, before the chunk is done, so a worker that
comes late or from an older job does no harm. It merely pushes `left` below zero, until the next job sets it.

Workers look out for another number in `@job`. Falling asleep and waking follow Dekker: a worker counts itself among the
sleepers and then looks at the job's number; the caller sets that and then looks at the sleepers. Both in sequentially
consistent order, so that one sees the other. Between the look and the sleep, a changed `@bell` keeps the worker up.

A worker that wakes on the caller's own processor steps aside to another, if it may: the system puts a sleeper on the
processor of who wakes it while all others are busy, and leaves it there. It would then only run, and find nothing to
do, when the caller's time is up, and all steps would be the caller's alone.

What different threads write stands 128 bytes apart, since processors fetch cache lines in pairs. `@finished` only
grows, so that the caller need not write to the workers' line.
"""

from __future__ import annotations

_CODE = """\
; the thread pool
@duograph_pool_wanted = global i64 0, align 128    ; workers there should be
@duograph_pool_started = global i64 0, align 8     ; workers there are
@duograph_pool_stopping = global i64 0, align 8    ; whether they shall return
@duograph_pool_starter = global ptr null, align 8  ; starts those that are wanted and not there
@duograph_pool_spins = global i64 1000, align 8    ; turns before a worker sleeps
@job = internal global i64 0, align 128            ; the number of the job, beside it: one line to fetch
@body = internal global ptr null, align 8
@argument = internal global ptr null, align 8
@width = internal global i64 1, align 8            ; queues that the job has
%queue = type { i64, i64, [112 x i8] }             ; chunks left, and the number of the chunk after the last
@queues = internal global [256 x %queue] zeroinitializer, align 128
@finished = internal global i64 0, align 128       ; chunks that workers ever finished
@bell = internal global i32 0, align 128           ; changes when sleepers are woken
@sleepers = internal global i32 0, align 128
@processor = internal global i32 -1, align 4       ; that of the caller who rang
@busy = internal global i32 0, align 128           ; whether a caller has the workers
@expected = internal global i64 0, align 8         ; what @finished is when their job is done

define void @duograph_parallel_for(ptr %body, ptr %argument, i64 %chunks) nounwind {
entry:
  %wanted = load atomic i64, ptr @duograph_pool_wanted monotonic, align 8
  %alone = icmp sle i64 %wanted, 0
  %small = icmp sle i64 %chunks, 1
  %direct = or i1 %alone, %small
  br i1 %direct, label %inline, label %claim
claim:
  %was.busy = atomicrmw xchg ptr @busy, i32 1 acquire
  %free = icmp eq i32 %was.busy, 0
  br i1 %free, label %claimed, label %inline
claimed:
  %started = load atomic i64, ptr @duograph_pool_started monotonic, align 8
  %missing = icmp slt i64 %started, %wanted
  br i1 %missing, label %start, label %post, !prof !0
start:
  %starter = load ptr, ptr @duograph_pool_starter
  call void %starter()
  %running = load atomic i64, ptr @duograph_pool_started monotonic, align 8
  %none = icmp eq i64 %running, 0
  br i1 %none, label %release, label %post
release:
  store atomic i32 0, ptr @busy release, align 4
  br label %inline
post:
  store ptr %body, ptr @body
  store ptr %argument, ptr @argument
  %workers = load atomic i64, ptr @duograph_pool_started monotonic, align 8
  %threads = add i64 %workers, 1
  %width = call i64 @llvm.umin.i64(i64 %threads, i64 256)
  store atomic i64 %width, ptr @width monotonic, align 8
  br label %deal
deal:
  %hand = phi i64 [ 0, %post ], [ %hand.next, %deal ]
  %first = phi i64 [ 0, %post ], [ %last, %deal ]
  %hand.next = add i64 %hand, 1
  %share = mul i64 %chunks, %hand.next
  %last = udiv i64 %share, %width
  %left.here = sub i64 %last, %first
  %left.at = getelementptr %queue, ptr @queues, i64 %hand, i32 0
  %last.at = getelementptr %queue, ptr @queues, i64 %hand, i32 1
  store i64 %last, ptr %last.at
  store atomic i64 %left.here, ptr %left.at release, align 8
  %dealt = icmp eq i64 %hand.next, %width
  br i1 %dealt, label %call, label %deal
call:
  %job.before = load atomic i64, ptr @job monotonic, align 8
  %job.now = add i64 %job.before, 1
  store atomic i64 %job.now, ptr @job seq_cst, align 8
  %asleep = load atomic i32, ptr @sleepers seq_cst, align 4
  %all.up = icmp eq i32 %asleep, 0
  br i1 %all.up, label %help, label %ring
ring:
  %others = sub i64 %chunks, 1
  call void @note_processor()
  %capped = call i64 @llvm.umin.i64(i64 %others, i64 65536)
  %count = trunc i64 %capped to i32
  call void @ring(i32 %count)
  br label %help
help:
  %mine = call i64 @work(i64 0)
  %theirs = sub i64 %chunks, %mine
  %finished.before = load i64, ptr @expected
  %expected = add i64 %finished.before, %theirs
  store i64 %expected, ptr @expected
  %spins = load i64, ptr @duograph_pool_spins
  br label %wait
wait:
  %turn = phi i64 [ 0, %help ], [ %turn.next, %paused ], [ %turn, %yield ]
  %finished = load atomic i64, ptr @finished acquire, align 8
  %complete = icmp eq i64 %finished, %expected
  br i1 %complete, label %end, label %unfinished
unfinished:
  %patient = icmp ult i64 %turn, %spins
  br i1 %patient, label %paused, label %yield, !prof !1
paused:
  call void @pause()
  %turn.next = add i64 %turn, 1
  br label %wait
yield:                                             ; a worker may be off its core: let it on ours
  %ignored = call i32 @sched_yield()
  br label %wait
end:
  store atomic i32 0, ptr @busy release, align 4
  ret void
inline:
  %any = icmp sgt i64 %chunks, 0
  br i1 %any, label %each, label %none.left
each:
  %chunk = phi i64 [ 0, %inline ], [ %chunk.next, %each ]
  call void %body(ptr %argument, i64 %chunk, i64 0)
  %chunk.next = add i64 %chunk, 1
  %more = icmp slt i64 %chunk.next, %chunks
  br i1 %more, label %each, label %none.left
none.left:
  ret void
}

; Takes chunks until none is left, those of its own queue first, and tells how many it took.
define internal i64 @work(i64 %thread) nounwind {
entry:
  %width = load atomic i64, ptr @width monotonic, align 8
  %own = urem i64 %thread, %width
  br label %visit
visit:
  %visited = phi i64 [ 0, %entry ], [ %visited.next, %empty ]
  %done = phi i64 [ 0, %entry ], [ %done.here, %empty ]
  %at = add i64 %own, %visited
  %number = urem i64 %at, %width
  %left.at = getelementptr %queue, ptr @queues, i64 %number, i32 0
  %last.at = getelementptr %queue, ptr @queues, i64 %number, i32 1
  br label %look
look:
  %done.here = phi i64 [ %done, %visit ], [ %done.next, %run ]
  %seen = load atomic i64, ptr %left.at monotonic, align 8
  %some = icmp sgt i64 %seen, 0
  br i1 %some, label %take, label %empty
take:
  %left = atomicrmw sub ptr %left.at, i64 1 acq_rel
  %mine = icmp sgt i64 %left, 0
  br i1 %mine, label %run, label %empty
run:
  %body = load ptr, ptr @body
  %argument = load ptr, ptr @argument
  %last = load i64, ptr %last.at
  %chunk = sub i64 %last, %left
  call void %body(ptr %argument, i64 %chunk, i64 %thread)
  %done.next = add i64 %done.here, 1
  br label %look
empty:
  %visited.next = add i64 %visited, 1
  %more = icmp ult i64 %visited.next, %width
  br i1 %more, label %visit, label %end
end:
  ret i64 %done.here
}

define void @duograph_pool_worker(i64 %thread) nounwind {
entry:
  %spins = load i64, ptr @duograph_pool_spins
  br label %look
look:
  %turn = phi i64 [ 0, %entry ], [ 0, %run ], [ 0, %woken ], [ %turn.next, %wait ]
  %known = phi i64 [ 0, %entry ], [ %job, %run ], [ %known, %woken ], [ %known, %wait ]
  %job = load atomic i64, ptr @job acquire, align 8
  %work = icmp ne i64 %job, %known
  br i1 %work, label %run, label %idle
run:
  %done = call i64 @work(i64 %thread)
  %before = atomicrmw add ptr @finished, i64 %done release
  br label %look
idle:
  %stopping = load atomic i64, ptr @duograph_pool_stopping monotonic, align 8
  %stay = icmp eq i64 %stopping, 0
  br i1 %stay, label %wait, label %end
wait:
  call void @pause()
  %turn.next = add i64 %turn, 1
  %patient = icmp ult i64 %turn.next, %spins
  br i1 %patient, label %look, label %tired
tired:
  %bell = load atomic i32, ptr @bell seq_cst, align 4
  %sleepers = atomicrmw add ptr @sleepers, i32 1 seq_cst
  %job.again = load atomic i64, ptr @job seq_cst, align 8
  %no.work = icmp eq i64 %job.again, %known
  %stopping.again = load atomic i64, ptr @duograph_pool_stopping seq_cst, align 8
  %no.stop = icmp eq i64 %stopping.again, 0
  %quiet = and i1 %no.work, %no.stop
  br i1 %quiet, label %sleep, label %woken
sleep:
  call void @sleep(i32 %bell)
  br label %woken
woken:
  %left = atomicrmw sub ptr @sleepers, i32 1 seq_cst
  call void @step_aside()
  br label %look
end:
  ret void
}

; Wakes every sleeper.
define void @duograph_pool_ring() nounwind {
  call void @ring(i32 65536)
  ret void
}

; Forgets the job and the workers: in a child process, which has neither.
define void @duograph_pool_reset() nounwind {
  store i64 0, ptr @duograph_pool_started
  store i64 0, ptr @duograph_pool_stopping
  store i64 0, ptr @job
  store i64 0, ptr @finished
  store i64 0, ptr @expected
  store i32 0, ptr @sleepers
  store i32 0, ptr @busy
  call void @prepare()
  ret void
}

; Pauses many times: to measure how long one pause is.
define void @duograph_pool_pause(i64 %times) nounwind {
entry:
  br label %again
again:
  %turn = phi i64 [ 0, %entry ], [ %turn.next, %again ]
  call void @pause()
  %turn.next = add i64 %turn, 1
  %more = icmp slt i64 %turn.next, %times
  br i1 %more, label %again, label %end
end:
  ret void
}

declare i32 @sched_yield()
declare i64 @llvm.umin.i64(i64, i64)
!0 = !{!"branch_weights", i32 1, i32 2000}
!1 = !{!"branch_weights", i32 2000, i32 1}
"""

_LINUX = """
define internal void @prepare() nounwind {
  ret void
}

define internal void @sleep(i32 %bell) nounwind {  ; FUTEX_WAIT | FUTEX_PRIVATE
  %ignored = call i64 (i64, ...) @syscall(i64 {futex}, ptr @bell, i32 128, i32 %bell, ptr null, ptr null, i32 0)
  ret void
}

define internal void @ring(i32 %count) nounwind {  ; FUTEX_WAKE | FUTEX_PRIVATE
  %before = atomicrmw add ptr @bell, i32 1 seq_cst
  %ignored = call i64 (i64, ...) @syscall(i64 {futex}, ptr @bell, i32 129, i32 %count, ptr null, ptr null, i32 0)
  ret void
}

define internal void @note_processor() nounwind {
  %here = call i32 @sched_getcpu()
  store atomic i32 %here, ptr @processor monotonic, align 4
  ret void
}

; For a moment all processors but the caller's are allowed; it matters neither whether there is another nor whether the
; system lets us ask.
define internal void @step_aside() nounwind {
entry:
  %here = call i32 @sched_getcpu()
  %caller = load atomic i32, ptr @processor monotonic, align 4
  %same = icmp eq i32 %here, %caller
  %known = icmp ult i32 %here, 1024
  %aside = and i1 %same, %known
  br i1 %aside, label %ask, label %end, !prof !0
ask:
  %allowed = alloca [16 x i64], align 8
  call void @llvm.memset.p0.i64(ptr %allowed, i8 0, i64 128, i1 false)
  %bytes = call i64 (i64, ...) @syscall(i64 {getaffinity}, i64 0, i64 128, ptr %allowed)
  %told = icmp sgt i64 %bytes, 0
  br i1 %told, label %move, label %end
move:
  %number = lshr i32 %here, 6
  %bit = and i32 %here, 63
  %shift = zext i32 %bit to i64
  %ours = shl i64 1, %shift
  %word.at = getelementptr i64, ptr %allowed, i32 %number
  %word = load i64, ptr %word.at
  %without = xor i64 %word, %ours
  store i64 %without, ptr %word.at
  %moved = call i64 (i64, ...) @syscall(i64 {setaffinity}, i64 0, i64 128, ptr %allowed)
  store i64 %word, ptr %word.at
  %back = call i64 (i64, ...) @syscall(i64 {setaffinity}, i64 0, i64 128, ptr %allowed)
  br label %end
end:
  ret void
}

declare i64 @syscall(i64, ...)
declare i32 @sched_getcpu()
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
"""

_POSIX = """
@mutex = internal global [128 x i8] zeroinitializer, align 128
@condition = internal global [128 x i8] zeroinitializer, align 128

define internal void @prepare() nounwind {
  %ignored = call i32 @pthread_mutex_init(ptr @mutex, ptr null)
  %ignored.too = call i32 @pthread_cond_init(ptr @condition, ptr null)
  ret void
}

define internal void @sleep(i32 %bell) nounwind {
entry:
  %locked = call i32 @pthread_mutex_lock(ptr @mutex)
  br label %look
look:
  %now = load atomic i32, ptr @bell acquire, align 4
  %same = icmp eq i32 %now, %bell
  br i1 %same, label %wait, label %end
wait:
  %ignored = call i32 @pthread_cond_wait(ptr @condition, ptr @mutex)
  br label %look
end:
  %unlocked = call i32 @pthread_mutex_unlock(ptr @mutex)
  ret void
}

define internal void @ring(i32 %count) nounwind {
  %locked = call i32 @pthread_mutex_lock(ptr @mutex)
  %before = atomicrmw add ptr @bell, i32 1 seq_cst
  %unlocked = call i32 @pthread_mutex_unlock(ptr @mutex)
  %ignored = call i32 @pthread_cond_broadcast(ptr @condition)
  ret void
}

define internal void @note_processor() nounwind {
  ret void
}

define internal void @step_aside() nounwind {
  ret void
}

declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)
"""

_PAUSE = {
    "x86_64": "call void @llvm.x86.sse2.pause()",
    "aarch64": "call void @llvm.aarch64.hint(i32 1)",
}
_PAUSE_DECLARED = {
    "x86_64": "declare void @llvm.x86.sse2.pause()",
    "aarch64": "declare void @llvm.aarch64.hint(i32)",
}
_CALLS = {  # the numbers of Linux's system calls
    "x86_64": {"futex": 202, "setaffinity": 203, "getaffinity": 204},
    "aarch64": {"futex": 98, "setaffinity": 122, "getaffinity": 123},
}


def pool_ir(system: str, architecture: str) -> str:
    """The pool's module for a system (`"linux"` sleeps on a futex, another on a condition variable)."""
    sleeping = _POSIX
    if system == "linux" and architecture in _CALLS:
        sleeping = _LINUX
        for name, number in _CALLS[architecture].items():
            sleeping = sleeping.replace(f"{{{name}}}", str(number))
    pause = f"""
define internal void @pause() nounwind alwaysinline {{
  {_PAUSE.get(architecture, "")}
  ret void
}}
{_PAUSE_DECLARED.get(architecture, "")}
"""
    return _CODE + sleeping + pause

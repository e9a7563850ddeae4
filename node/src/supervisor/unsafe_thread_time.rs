//! CPU time of another thread of this process, by clock_gettime(2).
//!
//! Unsafe lives here because rustix has no clock of a thread but the caller's. `/proc` has it, too, but for a
//! thread that runs only as of the last tick.

use rustix::thread::Pid;

/// CPU time of `thread`, one of this process, in nanoseconds; `None` if it is gone. One system call.
pub fn cpu_ns(thread: Pid) -> Option<u64> {
    // The kernel's numbering of CPU clocks: the id inverted above three bits, which say "a thread's" (4) and
    // "time that it ran" (2). pthread_getcpuclockid(3) makes the same number of a thread's handle.
    let clock = (!thread.as_raw_nonzero().get()) << 3 | 4 | 2;
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the structure is alive over the call, and the kernel writes nothing else.
    let answer = unsafe { libc::clock_gettime(clock, &raw mut time) };
    let [seconds, nanoseconds] = [time.tv_sec, time.tv_nsec].map(i64::unsigned_abs);
    (answer == 0).then(|| seconds * 1_000_000_000 + nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_threads_time_is_its_own_and_ends_with_it() {
        let (tell, told) = channel();
        let (end, ends) = channel::<()>();
        let busy = std::thread::spawn(move || {
            let spent =
                || rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).tv_nsec;
            while spent() < 3_000_000 {}
            tell.send(rustix::thread::gettid()).unwrap();
            let _ = ends.recv();
        });
        let thread = told.recv().unwrap();
        let spent = cpu_ns(thread).unwrap();
        assert!((3_000_000..3_000_000_000).contains(&spent), "{spent}");
        assert!(cpu_ns(rustix::thread::gettid()).is_some());
        drop(end);
        busy.join().unwrap();
        // The kernel may still be about to forget it.
        while cpu_ns(thread).is_some() {
            std::thread::yield_now();
        }
    }
}

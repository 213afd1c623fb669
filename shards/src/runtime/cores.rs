//! Which CPUs this process may run on.
#![allow(unsafe_code)]

use std::{io, mem};

/// The CPUs that the process may use, in ascending order (its affinity mask, as containers set it).
pub fn available_cpus() -> io::Result<Vec<usize>> {
    // SAFETY: a `cpu_set_t` is a bit set, for which all zeroes is the empty set.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: the set is writable and its true size is passed.
    let result = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let capacity = size_of::<libc::cpu_set_t>() * 8;
    // SAFETY: the index stays below the capacity of the set.
    Ok((0..capacity).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) }).collect())
}

//! The receive buffers that a core provides to its ring, and the lease by which one is read.
//!
//! INVARIANT: a buffer is either the kernel's (in the ring) or leased, never both. A completion makes the lease, dropping
//! the lease puts the buffer back into the ring; nothing else touches either.
#![allow(unsafe_code)]

use crate::bounds::RECEIVE_BUFFER_BYTES;
use io_uring::types::BufRingEntry;
use std::cell::Cell;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::atomic::{AtomicU16, Ordering};

/// Memory of all buffers and of the ring through which the kernel takes them.
pub(crate) struct Region {
    /// Page-aligned, `count` entries.
    ring: *mut BufRingEntry,
    /// `count` × `RECEIVE_BUFFER_BYTES`.
    data: *mut u8,
    /// How many there are; a power of two.
    count: u16,
    /// Entries given to the kernel so far, modulo 2^16.
    tail: Cell<u16>,
}

fn ring_bytes(count: u16) -> usize {
    usize::from(count) * size_of::<BufRingEntry>()
}

fn data_bytes(count: u16) -> usize {
    usize::from(count) * RECEIVE_BUFFER_BYTES
}

fn map(bytes: usize) -> std::io::Result<*mut u8> {
    // SAFETY: an anonymous mapping at an address of the kernel's choice.
    let pointer = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if pointer == libc::MAP_FAILED {
        return Err(std::io::Error::last_os_error());
    }
    Ok(pointer.cast())
}

impl Region {
    /// Maps the memory; no buffer is the kernel's yet.
    pub(crate) fn new(count: u16) -> std::io::Result<Rc<Region>> {
        assert!(count.is_power_of_two());
        let ring = map(ring_bytes(count))?;
        let data = match map(data_bytes(count)) {
            Ok(data) => data,
            Err(error) => {
                // SAFETY: mapped above, of that size, used by nobody.
                unsafe { libc::munmap(ring.cast(), ring_bytes(count)) };
                return Err(error);
            }
        };
        Ok(Rc::new(Region { ring: ring.cast(), data, count, tail: Cell::new(0) }))
    }

    /// Address of the ring, for registering it.
    pub(crate) fn ring_address(&self) -> u64 {
        self.ring as u64
    }

    /// Gives all buffers to the kernel. Called once, after the ring was registered.
    pub(crate) fn provide_all(&self) {
        for id in 0..self.count {
            self.provide(id);
        }
    }

    /// Gives one buffer to the kernel.
    fn provide(&self, id: u16) {
        let tail = self.tail.get();
        let index = (tail & (self.count - 1)) as usize;
        // SAFETY: `index` and `id` are below `count`, so both pointers stay inside their mappings; the entry
        // at the tail is ours until the tail is published below. The tail shares the first entry's reserved field,
        // which `set_*` does not touch.
        unsafe {
            let entry = &mut *self.ring.add(index);
            entry.set_addr(self.data.add(id as usize * RECEIVE_BUFFER_BYTES) as u64);
            entry.set_len(RECEIVE_BUFFER_BYTES as u32);
            entry.set_bid(id);
        }
        let tail = tail.wrapping_add(1);
        self.tail.set(tail);
        // SAFETY: the ring's tail is an aligned u16 inside the mapping, read by the kernel.
        unsafe {
            (*BufRingEntry::tail(self.ring).cast::<AtomicU16>()).store(tail, Ordering::Release);
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: both were mapped in `new` with these sizes. The ring was closed before the last reference went
        // (see `Uring`), so the kernel writes here no more.
        unsafe {
            libc::munmap(self.ring.cast(), ring_bytes(self.count));
            libc::munmap(self.data.cast(), data_bytes(self.count));
        }
    }
}

/// Bytes that arrived, readable until this is dropped, which gives the buffer back to the kernel.
pub struct Lease {
    region: Rc<Region>,
    id: u16,
    length: u32,
}

impl Lease {
    /// The lease on the buffer `id`, which a completion just reported with `length` bytes.
    pub(crate) fn new(region: &Rc<Region>, id: u16, length: u32) -> Lease {
        assert!(id < region.count && length as usize <= RECEIVE_BUFFER_BYTES);
        Lease { region: region.clone(), id, length }
    }
}

impl Deref for Lease {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: inside the mapping (checked in `new`), initialised (mapped zeroed), and the kernel does not write to
        // it while it is leased.
        unsafe {
            std::slice::from_raw_parts(
                self.region.data.add(self.id as usize * RECEIVE_BUFFER_BYTES),
                self.length as usize,
            )
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.region.provide(self.id);
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lease({} bytes)", self.length)
    }
}

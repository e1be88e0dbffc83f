//! The ring of provided buffers that receives fill.

use std::alloc::Layout;
use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;

pub(crate) const GROUP: u16 = 0;
pub(crate) const BUFFER_SIZE: usize = 4096;
const BUFFERS: u16 = 512;
const PAGE: usize = 4096;

pub(crate) struct Buffers {
    // INVARIANT: `BUFFERS` entries, page-aligned, never freed; read by the kernel up to the published tail.
    ring: *mut BufRingEntry,
    // INVARIANT: `BUFFERS` × `BUFFER_SIZE` bytes, never freed.
    memory: *mut u8,
    /// Ours; the kernel sees it when published.
    tail: u16,
}

impl Buffers {
    pub(crate) fn register(submitter: &Submitter<'_>) -> io::Result<Buffers> {
        let ring_size = usize::from(BUFFERS) * size_of::<BufRingEntry>();
        let ring = allocate_zeroed(ring_size).cast::<BufRingEntry>();
        // SAFETY: the ring is page-aligned, as long as is said, and never freed.
        unsafe { submitter.register_buf_ring_with_flags(ring as u64, BUFFERS, GROUP, 0)? };
        let memory = allocate_zeroed(usize::from(BUFFERS) * BUFFER_SIZE);
        let mut buffers = Buffers { ring, memory, tail: 0 };
        (0..BUFFERS).for_each(|id| buffers.give_back(id));
        buffers.publish();
        Ok(buffers)
    }

    /// What a completion says was received.
    pub(crate) fn filled(&self, id: u16, len: usize) -> &[u8] {
        assert!(id < BUFFERS && len <= BUFFER_SIZE);
        // SAFETY: within `memory`. The kernel gave this buffer to us and writes to it only after it was
        // given back and published, which takes `&mut self`.
        unsafe { std::slice::from_raw_parts(self.memory.add(usize::from(id) * BUFFER_SIZE), len) }
    }

    pub(crate) fn give_back(&mut self, id: u16) {
        assert!(id < BUFFERS);
        // SAFETY: the index is below `BUFFERS`, and the kernel does not read this entry before the tail
        // passes it. The setters leave `resv`, where the first entry holds the tail, alone.
        unsafe {
            let entry = &mut *self.ring.add(usize::from(self.tail % BUFFERS));
            entry.set_addr(self.memory.add(usize::from(id) * BUFFER_SIZE) as u64);
            entry.set_len(BUFFER_SIZE as u32);
            entry.set_bid(id);
        }
        self.tail = self.tail.wrapping_add(1);
    }

    /// Lets the kernel use what was given back.
    pub(crate) fn publish(&mut self) {
        // SAFETY: `ring` is the first entry; its tail is aligned to 2 and shared with the kernel, hence
        // the atomic store.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.ring).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

fn allocate_zeroed(size: usize) -> *mut u8 {
    let layout = Layout::from_size_align(size, PAGE).expect("a small size");
    // SAFETY: no caller asks for a size of zero.
    let pointer = unsafe { std::alloc::alloc_zeroed(layout) };
    if pointer.is_null() {
        std::alloc::handle_alloc_error(layout);
    }
    pointer
}

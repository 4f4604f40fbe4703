//! Receive buffers that all connections share, as a ring that the kernel takes them from.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

use crate::BUFFER_BYTES;

/// Under which the buffers are registered.
pub(super) const GROUP: u16 = 0;
/// How many; a power of two. As many as Linchpin's ring has.
const COUNT: u16 = 2_048;
/// Entries of the ring, then the buffers; the kernel wants pages.
const LAYOUT: Layout = match Layout::from_size_align(COUNT as usize * (size_of::<BufRingEntry>() + BUFFER_BYTES), 4_096)
{
    Ok(layout) => layout,
    Err(_) => panic!("no layout"),
};

/// Lives as long as the process: the kernel keeps its address.
pub(super) struct Buffers {
    base: NonNull<u8>,
    tail: u16,
}

impl Buffers {
    pub(super) fn register(ring: &IoUring) -> io::Result<Self> {
        // SAFETY: the layout is not empty.
        let base = unsafe { alloc_zeroed(LAYOUT) };
        let Some(base) = NonNull::new(base) else { handle_alloc_error(LAYOUT) };
        // SAFETY: the memory is page-aligned, has room for COUNT entries and is never freed.
        unsafe { ring.submitter().register_buf_ring_with_flags(base.as_ptr() as u64, COUNT, GROUP, 0) }?;
        let mut buffers = Self { base, tail: 0 };
        for id in 0..COUNT {
            buffers.put(id);
        }
        buffers.publish();
        Ok(buffers)
    }

    fn start(id: u16) -> usize {
        assert!(id < COUNT, "buffer {id} of {COUNT}");
        usize::from(COUNT) * size_of::<BufRingEntry>() + usize::from(id) * BUFFER_BYTES
    }

    /// What the kernel wrote into a buffer that it has handed over.
    pub(super) fn bytes(&self, id: u16, len: usize) -> &[u8] {
        assert!(len <= BUFFER_BYTES, "{len} bytes in a buffer of {BUFFER_BYTES}");
        let first = self.base.as_ptr().wrapping_add(Self::start(id));
        // SAFETY: the range lies in the memory, and the kernel writes it again only after `give_back`, which needs `&mut`.
        unsafe { std::slice::from_raw_parts(first, len) }
    }

    /// The kernel may use it again.
    pub(super) fn give_back(&mut self, id: u16) {
        self.put(id);
        self.publish();
    }

    fn put(&mut self, id: u16) {
        let address = self.base.as_ptr() as u64 + Self::start(id) as u64;
        let entry = self.base.as_ptr().cast::<BufRingEntry>().wrapping_add(usize::from(self.tail % COUNT));
        // SAFETY: it lies among the COUNT entries, aligned, and above the tail that the kernel has been shown.
        let entry = unsafe { &mut *entry };
        entry.set_addr(address);
        entry.set_len(BUFFER_BYTES as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&self) {
        // SAFETY: the tail lies in the first entry.
        let tail = unsafe { BufRingEntry::tail(self.base.as_ptr().cast::<BufRingEntry>()) };
        // SAFETY: aligned, lives for ever, and only this thread writes it.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

//! The ring of provided receive buffers: an idle connection owns none.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;

/// One shared mapping: first the entries that the kernel reads, then the buffers.
pub(super) struct Buffers {
    base: NonNull<u8>,
    map_bytes: usize,
    entries: u16,
    buffer_bytes: usize,
    tail: u16,
}

/// The group under which the buffers are registered.
pub(super) const GROUP: u16 = 0;

impl Buffers {
    /// Map `entries` buffers (a power of two).
    pub(super) fn new(entries: u16, buffer_bytes: usize) -> io::Result<Self> {
        debug_assert!(entries.is_power_of_two());
        let map_bytes = usize::from(entries) * (size_of::<BufRingEntry>() + buffer_bytes);
        // Populated at once: the kernel goes round all buffers anyway, and no receive waits for a page.
        // SAFETY: a new anonymous mapping, no address is asked for; the result is checked.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                map_bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
        let mut buffers = Self { base, map_bytes, entries, buffer_bytes, tail: 0 };
        for id in 0..entries {
            buffers.put(id);
        }
        buffers.publish();
        Ok(buffers)
    }

    /// Address for the registration.
    pub(super) fn address(&self) -> u64 {
        self.base.as_ptr() as u64
    }

    pub(super) fn entries(&self) -> u16 {
        self.entries
    }

    fn start_of(&self, id: u16) -> usize {
        usize::from(self.entries) * size_of::<BufRingEntry>() + usize::from(id) * self.buffer_bytes
    }

    /// The bytes that the kernel put into a buffer. Between its completion and [`Self::give_back`] the buffer is ours.
    pub(super) fn bytes(&mut self, id: u16, len: usize) -> &mut [u8] {
        assert!(id < self.entries && len <= self.buffer_bytes, "buffer {id} of {len} bytes is not one of ours");
        let first = self.base.as_ptr().wrapping_add(self.start_of(id));
        // SAFETY: the range lies in the mapping (checked above), the kernel has given the buffer up with its completion
        // and takes it again only after `publish`, and `&mut self` keeps a second borrow away.
        unsafe { std::slice::from_raw_parts_mut(first, len) }
    }

    /// Let the kernel use a buffer again.
    pub(super) fn give_back(&mut self, id: u16) {
        self.put(id);
        self.publish();
    }

    fn put(&mut self, id: u16) {
        assert!(id < self.entries, "buffer {id} is not one of ours");
        let position = usize::from(self.tail & (self.entries - 1));
        let address = self.address() + self.start_of(id) as u64;
        let entry = self.base.as_ptr().cast::<BufRingEntry>().wrapping_add(position);
        // SAFETY: `position` is below `entries`, so the entry lies in the mapping, which is page-aligned; the kernel reads
        // entries below the published tail only, and this one is above it.
        let entry = unsafe { &mut *entry };
        entry.set_addr(address);
        entry.set_len(self.buffer_bytes as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&self) {
        let base = self.base.as_ptr().cast::<BufRingEntry>();
        // SAFETY: the tail lies in the first entry of the mapping.
        let tail = unsafe { BufRingEntry::tail(base) };
        // SAFETY: it is 2-aligned and lives as long as the mapping; user space writes it, the kernel only reads it.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // SAFETY: our own mapping, unmapped once; the ring that used it is dropped first (field order in `Ring`).
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.map_bytes) };
    }
}

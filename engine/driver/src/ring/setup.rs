//! Opening a ring: with everything the kernel has and the operator allows.

use std::io;
use std::sync::Arc;

use io_uring::{IoUring, opcode, types};

use super::buffers::{Buffers, GROUP};
use super::slots::RingSlots;
use super::tag::{Op, Tag};
use super::{Later, Ring, RingParts};
use crate::waker::Shared;
use crate::{Descriptors, Features, Options, limits, probe};

impl Ring {
    pub(crate) fn open(options: &Options) -> io::Result<Self> {
        let (ring, mut features) = build(options)?;
        let limit = probe::descriptor_limit();
        let plain = probe::plain_capacity(limit);
        let wanted = options.connections.clamp(1, limits::MAX_CONNECTIONS) as usize;
        let wants_direct = match options.descriptors {
            Descriptors::Direct => true,
            Descriptors::Plain => false,
            Descriptors::Auto => plain < options.process_connections.max(options.connections) as usize,
        };
        let mut direct = wants_direct && options.features.getsockopt && options.features.send_fd;
        let capacity = if direct { wanted.min(limit as usize) } else { wanted.min(plain) };
        if direct {
            ring.submitter().register_files_sparse(capacity as u32)?;
            features.fd_install &= supports(&ring, opcode::FixedFdInstall::CODE)?;
            if !has_socket_options(&ring)? {
                features.getsockopt = false;
                ring.submitter().unregister_files()?;
                direct = false;
            }
        }
        let capacity = if direct { capacity } else { capacity.min(plain) };
        let buffers = Buffers::new(options.receive_buffers, options.receive_buffer_bytes)?;
        // SAFETY: the mapping is page-aligned, holds `entries` entries, and outlives the ring (field order in `Ring`).
        unsafe { ring.submitter().register_buf_ring_with_flags(buffers.address(), buffers.entries(), GROUP, 0) }?;
        let ring_fd = std::os::fd::AsRawFd::as_raw_fd(&ring);
        let shared = Shared::new(capacity, direct.then_some(ring_fd))?;
        let mut ring = Self::assemble(RingParts {
            ring,
            buffers,
            shared,
            features,
            direct,
            slots: RingSlots::new(capacity),
            idle: options.idle,
        });
        ring.arm_waker();
        Ok(ring)
    }

    fn assemble(parts: RingParts) -> Self {
        Self {
            ring: parts.ring,
            buffers: parts.buffers,
            slots: parts.slots,
            direct: parts.direct,
            features: parts.features,
            shared: parts.shared,
            ready: Default::default(),
            unsent: Vec::new(),
            later: Later::default(),
            events: Default::default(),
            rearm: Vec::new(),
            idle: parts.idle,
            takes: false,
            listeners: Vec::new(),
            accepts_paused: false,
            paused: false,
            addresses: Default::default(),
            leaving: Default::default(),
            backlogs: Default::default(),
            wake_count: Box::new(0),
            counters: Default::default(),
            broken: None,
        }
    }

    pub(super) fn arm_waker(&mut self) {
        let fd = types::Fd(std::os::fd::AsRawFd::as_raw_fd(&self.shared.eventfd()));
        let read = opcode::Read::new(fd, (&raw mut *self.wake_count).cast(), size_of::<u64>() as u32);
        self.push(&read.build().user_data(Tag::new(Op::Wake, 0, 0).encode()));
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }
}

/// The ring with the newest setup flags that work here.
fn build(options: &Options) -> io::Result<(IoUring, Features)> {
    let mut features = options.features;
    loop {
        let mut builder = IoUring::builder();
        builder.setup_single_issuer().setup_coop_taskrun().setup_defer_taskrun().setup_taskrun_flag();
        builder.setup_cqsize(options.completions.max(2)).setup_clamp();
        if features.no_sqarray {
            builder.setup_no_sqarray();
        }
        match builder.build(limits::SQ_ENTRIES.min(options.completions)) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && features.no_sqarray => {
                features.no_sqarray = false
            }
            Err(error) => return Err(error),
            Ok(ring) if !ring.params().is_feature_skip_cqe_on_success() => {
                return Err(io::Error::from_raw_os_error(libc::EINVAL));
            }
            Ok(ring) => return Ok((ring, features)),
        }
    }
}

/// Does the kernel know this operation?
fn supports(ring: &IoUring, code: u8) -> io::Result<bool> {
    let mut probe = io_uring::Probe::new();
    ring.submitter().register_probe(&mut probe)?;
    Ok(probe.is_supported(code))
}

/// Can the kernel set socket options through a ring? Tried on a socket of our own: a version number proves nothing.
fn has_socket_options(ring: &IoUring) -> io::Result<bool> {
    if !supports(ring, opcode::UringCmd16::CODE)? {
        return Ok(false);
    }
    let (fd, _) = crate::socket::listen(([127, 0, 0, 1], 0).into(), rustix::net::SocketFlags::empty())?;
    let raw = std::os::fd::AsRawFd::as_raw_fd(&fd);
    let value = 1u32;
    let pointer = (&raw const value).cast();
    let entry = opcode::SetSockOpt::new(types::Fd(raw), libc::SOL_SOCKET as u32, libc::SO_KEEPALIVE as u32, pointer, 4);
    let entry = entry.build();
    let mut own: IoUring = IoUring::new(2)?;
    // SAFETY: descriptor and value live until the completion, which is waited for here.
    unsafe { own.submission().push(&entry) }.map_err(|_| io::Error::from_raw_os_error(libc::EBUSY))?;
    own.submit_and_wait(1)?;
    Ok(own.completion().next().is_some_and(|cqe| cqe.result() >= 0))
}

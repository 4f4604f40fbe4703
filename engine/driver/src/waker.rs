//! Reaching a driver from other threads: wake it, or hand it a connection.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::{EventfdFlags, eventfd};

/// What other threads share with a driver.
#[derive(Debug)]
pub(crate) struct Shared {
    eventfd: OwnedFd,
    /// The driver's thread is about to sleep or sleeps.
    sleeping: AtomicBool,
    /// Connections on their way here, as ordinary descriptors.
    inbox: Mutex<VecDeque<(u64, OwnedFd)>>,
    has_mail: AtomicBool,
    /// Free slots; a sender takes one before it sends, so that whatever is on its way fits.
    pub(crate) room: AtomicI64,
    /// The ring, if its descriptors are direct.
    pub(crate) ring: Option<RawFd>,
}

impl Shared {
    pub(crate) fn new(room: usize, ring: Option<RawFd>) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            eventfd: eventfd(0, EventfdFlags::CLOEXEC)?,
            sleeping: AtomicBool::new(false),
            inbox: Mutex::new(VecDeque::new()),
            has_mail: AtomicBool::new(false),
            room: AtomicI64::new(room as i64),
            ring,
        }))
    }

    pub(crate) fn eventfd(&self) -> BorrowedFd<'_> {
        self.eventfd.as_fd()
    }

    /// Declare the thread asleep. What is checked after this cannot be missed: whoever adds work afterwards sees the
    /// flag and wakes.
    pub(crate) fn fall_asleep(&self) {
        self.sleeping.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    pub(crate) fn wake_up(&self) {
        self.sleeping.store(false, Ordering::SeqCst);
    }

    pub(crate) fn has_mail(&self) -> bool {
        self.has_mail.load(Ordering::SeqCst)
    }

    pub(crate) fn take_mail(&self) -> VecDeque<(u64, OwnedFd)> {
        if !self.has_mail.swap(false, Ordering::SeqCst) {
            return VecDeque::new();
        }
        std::mem::take(&mut *self.inbox.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Give back one slot that was reserved or in use.
    pub(crate) fn release(&self) {
        self.room.fetch_add(1, Ordering::AcqRel);
    }

    fn wake(&self) {
        // The only error is a full counter, and then the thread is woken already.
        let _ = rustix::io::write(&self.eventfd, &1u64.to_ne_bytes());
    }

    fn wake_if_asleep(&self) {
        fence(Ordering::SeqCst);
        if self.sleeping.swap(false, Ordering::SeqCst) {
            self.wake();
        }
    }
}

/// Wakes a driver's thread.
#[derive(Clone, Debug)]
pub struct Waker(pub(crate) Arc<Shared>);

impl Waker {
    /// Make sure that the driver looks for work: a system call only if its thread sleeps. To be called after the work
    /// was made visible (pushed to a lane).
    pub fn wake_if_asleep(&self) {
        self.0.wake_if_asleep();
    }

    /// Wake in any case; the driver reports [`crate::Event::Woken`].
    pub fn wake(&self) {
        self.0.wake();
    }
}

/// Where connections can be transferred to.
#[derive(Clone, Debug)]
pub struct Mailbox(pub(crate) Arc<Shared>);

impl Mailbox {
    /// The waker of the same driver.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.0))
    }

    /// Take one slot there; false if there is none.
    pub(crate) fn reserve(&self) -> bool {
        let had = self.0.room.fetch_sub(1, Ordering::AcqRel);
        if had <= 0 {
            self.0.release();
        }
        had > 0
    }

    /// Hand over a descriptor; a slot was reserved.
    pub(crate) fn post(&self, token: u64, fd: OwnedFd) {
        self.0.inbox.lock().unwrap_or_else(PoisonError::into_inner).push_back((token, fd));
        self.0.has_mail.store(true, Ordering::SeqCst);
        self.0.wake_if_asleep();
    }
}

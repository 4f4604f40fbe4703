//! All subscribers that read, on one epoll.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use linchpin_e2e::LivePage;
use linchpin_protocol::live::LiveReport;
use linchpin_protocol::model::Pin;
use rustix::event::{Timespec, epoll};

use crate::times::Times;
use crate::writers::{PIN, Writers};

/// Sockets that are looked at in a row.
const EVENTS: usize = 1_024;

pub(super) struct Crowd {
    epoll: OwnedFd,
    pages: Vec<LivePage>,
    events: Vec<epoll::Event>,
    buffer: Vec<u8>,
    pub(super) times: Times,
}

impl Crowd {
    pub(super) fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let (pages, events, times) = (Vec::new(), Vec::with_capacity(EVENTS), Times::default());
        Ok(Self { epoll, pages, events, buffer: vec![0; 64 * 1024], times })
    }

    pub(super) fn add(&mut self, page: LivePage) {
        let number = epoll::EventData::new_u64(self.pages.len() as u64);
        epoll::add(&self.epoll, page.stream(), number, epoll::EventFlags::IN).expect("room for a socket");
        self.pages.push(page);
    }

    /// Close all.
    pub(super) fn clear(&mut self) {
        self.pages.clear();
    }

    /// Each watches more pins of its device.
    pub(super) fn watch_more(&mut self, writers: &Writers, pins: u8) {
        let pins: Vec<u8> = (0..pins).map(|at| 100 + at).collect();
        for (at, page) in self.pages.iter_mut().enumerate() {
            page.watch(2, &[writers.id(at)], &pins);
        }
    }

    /// Wait so long for frames at most, and read those that are there.
    pub(super) fn read(&mut self, wait: Duration, writers: &Writers) {
        let wait = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) };
        self.events.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), Some(&wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("epoll: {error}"),
        }
        let (pages, buffer, times) = (&mut self.pages, &mut self.buffer, &mut self.times);
        for event in &self.events {
            let (now, number) = (Instant::now(), event.data.u64() as usize);
            let stands = pages[number].read(buffer, &mut |report| {
                let LiveReport::Values { rows } = report else { return };
                for row in rows.iter().filter(|row| row.pin == Pin::new_virtual(PIN)) {
                    let round = row.value.to_bytes().and_then(|text| String::from_utf8(text).ok()?.parse().ok());
                    let intended = round.and_then(|round| writers.intended(row.device, round));
                    times.extend(intended.map(|intended| now.saturating_duration_since(intended)));
                }
            });
            assert!(stands, "the server has ended subscriber {number}");
        }
    }
}

//! Letters about live sockets, both ways: homes tell news, one letter a tick and shard; subscribing shards say what they
//! want.

use linchpin_protocol::model::DeviceId;

use super::home::{ToldOf, Watcher};
use super::letter::{DeviceWanted, LiveLetter, News, NewsRow, Wrote};
use super::pins::PinSet;
use super::refusal::LiveRefusal;
use super::report;
use crate::{Shard, ShardId, Turn, limits};

impl Shard {
    /// A letter about live sockets.
    pub(crate) fn live_letter(&mut self, turn: &mut Turn<'_>, from: ShardId, letter: LiveLetter) {
        match letter {
            LiveLetter::Watch { number, devices } => {
                for (device, wanted) in devices {
                    self.watch_here(from, device, wanted);
                }
                self.live.home.heard(from, number);
                self.live.wake(turn.now.mono);
            }
            LiveLetter::WatchOrgs { orgs, attempts } => {
                self.live.home.watch_orgs(from, orgs, attempts);
                self.live.wake(turn.now.mono);
            }
            LiveLetter::News(news) => self.take_news(turn, from, *news),
            LiveLetter::Members { asker, set, number, orgs } => self.answer_members(turn, (asker, set, number), &orgs),
            LiveLetter::MembersAre { asker, set, number, total, devices } => {
                self.members_are(turn, (asker, set, number), total, &devices);
            }
            LiveLetter::Write { asker, request, device, pin, value, orgs, is_own } => {
                let wrote = self.write_here(turn, device, (pin, &value), (&orgs, is_own));
                self.post_live(turn, asker.shard, LiveLetter::Wrote { asker, request, wrote });
            }
            LiveLetter::Wrote { asker, request, wrote } => self.wrote(turn, asker, request, wrote),
        }
    }

    /// A letter that could not leave: what it said is said again later, or its asker hears that it was not heard.
    pub(crate) fn live_undelivered(&mut self, turn: &mut Turn<'_>, to: ShardId, letter: LiveLetter) {
        let retry_at = turn.now.mono.after(limits::LIVE_LANE_MS);
        match letter {
            LiveLetter::Watch { devices, .. } => self.live.mirror.unsent(to, &devices, retry_at),
            LiveLetter::WatchOrgs { .. } => self.live.orgs.owe(to, retry_at),
            LiveLetter::News(news) => {
                self.untell(to, *news);
                self.live.home.pending_mut(to).not_before = retry_at;
            }
            LiveLetter::Members { asker, set, .. } => self.members_unasked(turn, asker, set),
            LiveLetter::Write { asker, request, .. } => {
                self.wrote(turn, asker, request, Wrote::Refused(LiveRefusal::Crowded.number()));
            }
            // The watch gives up by its socket's timer, the write by the page's.
            LiveLetter::MembersAre { .. } | LiveLetter::Wrote { .. } => {}
        }
        self.live.wake(retry_at);
    }

    fn watch_here(&mut self, from: ShardId, device: DeviceId, wanted: DeviceWanted) {
        let values = self.devices.find(device).map(|at| &self.devices[at].values);
        let has: PinSet = values.into_iter().flat_map(|values| values.iter().map(|(pin, ..)| pin)).collect();
        self.live.home.watch(from, device, wanted, &has);
    }

    // ---- The home's side.

    /// Tell every shard its news.
    pub(super) fn tell_news(&mut self, turn: &mut Turn<'_>) {
        for shard in self.live.home.due(turn.now.mono) {
            let news = self.make_news(turn, shard);
            self.post_live(turn, shard, LiveLetter::News(Box::new(news)));
        }
    }

    fn make_news(&mut self, turn: &Turn<'_>, shard: ShardId) -> News {
        let mut news = News { attempts: self.live.home.take_attempts(shard), ..News::default() };
        while news.len_bytes() < limits::LIVE_NEWS_BYTES
            && let Some((device, watcher)) = self.live.home.take_device(shard)
        {
            self.put_news(turn, &mut news, device, &watcher);
        }
        let pending = self.live.home.pending_mut(shard);
        if pending.devices.is_empty() {
            pending.reached = pending.heard;
        }
        news.reached = pending.reached;
        (news.happened, news.skipped) =
            (std::mem::take(&mut pending.happened).into(), std::mem::take(&mut pending.skipped));
        news.members = std::mem::take(&mut pending.members).into_iter().collect();
        let loose = std::mem::take(&mut pending.loose);
        news.loose = loose.into_iter().map(|device| self.card_row(turn.now, device, false)).collect();
        news
    }

    fn put_news(&self, turn: &Turn<'_>, news: &mut News, id: DeviceId, watcher: &Watcher) {
        if watcher.card {
            news.cards.push(self.card_row(turn.now, id, watcher.is_fresh));
        }
        let Some(position) = self.devices.find(id) else { return };
        let device = &self.devices[position];
        for pin in watcher.dirty.iter() {
            let latest = device.values.get(pin);
            let bytes = latest.map(|(value, _)| {
                let start = news.bytes.len() as u32;
                news.bytes.extend_from_slice(value);
                (start, news.bytes.len() as u32)
            });
            let at_ms = latest.map_or(turn.now.wall.0, |(_, at)| at.0);
            news.values.push(NewsRow { device: id, pin, at_ms, bytes });
        }
        if watcher.properties {
            let all = device.rare.iter().flat_map(|rare| rare.attributes.properties());
            let wanted = all.filter(|(pin, ..)| watcher.wanted.pins.has(*pin));
            news.properties.push((id, wanted.map(|(pin, name, value)| (pin, name.into(), value.into())).collect()));
        }
    }

    /// News that did not leave.
    fn untell(&mut self, to: ShardId, news: News) {
        let mut told: std::collections::BTreeMap<DeviceId, ToldOf> = std::collections::BTreeMap::new();
        for row in &news.cards {
            let told = told.entry(row.device).or_default();
            (told.card, told.is_fresh) = (true, told.is_fresh | row.is_fresh);
        }
        for row in &news.values {
            told.entry(row.device).or_default().pins.insert(row.pin);
        }
        for (device, _) in &news.properties {
            told.entry(*device).or_default().properties = true;
        }
        for (device, told) in &told {
            self.live.home.untold(to, *device, told);
        }
        let home = &mut self.live.home;
        home.unhappened(to, news.happened, news.skipped);
        let pending = home.pending_mut(to);
        pending.members.extend(news.members);
        pending.loose.extend(news.loose.iter().map(|row| row.device));
        // All of it again: pages count the same ones once.
        if !news.attempts.is_empty() {
            pending.attempts = pending.attempts.map(|_| 0);
        }
        pending.reached = pending.reached.min(news.reached.saturating_sub(1));
    }

    // ---- The subscribing side.

    /// What a home says: into the mirror, and one bit in each socket that is to hear of it.
    fn take_news(&mut self, turn: &mut Turn<'_>, from: ShardId, news: News) {
        let live = &mut self.live;
        let mut touched = std::collections::BTreeSet::new();
        let sockets = &mut live.sockets;
        live.mirror.take(from, &news, &mut |mirrored, device, heard| {
            for slot in &mirrored.slots {
                if sockets.get_mut(slot).is_some_and(|socket| socket.hear(device, heard)) {
                    touched.insert(*slot);
                }
            }
        });
        for happened in &news.happened {
            let mirrored = live.mirror.get(happened.device());
            let org = match happened {
                super::letter::Happened::Event { org, .. } => Some(*org),
                _ => mirrored.and_then(|mirrored| mirrored.card).map(|card| card.org),
            };
            let Some(org) = org else { continue };
            let mut slots = mirrored.map(|mirrored| mirrored.slots.clone()).unwrap_or_default();
            slots.extend(live.orgs.slots(org));
            slots.sort_unstable();
            slots.dedup();
            for slot in slots {
                if live.sockets.get_mut(&slot).is_some_and(|socket| socket.note(org, happened)) {
                    touched.insert(slot);
                }
            }
        }
        for row in &news.loose {
            for slot in row.card.map(|card| live.orgs.slots(card.org)).unwrap_or_default() {
                if live.sockets.get_mut(&slot).is_some_and(|socket| socket.note_loose(*row)) {
                    touched.insert(slot);
                }
            }
        }
        for org in &news.members {
            for slot in live.orgs.slots(*org) {
                if live.sockets.get_mut(&slot).is_some_and(|socket| socket.note_members(*org)) {
                    touched.insert(slot);
                }
            }
        }
        if news.skipped > 0 {
            touched
                .extend(live.sockets.iter_mut().filter_map(|(slot, s)| s.note_skipped(news.skipped).then_some(*slot)));
        }
        for slot in touched {
            self.live.schedule(slot, turn.now.mono);
        }
        for row in news.attempts {
            let row = self.live.orgs.hear(from, row);
            let sees = self.live.sockets.iter().filter(|(_, socket)| socket.sees_attempt(row.address));
            for slot in sees.map(|(slot, _)| *slot).collect::<Vec<_>>() {
                self.say_live(turn, slot, report::attempt(&row));
            }
        }
    }

    /// Tell homes what the sockets here want.
    pub(super) fn tell_wanted(&mut self, turn: &mut Turn<'_>) {
        while let Some((home, number, devices)) = self.live.mirror.next_watch(turn.now.mono, limits::LIVE_WATCH_DEVICES)
        {
            self.post_live(turn, home, LiveLetter::Watch { number, devices });
        }
        while let Some(shard) = self.live.orgs.next_owed(turn.now.mono) {
            let (orgs, attempts) = self.live.orgs.wanted();
            self.post_live(turn, shard, LiveLetter::WatchOrgs { orgs, attempts });
        }
    }
}

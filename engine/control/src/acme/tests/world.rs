//! An authority, a disk and a clock, all in memory, around the orders.

use std::collections::BTreeMap;

use linchpin_storage::schema::{AcmeAccount, AcmeLine, ServedCertificate};
use linchpin_tls::KeyKind;
use zeroize::Zeroizing;

use crate::acme::call::{AcmeAnswer, AcmeCall, CallFailure, FailureKind, OrderStage};
use crate::acme::line::{Alarm, HeldCertificate, OrderLine, WantedCertificate, Wishes};
use crate::acme::orders::{OrderEffect, OrderInput, Orders, Part};

pub(super) const START_S: u64 = 1_800_000_000;
pub(super) const HOUR_S: u64 = 3_600;
pub(super) const DAY_S: u64 = 86_400;

/// What an authority does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    No,
    /// Every answer is an error of its own.
    Error500,
    /// 429 with a Retry-After, s.
    Limited(u64),
    /// It never answers.
    Hangs,
    /// Every nonce is bad.
    NoncesFail,
    /// Renew in this window, always.
    Window(u64, u64),
    /// `replaces` was used before.
    AlreadyReplaced,
    /// The certificate is for another key.
    AnotherKey,
    /// No chain reaches a root of devices.
    NoDeviceRoot,
    /// It works on each order for so long, s.
    Processing(u64),
    /// It never believes that a name is ours.
    Disbelieves,
    /// It never comes to look.
    NeverLooks,
    /// It forgets orders at once.
    Forgets,
    /// It forgot the account.
    NoAccount,
}

#[derive(Clone, Debug)]
pub(super) struct FakeOrder {
    pub(super) at_s: u64,
    pub(super) names: Vec<String>,
    pub(super) kind: KeyKind,
    stage: OrderStage,
    /// When it goes on by itself.
    ready_s: u64,
    key: String,
}

/// An authority; as Let's Encrypt's does, it gives a pending order again to who orders the same.
#[derive(Debug)]
pub(super) struct Authority {
    pub(super) bad: Bad,
    pub(super) lifetime_s: u64,
    pub(super) orders: BTreeMap<String, FakeOrder>,
    pub(super) accounts: Vec<String>,
    pub(super) calls: Vec<(u64, &'static str)>,
    pub(super) revoked: u32,
    issued: u32,
}

impl Authority {
    fn new() -> Self {
        Self {
            bad: Bad::No,
            lifetime_s: 90 * DAY_S,
            orders: BTreeMap::new(),
            accounts: Vec::new(),
            calls: Vec::new(),
            revoked: 0,
            issued: 0,
        }
    }
}

/// What survives a kill.
#[derive(Debug, Default)]
pub(super) struct Disk {
    accounts: BTreeMap<String, AcmeAccount>,
    lines: BTreeMap<[u8; 16], AcmeLine>,
    certificates: BTreeMap<[u8; 16], (Option<HeldCertificate>, Option<HeldCertificate>)>,
    pub(super) is_full: bool,
}

/// Where a server is killed: at the effect of this number, before or after it was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kill {
    pub(super) at: usize,
    pub(super) after: bool,
}

pub(super) struct World {
    pub(super) now_s: u64,
    pub(super) authorities: Vec<Authority>,
    pub(super) disk: Disk,
    pub(super) orders: Orders,
    wanted: Vec<WantedCertificate>,
    /// By line.
    pub(super) served: BTreeMap<usize, HeldCertificate>,
    pub(super) alarms: Vec<(u64, usize, Alarm)>,
    pub(super) kill: Option<Kill>,
    pub(super) effects: usize,
    pub(super) killed: bool,
    keys: u32,
    /// Of the orders' waits, from the next start on.
    pub(super) seed: u64,
    pub(super) said: Vec<String>,
}

pub(super) fn wanted(name: &str, keys: &[KeyKind]) -> WantedCertificate {
    WantedCertificate { names: vec![name.to_owned()], profile: "tlsserver".to_owned(), keys: keys.to_vec() }
}

fn directory(authority: usize) -> Box<str> {
    format!("https://ca{authority}/dir").into()
}

impl World {
    pub(super) fn new(wanted: Vec<WantedCertificate>, authorities: usize) -> Self {
        let disk = Disk::default();
        let orders = open(&wanted, authorities, &disk, 0);
        Self {
            now_s: START_S,
            authorities: (0..authorities).map(|_| Authority::new()).collect(),
            disk,
            orders,
            wanted,
            served: BTreeMap::new(),
            alarms: Vec::new(),
            kill: None,
            effects: 0,
            killed: false,
            keys: 0,
            seed: 0,
            said: Vec::new(),
        }
    }

    /// One name, one kind of key, a certificate that is served.
    pub(super) fn with_certificate(authorities: usize) -> Self {
        let mut world = Self::new(vec![wanted("node.example", &[KeyKind::Ecdsa])], authorities);
        world.run(HOUR_S);
        assert_eq!(world.served.len(), 1);
        for authority in &mut world.authorities {
            authority.orders.clear();
            authority.calls.clear();
        }
        // What is in the budget by now belongs to the time before.
        world.orders.lines[0].state.orders.clear();
        world.disk.lines.values_mut().for_each(|line| line.orders.clear());
        world
    }

    /// To just before the certificate is due.
    pub(super) fn until_due(mut self) -> Self {
        let due_s = crate::acme::calendar::due_s(&self.orders.lines()[0]);
        let left_s = due_s - self.now_s - HOUR_S;
        self.run(left_s);
        self.authorities.iter_mut().for_each(|authority| authority.calls.clear());
        self
    }

    pub(super) fn restart(&mut self) {
        self.orders = open(&self.wanted, self.authorities.len(), &self.disk, self.seed);
        self.served =
            self.orders.lines().iter().enumerate().filter_map(|(at, line)| Some((at, line.current.clone()?))).collect();
    }

    pub(super) fn wish(&mut self, wishes: Wishes) {
        let mut fx = Vec::new();
        self.orders.handle(self.now_s, OrderInput::Wish(0, wishes), &mut fx);
        self.carry_out(fx);
    }

    /// Let so much time pass.
    pub(super) fn run(&mut self, for_s: u64) {
        let end_s = self.now_s + for_s;
        while self.now_s < end_s {
            let mut fx = Vec::new();
            self.orders.handle(self.now_s, OrderInput::Tick, &mut fx);
            self.carry_out(fx);
            let wake_s = self.orders.wake_s(self.now_s);
            assert!(wake_s > self.now_s, "time passes");
            self.now_s = wake_s.min(end_s);
        }
    }

    fn carry_out(&mut self, mut fx: Vec<OrderEffect>) {
        let mut rounds = 0;
        while !fx.is_empty() {
            rounds += 1;
            assert!(rounds < 1_000, "it goes round in circles: {fx:?}");
            let mut next = Vec::new();
            for effect in fx {
                let number = self.effects;
                self.effects += 1;
                if self.kill == Some(Kill { at: number, after: false }) {
                    return self.die();
                }
                let input = self.effect(effect);
                if self.kill == Some(Kill { at: number, after: true }) {
                    return self.die();
                }
                if let Some(input) = input {
                    self.orders.handle(self.now_s, input, &mut next);
                }
            }
            fx = next;
        }
    }

    fn die(&mut self) {
        self.kill = None;
        self.killed = true;
        self.now_s += 5;
        self.restart();
    }

    fn effect(&mut self, effect: OrderEffect) -> Option<OrderInput> {
        match effect {
            OrderEffect::Call(line, authority, call) => {
                Some(OrderInput::Answer(self.call(line, usize::from(authority), &call)))
            }
            OrderEffect::Store(_) if self.disk.is_full => Some(OrderInput::Written(Err("the disk is full".to_owned()))),
            OrderEffect::Store(part) => {
                self.write(part);
                Some(OrderInput::Written(Ok(())))
            }
            OrderEffect::Serve(line) => {
                let held = self.orders.lines()[line].current.clone().expect("something to serve");
                self.served.insert(line, held);
                None
            }
            OrderEffect::Alarm(line, alarm) => {
                self.alarms.push((self.now_s, line, alarm));
                None
            }
            OrderEffect::Say(_, text) => {
                assert!(!text.contains("KEY"), "{text}");
                self.said.push(text);
                None
            }
            OrderEffect::CloseChallenges | OrderEffect::Ended(_) => None,
        }
    }

    fn write(&mut self, part: Part) {
        match part {
            Part::Account(authority) => {
                let account = self.orders.account(authority).expect("there is one").clone();
                self.disk.accounts.insert(account.directory.to_string(), account);
            }
            Part::Line(at) => {
                let line = &self.orders.lines()[at];
                self.disk.lines.insert(line.id, line.state.clone());
            }
            Part::Certificates(at) => {
                let line = &self.orders.lines()[at];
                self.disk.lines.insert(line.id, line.state.clone());
                self.disk.certificates.insert(line.id, (line.current.clone(), line.previous.clone()));
            }
        }
    }

    fn call(&mut self, at: usize, number: usize, call: &AcmeCall) -> AcmeAnswer {
        if matches!(call, AcmeCall::MakeKey | AcmeCall::MakeAccountKey) {
            self.keys += 1;
            return AcmeAnswer::Key(Zeroizing::new(format!("KEY {}", self.keys)));
        }
        let line = self.orders.lines()[at].clone();
        let account = self.orders.account(number as u8).map(|account| account.key_pem.to_string());
        let now_s = self.now_s;
        let authority = &mut self.authorities[number];
        let answer = authority.answer(now_s, &line, number, account, call);
        if authority.bad == Bad::Hangs {
            self.now_s += 30;
        }
        answer
    }

    /// Orders of an authority since `from_s`.
    pub(super) fn ordered_since(&self, authority: usize, from_s: u64) -> usize {
        self.authorities[authority].orders.values().filter(|order| order.at_s >= from_s).count()
    }
}

fn open(wanted: &[WantedCertificate], authorities: usize, disk: &Disk, seed: u64) -> Orders {
    let mut lines = Vec::new();
    for (at, wanted) in wanted.iter().enumerate() {
        for kind in &wanted.keys {
            let id = [[at as u8, *kind as u8].as_slice(), &[7; 14]].concat().try_into().expect("16 bytes");
            let mut line = OrderLine::new(id, wanted, *kind);
            line.state = disk.lines.get(&id).cloned().unwrap_or_default();
            (line.current, line.previous) = disk.certificates.get(&id).cloned().unwrap_or_default();
            lines.push(line);
        }
    }
    let accounts: Vec<AcmeAccount> = disk.accounts.values().cloned().collect();
    Orders::new(lines, (0..authorities).map(directory).collect(), &accounts, seed)
}

fn failed(kind: FailureKind, text: &str) -> AcmeAnswer {
    AcmeAnswer::Failed(CallFailure::new(kind, text))
}

impl Authority {
    fn answer(
        &mut self,
        now_s: u64,
        line: &OrderLine,
        number: usize,
        account: Option<String>,
        call: &AcmeCall,
    ) -> AcmeAnswer {
        let name = match call {
            AcmeCall::Register => "register",
            AcmeCall::Window => "window",
            AcmeCall::Order { .. } => "order",
            AcmeCall::Look => "look",
            AcmeCall::Prove { .. } => "prove",
            AcmeCall::Finalize => "finalize",
            AcmeCall::Fetch => "fetch",
            AcmeCall::Revoke { .. } => "revoke",
            AcmeCall::MakeKey | AcmeCall::MakeAccountKey => unreachable!("no authority makes keys"),
        };
        self.calls.push((now_s, name));
        match self.bad {
            Bad::Error500 => return failed(FailureKind::Unreachable, "error 500"),
            Bad::Hangs => return failed(FailureKind::Unreachable, "no answer within 30 s"),
            Bad::NoncesFail => return failed(FailureKind::Unreachable, "bad nonces"),
            Bad::Limited(after_s) => {
                let failure = CallFailure::new(FailureKind::Limited, "too many requests");
                return AcmeAnswer::Failed(CallFailure { retry_after_s: Some(after_s), ..failure });
            }
            Bad::NoAccount if *call != AcmeCall::Register => {
                self.bad = Bad::No;
                self.orders.clear();
                return failed(FailureKind::AccountGone, "no such account");
            }
            _ => {}
        }
        let order = line.state.order.as_ref();
        let url = order.map(|order| order.url.to_string()).unwrap_or_default();
        match call {
            AcmeCall::Register => {
                let key = account.expect("a stored key");
                if !self.accounts.contains(&key) {
                    self.accounts.push(key);
                }
                AcmeAnswer::Registered { url: "https://ca/account/1".to_owned(), key_pem: None }
            }
            AcmeCall::Window => match self.bad {
                Bad::Window(start_s, end_s) => AcmeAnswer::Window { start_s, end_s, again_s: 21_600 },
                _ => failed(FailureKind::Refused, "no renewal information"),
            },
            AcmeCall::Order { replaces } => self.order(now_s, line, *replaces),
            AcmeCall::Revoke { .. } => {
                self.revoked += 1;
                AcmeAnswer::Revoked
            }
            AcmeCall::Fetch => self.fetch(now_s, &url, order.expect("an order").key_pem.to_string(), number),
            AcmeCall::Look | AcmeCall::Prove { .. } | AcmeCall::Finalize => self.advance(now_s, &url, order, call),
            AcmeCall::MakeKey | AcmeCall::MakeAccountKey => unreachable!("no authority makes keys"),
        }
    }

    fn order(&mut self, now_s: u64, line: &OrderLine, replaces: bool) -> AcmeAnswer {
        if replaces && self.bad == Bad::AlreadyReplaced {
            return failed(FailureKind::NotReplaceable, "alreadyReplaced");
        }
        let is_open = |order: &FakeOrder| matches!(order.stage, OrderStage::Pending | OrderStage::Ready);
        let same = |order: &FakeOrder| order.names == line.names && order.kind == line.kind;
        if let Some((url, _)) = self.orders.iter().find(|(_, order)| is_open(order) && same(order)) {
            return AcmeAnswer::Ordered(url.clone());
        }
        let url = format!("https://ca/order/{}", self.orders.len() + 1);
        let (names, kind) = (line.names.clone(), line.kind);
        let order = FakeOrder { at_s: now_s, names, kind, stage: OrderStage::Pending, ready_s: 0, key: String::new() };
        self.orders.insert(url.clone(), order);
        AcmeAnswer::Ordered(url)
    }

    fn advance(
        &mut self,
        now_s: u64,
        url: &str,
        of: Option<&linchpin_storage::schema::AcmeOrder>,
        call: &AcmeCall,
    ) -> AcmeAnswer {
        let bad = self.bad;
        let Some(order) = self.orders.get_mut(url).filter(|_| bad != Bad::Forgets) else {
            return failed(FailureKind::OrderGone, "no such order");
        };
        match (call, order.stage) {
            (AcmeCall::Prove { .. }, OrderStage::Pending) => {
                order.ready_s = now_s + 2;
                return AcmeAnswer::Opened("node.example by tls-alpn-01".to_owned());
            }
            (AcmeCall::Finalize, OrderStage::Ready) => {
                order.stage = OrderStage::Processing;
                order.key = of.expect("an order").key_pem.to_string();
                let works_s = if let Bad::Processing(works_s) = bad { works_s } else { 3 };
                order.ready_s = now_s + works_s;
            }
            (AcmeCall::Look, OrderStage::Pending) if order.ready_s > 0 && now_s >= order.ready_s => match bad {
                Bad::NeverLooks => {}
                Bad::Disbelieves => order.stage = OrderStage::Invalid,
                _ => order.stage = OrderStage::Ready,
            },
            (AcmeCall::Look, OrderStage::Processing) if now_s >= order.ready_s => order.stage = OrderStage::Valid,
            _ => {}
        }
        AcmeAnswer::Status { stage: order.stage, again_s: None, why: "the name points elsewhere".to_owned() }
    }

    fn fetch(&mut self, now_s: u64, url: &str, key: String, number: usize) -> AcmeAnswer {
        let Some(order) = self.orders.get(url).filter(|order| order.stage == OrderStage::Valid) else {
            return failed(FailureKind::OrderGone, "no such order");
        };
        if self.bad == Bad::AnotherKey || order.key != key {
            return failed(FailureKind::Unfit, "the certificate is for another key");
        }
        self.issued += 1;
        let certificate = ServedCertificate {
            directory: directory(number),
            chain_pem: format!("certificate {} of {key}", self.issued).into(),
            key_pem: Zeroizing::new(key),
            issued_s: now_s,
            revoked: false,
        };
        AcmeAnswer::Fetched(Box::new(HeldCertificate {
            serial: format!("{:02x}", self.issued),
            certificate,
            not_before_s: now_s - HOUR_S,
            not_after_s: now_s - HOUR_S + self.lifetime_s,
            reaches: self.bad != Bad::NoDeviceRoot,
            has_id: true,
        }))
    }
}

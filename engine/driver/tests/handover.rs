//! A driver comes to a stand, and another one goes on with its connections: nothing is lost, doubled or closed, whichever
//! back ends the two are, and the first can take everything back.

mod world;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use linchpin_driver::{ConnId, Driver, Event, Features, Mode, Options, Outgoing, Passage, Wait};
use world::{back_ends, client, loopback};

/// A driver that echoes, with what it would know of its connections.
struct Server {
    driver: Driver,
    conns: HashMap<ConnId, bool>,
    closed: usize,
}

impl Server {
    fn new(options: &Options) -> Self {
        Self { driver: Driver::open(options).expect("opens"), conns: HashMap::new(), closed: 0 }
    }

    fn tick(&mut self) {
        let (mut arm, mut input) = (Vec::new(), Vec::new());
        let Self { driver, conns, closed } = self;
        driver
            .poll(Wait::Until(Duration::from_millis(2)), &mut || false, &mut |event| match event {
                Event::Accepted { conn, .. } => {
                    assert!(conns.insert(conn, true).is_none());
                    arm.push(conn);
                }
                Event::Received { conn, bytes } => input.push((conn, bytes.to_vec())),
                Event::EndOfStream { .. } | Event::Failed { .. } | Event::Closed { .. } => *closed += 1,
                _ => {}
            })
            .expect("polls");
        arm.into_iter().for_each(|conn| driver.arm(conn, Mode::Multi));
        let mut arena = Vec::new();
        let mut sends: Vec<Outgoing> = Vec::new();
        for (conn, bytes) in input {
            match sends.iter().position(|send| send.conn == conn) {
                Some(_) => {
                    driver.flush(&arena, &sends);
                    (arena, sends) = (bytes.clone(), vec![Outgoing { conn, start: 0, end: bytes.len() as u32 }]);
                }
                None => {
                    let start = arena.len() as u32;
                    arena.extend_from_slice(&bytes);
                    sends.push(Outgoing { conn, start, end: arena.len() as u32 });
                }
            }
        }
        driver.flush(&arena, &sends);
    }

    fn ticks(&mut self, ms: u64) {
        let end = Instant::now() + Duration::from_millis(ms);
        while Instant::now() < end {
            self.tick();
        }
    }

    fn stand(&mut self) {
        self.driver.pause();
        let end = Instant::now() + Duration::from_secs(20);
        while !self.driver.is_still() {
            assert!(Instant::now() < end, "it does not come to a stand: {:?}", self.driver);
            self.tick();
        }
    }

    fn export(&mut self) -> Vec<(OwnedFd, Vec<u8>)> {
        let conns: Vec<ConnId> = self.conns.keys().copied().collect();
        let unsent: Vec<Vec<u8>> = conns.iter().map(|conn| self.driver.unsent(*conn).to_vec()).collect();
        let fds = self.driver.export(&conns).into_iter().map(|fd| fd.expect("a descriptor"));
        fds.zip(unsent).collect()
    }

    fn adopt(&mut self, passengers: Vec<(OwnedFd, Vec<u8>)>) {
        for (fd, unsent) in passengers {
            let conn = self.driver.adopt(fd, &unsent).expect("room");
            assert!(self.conns.insert(conn, true).is_none());
            self.driver.arm(conn, Mode::Multi);
        }
    }
}

/// Write and read back numbers; each client has its own.
fn converse(server: &mut Server, clients: &mut [TcpStream], round: u8) {
    for (at, client) in clients.iter_mut().enumerate() {
        client.write_all(&[at as u8, round]).expect("an open socket");
    }
    expect_echo(server, clients, round);
}

fn expect_echo(server: &mut Server, clients: &mut [TcpStream], round: u8) {
    for (at, client) in clients.iter_mut().enumerate() {
        client.set_read_timeout(Some(Duration::from_millis(2))).expect("an open socket");
        let (mut got, end) = (Vec::new(), Instant::now() + Duration::from_secs(20));
        while got.len() < 2 {
            assert!(Instant::now() < end, "client {at} got {got:?} in round {round}");
            server.tick();
            let mut two = [0; 2];
            if let Ok(n) = client.read(&mut two[..2 - got.len()]) {
                assert!(n > 0, "client {at} was closed in round {round}");
                got.extend_from_slice(&two[..n]);
            }
        }
        assert_eq!(got, [at as u8, round]);
    }
}

/// Over a socket, as between two processes.
fn sent(passengers: Vec<(OwnedFd, Vec<u8>)>) -> Vec<(OwnedFd, Vec<u8>)> {
    let (from, to) = Passage::pair().expect("a pair");
    let to = Passage::from(to);
    let mut arrived = Vec::new();
    for group in passengers.chunks(100) {
        let fds: Vec<_> = group.iter().map(|(fd, _)| fd.as_fd()).collect();
        from.send(b"x", &fds).expect("sent");
        let (mut byte, mut fds) = ([0], Vec::new());
        assert_eq!(to.receive(&mut byte, &mut fds).expect("received"), 1);
        assert_eq!(fds.len(), group.len());
        arrived.extend(fds.into_iter().zip(group.iter().map(|(_, unsent)| unsent.clone())));
    }
    arrived
}

#[test]
fn connections_go_on_in_another_driver_of_any_kind() {
    for (old_name, old_options) in back_ends() {
        for (new_name, new_options) in back_ends() {
            let mut old = Server::new(&old_options);
            let (_, address) = old.driver.listen(loopback()).expect("listens");
            let mut clients: Vec<TcpStream> = (0..40).map(|_| client(address)).collect();
            converse(&mut old, &mut clients, 1);
            old.stand();
            // What is said now is for the next one; who connects now waits.
            for (at, client) in clients.iter_mut().enumerate() {
                client.write_all(&[at as u8, 2]).expect("an open socket");
            }
            clients.push(client(address));
            clients[40].write_all(&[40, 2]).expect("an open socket");
            old.ticks(20);
            assert_eq!(old.conns.len(), 40, "{old_name} accepts nothing");
            let mut new = Server::new(&new_options);
            new.driver.pause();
            let listeners = old.driver.listeners().expect("descriptors");
            let [Some(listener)] = <[_; 1]>::try_from(listeners).expect("one") else { panic!("it listens") };
            let (_, bound) = new.driver.adopt_listener(listener).expect("a listener");
            assert_eq!(bound, address);
            let passengers = sent(old.export());
            new.adopt(passengers);
            drop(old);
            new.ticks(20);
            assert_eq!(new.conns.len(), 40, "{new_name} does nothing yet");
            new.driver.resume();
            expect_echo(&mut new, &mut clients, 2);
            assert_eq!((new.conns.len(), new.closed), (41, 0), "{old_name} to {new_name}");
            converse(&mut new, &mut clients, 3);
        }
    }
}

#[test]
fn who_did_not_go_takes_everything_back() {
    for (name, options) in back_ends() {
        for (other_name, other_options) in back_ends().into_iter().step_by(2) {
            let mut server = Server::new(&options);
            let (_, address) = server.driver.listen(loopback()).expect("listens");
            let mut clients: Vec<TcpStream> = (0..20).map(|_| client(address)).collect();
            converse(&mut server, &mut clients, 1);
            for round in 2..5 {
                server.stand();
                let mut other = Server::new(&other_options);
                other.driver.pause();
                for listener in server.driver.listeners().expect("descriptors").into_iter().flatten() {
                    other.driver.adopt_listener(listener).expect("a listener");
                }
                other.adopt(server.export());
                // The other one dies.
                drop(other);
                for (at, client) in clients.iter_mut().enumerate() {
                    client.write_all(&[at as u8, round]).expect("an open socket");
                }
                server.driver.resume();
                expect_echo(&mut server, &mut clients, round);
                clients.push(client(address));
                converse(&mut server, &mut clients, round + 100);
                assert_eq!(server.closed, 0, "{name}, {other_name}");
            }
        }
    }
}

/// A client that does not read: what the server could not send goes along, in order and once.
#[test]
fn what_was_not_sent_goes_along() {
    for (name, options) in back_ends() {
        let mut old = Server::new(&options);
        let (_, address) = old.driver.listen(loopback()).expect("listens");
        let mut slow = client(address);
        old.ticks(30);
        let conn = *old.conns.keys().next().expect("accepted");
        let bytes: Vec<u8> = (0..1_500_000u32).map(|n| (n % 251) as u8).collect();
        old.driver.flush(&bytes, &[Outgoing { conn, start: 0, end: bytes.len() as u32 }]);
        old.ticks(20);
        old.stand();
        let passengers = sent(old.export());
        assert!(!passengers[0].1.is_empty(), "{name}: something is unsent");
        let mut new = Server::new(&options);
        new.driver.pause();
        new.adopt(passengers);
        drop(old);
        new.driver.resume();
        slow.set_read_timeout(Some(Duration::from_millis(2))).expect("an open socket");
        let (mut got, mut buffer, end) = (Vec::new(), vec![0; 65_536], Instant::now() + Duration::from_secs(30));
        while got.len() < bytes.len() {
            assert!(Instant::now() < end, "{name}: {} of {} bytes came", got.len(), bytes.len());
            new.tick();
            if let Ok(n) = slow.read(&mut buffer) {
                assert!(n > 0, "{name}: closed");
                got.extend_from_slice(&buffer[..n]);
            }
        }
        assert!(got == bytes, "{name}: the bytes are the same");
    }
}

#[test]
fn without_the_feature_direct_descriptors_stay() {
    let options = Options {
        features: Features { fd_install: false, ..Features::ALL },
        ..back_ends().into_iter().next().expect("the ring with direct descriptors").1
    };
    let mut server = Server::new(&options);
    assert!(server.driver.is_direct() && !server.driver.can_export());
    let (_, address) = server.driver.listen(loopback()).expect("listens");
    let mut clients = vec![client(address)];
    converse(&mut server, &mut clients, 1);
    server.stand();
    let conns: Vec<ConnId> = server.conns.keys().copied().collect();
    assert!(server.driver.export(&conns).iter().all(Result::is_err));
    server.driver.resume();
    converse(&mut server, &mut clients, 2);
}

//! Accepting many at once: each connection has its own peer's address, from both families.

mod world;

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Write;
use std::net::{Ipv6Addr, SocketAddr, TcpStream};

use linchpin_driver::{ConnId, Driver, Event, Mode};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use world::{loopback, on_every_back_end, poll_until};

/// Clients of each family: more than the accepts in flight, so that places for addresses are used again.
const CLIENTS: u16 = 250;

/// A client from an address of its own; the kernel completes it before anybody accepts.
fn connect(from: SocketAddr, to: SocketAddr) -> TcpStream {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let fd = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None).expect("a socket");
    rustix::net::bind(&fd, &from).expect("an address of loopback");
    rustix::net::connect(&fd, &to).expect("the server listens");
    TcpStream::from(fd)
}

#[test]
fn peers_that_wait_together_keep_their_own_addresses() {
    on_every_back_end(|options| {
        let mut driver = Driver::open(options).expect("opens");
        let (_, four) = driver.listen(loopback()).expect("listens");
        let (_, six) = driver.listen((Ipv6Addr::LOCALHOST, 0).into()).expect("listens on ::1");
        // All wait before the first poll, and each says who it is.
        let mut clients = Vec::new();
        for n in 0..CLIENTS {
            let [high, low] = n.to_be_bytes();
            clients.push(connect(([127, 9, high, low], 0).into(), four));
            clients.push(connect((Ipv6Addr::LOCALHOST, 0).into(), six));
        }
        for client in &mut clients {
            let name = client.local_addr().expect("bound").to_string();
            client.write_all(name.as_bytes()).expect("a new connection takes some bytes");
        }
        let told: RefCell<HashMap<ConnId, SocketAddr>> = RefCell::default();
        let said: RefCell<HashMap<ConnId, String>> = RefCell::default();
        let fresh: RefCell<Vec<ConnId>> = RefCell::default();
        while said.borrow().len() < clients.len() {
            let before = (told.borrow().len(), said.borrow().len());
            poll_until(
                &mut driver,
                |event| match event {
                    Event::Accepted { conn, peer, listener } => {
                        assert_eq!(peer.is_ipv4(), listener.0 == 0, "{peer} came through {listener:?}");
                        assert!(told.borrow_mut().insert(conn, peer).is_none(), "{conn:?} accepted twice");
                        fresh.borrow_mut().push(conn);
                    }
                    Event::Received { conn, bytes } => {
                        said.borrow_mut().entry(conn).or_default().push_str(&String::from_utf8_lossy(bytes));
                    }
                    other => panic!("{other:?}"),
                },
                || (told.borrow().len(), said.borrow().len()) != before,
            );
            fresh.borrow_mut().drain(..).for_each(|conn| driver.arm(conn, Mode::Multi));
        }
        for (conn, name) in said.borrow().iter() {
            assert_eq!(told.borrow()[conn].to_string(), *name, "{conn:?}");
        }
    });
}

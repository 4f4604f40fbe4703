//! TLS of ours beside bare rustls, in one run: what a record costs, what a handshake costs the server, what an idle
//! connection keeps. `cargo bench -p linchpin-bench-core --bench tls [records|handshakes|idle]`
//!
//! Rounds are interleaved, and what counts is the median of the ratios within a round: the machine's mood cancels out.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use linchpin_bench_compare::report::OURS;
use linchpin_bench_compare::results::{Measurement, Results};
use linchpin_tls::pki_types::pem::PemObject;
use linchpin_tls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use linchpin_tls::{
    Acceptor, AcceptorOptions, Certificates, Clock, Desk, Greeting, Identity, InPlace, Input, Layer, LocalAuthority,
    Opened, Progress, Provider, RecordLayer, Session, SessionIds, Side, Suite, TicketKey, Tickets, Version,
};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, ClientConnection, NamedGroup, RootCertStore, ServerConfig, ServerConnection};

const NOW_S: u64 = 1_800_000_000;
const ROUNDS: usize = 15;
const RECORDS: usize = 4_000;
const HANDSHAKES: usize = 60;
/// A device's write and its answer.
const IN: &[u8] = b"\x14\0\x01\0\x08vw\x007\x0023.5";
const OUT: &[u8] = b"\0\0\x01\0\xc8";

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    if only.as_deref() == Some("kept") {
        let kept = std::env::args().next_back().and_then(|n| KEPT.get(n.parse::<usize>().ok()?).copied());
        return writeln!(out, "{}", kept.map_or(0, kept_bytes));
    }
    let wanted = |part: &str| only.as_ref().is_none_or(|only| only == part);
    // Rows of the table are of the default one.
    let providers =
        if std::env::var_os("LINCHPIN_BENCH_RESULTS").is_some() { &[Provider::default()] } else { Provider::ALL };
    for provider in providers {
        let bench = Bench::new(*provider);
        writeln!(out, "== {provider:?} for handshakes and for rustls' records, ring for our records")?;
        for version in [Version::Tls13, Version::Tls12].into_iter().filter(|_| wanted("records")) {
            bench.records(&mut out, version)?;
        }
        if wanted("handshakes") {
            bench.handshakes(&mut out)?;
        }
    }
    if wanted("idle") { idle(&mut out) } else { Ok(()) }
}

/// A listener of ours and one of rustls with the same certificate.
struct Bench {
    provider: Provider,
    acceptors: [Acceptor; 2],
    rustls: Arc<ServerConfig>,
    roots: RootCertStore,
}

fn crypto(provider: Provider) -> CryptoProvider {
    match provider {
        Provider::AwsLcRs => rustls::crypto::aws_lc_rs::default_provider(),
        Provider::Ring => rustls::crypto::ring::default_provider(),
    }
}

impl Bench {
    fn new(provider: Provider) -> Self {
        let year = Duration::from_secs(365 * 86_400);
        let clock = Clock::new(NOW_S);
        let authority = LocalAuthority::make("Bench", NOW_S, year).expect("an authority");
        let made = authority.server(&["localhost"], NOW_S, year).expect("a certificate");
        let identity = Identity::from_pem(made.chain_pem.as_bytes(), made.key_pem.as_bytes(), provider, NOW_S);
        let identity = identity.expect("an identity");
        let tickets = || Arc::new(Tickets::new(b"", &TicketKey::new(1, [1; 32]), &[]).expect("tickets"));
        let acceptors = [Layer::InPlace, Layer::Rustls].map(|layer| {
            Acceptor::new(&AcceptorOptions {
                provider,
                certificates: Arc::new(Certificates::new(vec![identity.clone()]).expect("one")),
                tickets: tickets(),
                session_ids: Arc::new(SessionIds::new(1_024, clock.clone())),
                clients: None,
                layer,
                alpn: Vec::new(),
                challenges: Default::default(),
                clock: clock.clone(),
            })
            .expect("an acceptor")
        });
        let key = PrivateKeyDer::from_pem_slice(made.key_pem.as_bytes()).expect("a key");
        let builder = ServerConfig::builder_with_details(crypto(provider).into(), Arc::new(clock));
        let mut rustls = builder
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(identity.chain().to_vec(), key)
            .expect("a certificate");
        rustls.send_tls13_tickets = 1;
        rustls.ticketer = tickets();
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(authority.certificate_pem().as_bytes()).expect("a certificate");
        roots.add(root).expect("a root");
        Self { provider, acceptors, rustls: Arc::new(rustls), roots }
    }

    fn client(&self, version: Version, group: NamedGroup, resumes: bool) -> Arc<ClientConfig> {
        let mut crypto = crypto(self.provider);
        crypto.kx_groups.retain(|g| g.name() == group);
        crypto.cipher_suites.retain(|s| format!("{:?}", s.suite()).contains("AES_128"));
        let version = match version {
            Version::Tls12 => &rustls::version::TLS12,
            Version::Tls13 => &rustls::version::TLS13,
        };
        let builder = ClientConfig::builder_with_details(crypto.into(), Arc::new(Clock::new(NOW_S)));
        let builder = builder.with_protocol_versions(&[version]).expect("a version");
        let mut config = builder.with_root_certificates(self.roots.clone()).with_no_client_auth();
        if !resumes {
            config.resumption = rustls::client::Resumption::disabled();
        }
        Arc::new(config)
    }

    /// One record in, one out, as a device's write and its answer.
    fn records(&self, out: &mut impl Write, version: Version) -> io::Result<()> {
        let config = self.client(version, NamedGroup::X25519, false);
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let (mut bare, mut client, _) = self.meet_rustls(&config);
            let records = sealed(&mut client);
            let bare_ns = per(RECORDS, || records.iter().for_each(|record| bare_record(&mut bare, record)));
            let [ours_ns, wrapped_ns] = [0, 1].map(|layer| {
                let (mut session, mut client, _) = meet(&self.acceptors[layer], &config);
                let (mut desk, mut answer) = (Desk::default(), Vec::with_capacity(256));
                let mut records = sealed(&mut client);
                per(RECORDS, || {
                    for record in records.iter_mut() {
                        one_record(&mut session, &mut desk, record, &mut answer);
                    }
                })
            });
            rounds.push([ours_ns, wrapped_ns, bare_ns, floor()]);
        }
        keep(
            &format!("record in and out, {version:?}"),
            "ns_per_pair",
            &rounds,
            &[(OURS, 0), ("rustls", 2), ("ring alone", 3)],
        )?;
        let [ours, wrapped, bare, floor] = medians(&rounds);
        writeln!(
            out,
            "record in + out, {version:?} AES-128-GCM: ours {ours:.0} ns, rustls behind our trait {wrapped:.0} ns, \
             bare rustls {bare:.0} ns, ring alone {floor:.0} ns: {:.2}x of bare rustls",
            ratio(&rounds, 2, 0)
        )
    }

    fn handshakes(&self, out: &mut impl Write) -> io::Result<()> {
        let mut cases = vec![
            (Version::Tls13, NamedGroup::X25519, false),
            (Version::Tls13, NamedGroup::X25519, true),
            (Version::Tls12, NamedGroup::X25519, false),
            (Version::Tls12, NamedGroup::X25519, true),
        ];
        if self.provider == Provider::AwsLcRs {
            cases.push((Version::Tls13, NamedGroup::X25519MLKEM768, false));
        }
        for (version, group, resumes) in cases {
            let config = self.client(version, group, resumes);
            // The first handshake of a client that resumes is a full one.
            let _ = (meet(&self.acceptors[0], &config), self.meet_rustls(&config));
            let mut rounds = Vec::new();
            for _ in 0..ROUNDS {
                let (mut ours, mut bare) = (Duration::ZERO, Duration::ZERO);
                for _ in 0..HANDSHAKES {
                    ours += meet(&self.acceptors[0], &config).2;
                    bare += self.meet_rustls(&config).2;
                }
                rounds.push([ours, bare].map(|time| time.as_secs_f64() * 1e9 / HANDSHAKES as f64));
            }
            let [ours, bare] = medians(&rounds);
            let kind = if resumes { "resumed" } else { "full" };
            keep(
                &format!("handshake, {version:?}, {group:?}, {kind}"),
                "ns_of_the_server",
                &rounds,
                &[(OURS, 0), ("rustls", 1)],
            )?;
            writeln!(
                out,
                "handshake, {version:?} {group:?} {kind}: ours {:.1} us, bare rustls {:.1} us: {:.2}x its rate",
                ours / 1e3,
                bare / 1e3,
                ratio(&rounds, 1, 0)
            )?;
        }
        Ok(())
    }

    /// rustls' own server; gives the time that it took.
    fn meet_rustls(&self, config: &Arc<ClientConfig>) -> (ServerConnection, ClientConnection, Duration) {
        let mut client = connection(config);
        let mut server = None;
        let (mut wire, mut answer, mut time) = (Vec::new(), Vec::new(), Duration::ZERO);
        while client.is_handshaking() || client.wants_write() {
            take(&mut client, &mut wire);
            let start = Instant::now();
            let server = server.get_or_insert_with(|| ServerConnection::new(self.rustls.clone()).expect("a server"));
            let mut bytes = &wire[..];
            while !bytes.is_empty() {
                server.read_tls(&mut bytes).expect("memory");
                server.process_new_packets().expect("a good handshake");
            }
            while server.wants_write() {
                server.write_tls(&mut answer).expect("memory");
            }
            time += start.elapsed();
            give(&mut client, &mut answer);
        }
        (server.expect("a server"), client, time)
    }
}

fn connection(config: &Arc<ClientConfig>) -> ClientConnection {
    ClientConnection::new(config.clone(), ServerName::try_from("localhost").expect("a name")).expect("a client")
}

fn take(client: &mut ClientConnection, wire: &mut Vec<u8>) {
    wire.clear();
    while client.wants_write() {
        client.write_tls(wire).expect("memory");
    }
}

fn give(client: &mut ClientConnection, answer: &mut Vec<u8>) {
    let mut bytes = &answer[..];
    while !bytes.is_empty() {
        client.read_tls(&mut bytes).expect("memory");
        client.process_new_packets().expect("a good server");
    }
    answer.clear();
}

/// Our server; gives the time that it took, from the ClientHello to a session.
fn meet(acceptor: &Acceptor, config: &Arc<ClientConfig>) -> (Session, ClientConnection, Duration) {
    let mut client = connection(config);
    let (mut wire, mut answer, mut time) = (Vec::new(), Vec::new(), Duration::ZERO);
    let mut progress = None;
    loop {
        take(&mut client, &mut wire);
        let start = Instant::now();
        progress = Some(match progress {
            None => {
                let mut greeting = Greeting::new();
                greeting.push(&wire, &mut answer).expect("a hello");
                acceptor.accept(greeting, &mut answer).expect("accepts")
            }
            Some(Progress::Pending(pending)) => pending.advance(&wire, &mut answer).expect("goes on"),
            Some(done) => done,
        });
        time += start.elapsed();
        give(&mut client, &mut answer);
        match progress {
            Some(Progress::Done(done)) if !client.is_handshaking() => return (done.session, client, time),
            _ => {}
        }
    }
}

/// Records that the client will say, one by one.
fn sealed(client: &mut ClientConnection) -> Vec<Vec<u8>> {
    let mut records = Vec::with_capacity(RECORDS);
    for _ in 0..RECORDS {
        client.writer().write_all(IN).expect("memory");
        let mut record = Vec::new();
        client.write_tls(&mut record).expect("memory");
        records.push(record);
    }
    records
}

fn bare_record(server: &mut ServerConnection, mut record: &[u8]) {
    let mut plain = [0; 64];
    server.read_tls(&mut record).expect("memory");
    server.process_new_packets().expect("opens");
    assert_eq!(server.reader().read(&mut plain).expect("a record"), IN.len());
    server.writer().write_all(OUT).expect("memory");
    let mut sealed = &mut [0; 64][..];
    server.write_tls(&mut sealed).expect("memory");
}

fn one_record(session: &mut Session, desk: &mut Desk, record: &mut [u8], answer: &mut Vec<u8>) {
    let mut input = Input::new(record);
    answer.clear();
    while let Opened::Plain(plain) = session.open(desk, &mut input, answer).expect("opens") {
        assert_eq!(plain.len(), IN.len());
        session.seal_slice(desk, answer, OUT).expect("seals");
    }
}

/// What ring alone takes to open and seal as much, in place, with expanded keys.
fn floor() -> f64 {
    use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[7; 16]).expect("a key"));
    let nonce = || Nonce::assume_unique_for_key([0; 12]);
    let mut record = [&[0; 5][..], IN, &[23]].concat();
    let tag = key.seal_in_place_separate_tag(nonce(), Aad::from([0; 5]), &mut record[5..]).expect("seals");
    record.extend_from_slice(tag.as_ref());
    let mut records = vec![record; RECORDS];
    per(RECORDS, || {
        for record in &mut records {
            let plain = key.open_in_place(nonce(), Aad::from([0; 5]), &mut record[5..]).expect("opens");
            assert_eq!(plain.len(), IN.len() + 1);
            let mut answer = [0; 6];
            let tag = key.seal_in_place_separate_tag(nonce(), Aad::from([0; 5]), &mut answer).expect("seals");
            record[..16].copy_from_slice(tag.as_ref());
        }
    })
}

fn per(count: usize, work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1e9 / count as f64
}

/// Each round as lines of the results, if there is a folder for them.
fn keep<const N: usize>(row: &str, metric: &str, rounds: &[[f64; N]], columns: &[(&str, usize)]) -> io::Result<()> {
    let Some(folder) = std::env::var_os("LINCHPIN_BENCH_RESULTS") else { return Ok(()) };
    let mut results = Results::open(folder.as_ref()).map_err(io::Error::other)?;
    for (at, round) in rounds.iter().enumerate() {
        for (subject, column) in columns {
            let one = Measurement::new(row, subject, at as u32 + 1, metric, round[*column]);
            results.append(one).map_err(io::Error::other)?;
        }
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn medians<const N: usize>(rounds: &[[f64; N]]) -> [f64; N] {
    std::array::from_fn(|n| median(rounds.iter().map(|round| round[n]).collect()))
}

/// Median of what `over` took, by what `under` took in the same round.
fn ratio<const N: usize>(rounds: &[[f64; N]], over: usize, under: usize) -> f64 {
    median(rounds.iter().map(|round| round[over] / round[under]).collect())
}

/// Resident bytes of this program.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4_096
}

/// What is measured in a program of its own: memory that another case gave back would hide what this one takes.
#[derive(Clone, Copy, Debug)]
enum Kept {
    /// Clients that said hello and wait.
    Handshakes(Version),
    /// Connections after a real handshake.
    Sessions(Layer, Version),
}

const KEPT: [Kept; 6] = [
    Kept::Handshakes(Version::Tls13),
    Kept::Handshakes(Version::Tls12),
    Kept::Sessions(Layer::InPlace, Version::Tls13),
    Kept::Sessions(Layer::InPlace, Version::Tls12),
    Kept::Sessions(Layer::Rustls, Version::Tls13),
    Kept::Sessions(Layer::Rustls, Version::Tls12),
];

/// Bytes that each of many adds to this program.
fn kept_bytes(kept: Kept) -> usize {
    const MANY: usize = 10_000;
    let bench = Bench::new(Provider::default());
    let (Kept::Handshakes(version) | Kept::Sessions(_, version)) = kept;
    let config = bench.client(version, NamedGroup::X25519, false);
    // Whatever is made once is made now.
    drop(meet(&bench.acceptors[0], &config));
    let (mut hello, mut answer) = (Vec::new(), Vec::with_capacity(8_192));
    take(&mut connection(&config), &mut hello);
    let (mut handshakes, mut sessions) = (Vec::with_capacity(MANY), Vec::with_capacity(MANY));
    let before = resident();
    match kept {
        Kept::Handshakes(_) => handshakes.extend((0..MANY).map(|_| {
            let mut greeting = Greeting::new();
            answer.clear();
            greeting.push(&hello, &mut answer).expect("a hello");
            bench.acceptors[0].accept(greeting, &mut answer).expect("accepts")
        })),
        Kept::Sessions(layer, _) => {
            let acceptor = &bench.acceptors[usize::from(layer == Layer::Rustls)];
            sessions.extend((0..MANY).map(|_| meet(acceptor, &config).0));
        }
    }
    resident().saturating_sub(before) / (handshakes.len() + sessions.len())
}

/// What connections keep: by their own account, and by what a program grows.
fn idle(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "== a Session takes {} bytes in the caller's table, and on the heap, idle:", size_of::<Session>())?;
    for (suite, secret) in [(Suite::Aes128Gcm, 32), (Suite::ChaCha20Poly1305, 32), (Suite::Aes256Gcm, 48)] {
        let seed = [7; 48];
        let key = &seed[..if suite == Suite::Aes128Gcm { 16 } else { 32 }];
        let secret = &seed[..secret];
        let held = [
            InPlace::from_secrets(Side::Server, suite, (secret, 1), (secret, 1)),
            InPlace::from_keys(Side::Server, suite, (key, [1; 12], 1), (key, [2; 12], 1)),
        ]
        .map(|session| session.as_ref().map_or(0, RecordLayer::held_bytes));
        writeln!(out, "{suite:?}: {} bytes in TLS 1.3, {} in TLS 1.2", held[0], held[1])?;
    }
    writeln!(out, "== resident bytes of each of 10,000, AES-128-GCM, in a program of its own:")?;
    for (n, kept) in KEPT.iter().enumerate() {
        let child = std::process::Command::new(std::env::current_exe()?).args(["kept", &n.to_string()]).output()?;
        writeln!(out, "{kept:?}: {}", String::from_utf8_lossy(&child.stdout).trim())?;
    }
    Ok(())
}

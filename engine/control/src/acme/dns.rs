//! Questions to a name server that the system's own resolver does not ask: TXT and CAA records.

use std::net::{IpAddr, SocketAddr};

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, RCODE, TYPE};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::limits;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DnsQuestion {
    Txt,
    Caa,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DnsRecord {
    /// All its strings, one after the other.
    Txt(String),
    /// Property and value.
    Caa(String, String),
}

/// The first name server of the machine.
pub(super) fn system_resolver() -> Option<SocketAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").ok()?;
    resolver_in(&text)
}

fn resolver_in(text: &str) -> Option<SocketAddr> {
    let address = |line: &str| line.strip_prefix("nameserver")?.trim().parse::<IpAddr>().ok();
    text.lines().find_map(address).map(|ip| SocketAddr::new(ip, 53))
}

/// Ask; no record of this kind is an empty list.
///
/// # Errors
/// The name is none, nobody answers in time, or the answer is no answer to this.
pub(super) async fn ask(server: SocketAddr, name: &str, wanted: DnsQuestion) -> Result<Vec<DnsRecord>, String> {
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(|error| error.to_string())?;
    let question = question(u16::from_be_bytes(id), name, wanted)?;
    let late = |_| format!("the name server {server} does not answer");
    let answer = timeout(limits::DNS, over_udp(server, &question)).await.map_err(late)??;
    match read(&answer, &id, wanted)? {
        Some(found) => Ok(found),
        // It was cut off: TCP has room.
        None => {
            let answer = timeout(limits::DNS, over_tcp(server, &question)).await.map_err(late)??;
            read(&answer, &id, wanted)?.ok_or_else(|| format!("the name server {server} cuts its answers off"))
        }
    }
}

fn question(id: u16, name: &str, wanted: DnsQuestion) -> Result<Vec<u8>, String> {
    let kind = match wanted {
        DnsQuestion::Txt => TYPE::TXT,
        DnsQuestion::Caa => TYPE::CAA,
    };
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(name).map_err(|error| format!("{name:?} is no DNS name: {error}"))?;
    packet.questions.push(Question::new(name, kind.into(), CLASS::IN.into(), false));
    packet.build_bytes_vec().map_err(|error| error.to_string())
}

async fn over_udp(server: SocketAddr, question: &[u8]) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("the name server {server} cannot be asked: {error}");
    let any: IpAddr = if server.is_ipv4() { [0, 0, 0, 0].into() } else { [0u16; 8].into() };
    let socket = UdpSocket::bind((any, 0)).await.map_err(failed)?;
    socket.connect(server).await.map_err(failed)?;
    socket.send(question).await.map_err(failed)?;
    let mut answer = vec![0; 4_096];
    let len = socket.recv(&mut answer).await.map_err(failed)?;
    answer.truncate(len);
    Ok(answer)
}

async fn over_tcp(server: SocketAddr, question: &[u8]) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("the name server {server} cannot be asked: {error}");
    let mut stream = TcpStream::connect(server).await.map_err(failed)?;
    let framed = [&(question.len() as u16).to_be_bytes()[..], question].concat();
    stream.write_all(&framed).await.map_err(failed)?;
    let len = stream.read_u16().await.map_err(failed)?;
    let mut answer = vec![0; usize::from(len)];
    stream.read_exact(&mut answer).await.map_err(failed)?;
    Ok(answer)
}

/// The records of an answer; `None`: it was cut off.
fn read(answer: &[u8], id: &[u8; 2], wanted: DnsQuestion) -> Result<Option<Vec<DnsRecord>>, String> {
    let packet = Packet::parse(answer).map_err(|error| format!("the name server's answer cannot be read: {error}"))?;
    if packet.id() != u16::from_be_bytes(*id) || !packet.has_flags(PacketFlag::RESPONSE) {
        return Err("the name server answers something else".to_owned());
    }
    if packet.has_flags(PacketFlag::TRUNCATION) {
        return Ok(None);
    }
    match packet.rcode() {
        RCODE::NoError => {}
        RCODE::NameError => return Ok(Some(Vec::new())),
        other => return Err(format!("the name server answers {other:?}")),
    }
    let found = packet.answers.into_iter().filter_map(|record| match (wanted, record.rdata) {
        (DnsQuestion::Txt, RData::TXT(text)) => String::try_from(text).ok().map(DnsRecord::Txt),
        (DnsQuestion::Caa, RData::CAA(caa)) => {
            Some(DnsRecord::Caa(caa.tag.to_string(), String::from_utf8_lossy(&caa.value).into_owned()))
        }
        _ => None,
    });
    Ok(Some(found.collect()))
}

/// May an authority with this domain sign for the name, by the records that stand for it (RFC 8659)? `None`: nobody said.
pub(super) fn allows(records: &[DnsRecord], issuer: &str, is_wildcard: bool) -> Option<bool> {
    let mut issuers = if is_wildcard { values(records, "issuewild") } else { Vec::new() };
    if issuers.is_empty() {
        issuers = values(records, "issue");
    }
    if issuers.is_empty() {
        return None;
    }
    let is_it = |value: &&str| value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(issuer);
    Some(issuers.iter().any(is_it))
}

/// The values of one property.
fn values<'f>(records: &'f [DnsRecord], tag: &str) -> Vec<&'f str> {
    let of = |record: &'f DnsRecord| match record {
        DnsRecord::Caa(name, value) if name.eq_ignore_ascii_case(tag) => Some(value.as_str()),
        _ => None,
    };
    records.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::{CAA, TXT};

    fn answer(id: u16, records: Vec<RData<'_>>) -> Vec<u8> {
        let mut packet = Packet::new_reply(id);
        let name = Name::new("node.example").expect("a name");
        packet.answers.extend(records.into_iter().map(|data| ResourceRecord::new(name.clone(), CLASS::IN, 60, data)));
        packet.build_bytes_vec().expect("bytes")
    }

    #[test]
    fn answers_are_read_and_only_those_to_the_question() {
        let long = TXT::new().with_string("ca.example; ").expect("short").with_string("accounturi=x").expect("short");
        let bytes = answer(258, vec![RData::TXT(long)]);
        let found = read(&bytes, &[1, 2], DnsQuestion::Txt).expect("it is read");
        assert_eq!(found, Some(vec![DnsRecord::Txt("ca.example; accounturi=x".to_owned())]));
        assert_eq!(read(&bytes, &[1, 2], DnsQuestion::Caa), Ok(Some(Vec::new())));
        assert!(read(&bytes, &[9, 9], DnsQuestion::Txt).is_err());
        assert!(read(&bytes[..7], &[1, 2], DnsQuestion::Txt).is_err());
        assert!(question(1, &"a".repeat(300), DnsQuestion::Txt).is_err());
        assert_eq!(question(1, "node.example", DnsQuestion::Caa).expect("a question").len(), 12 + 14 + 4);
    }

    #[test]
    fn caa_says_who_may() {
        let caa = |tag: &'static str, value: &'static str| {
            let (tag, value) =
                (simple_dns::CharacterString::new(tag.as_bytes()).expect("short"), value.as_bytes().into());
            RData::CAA(CAA { flag: 0, tag, value })
        };
        let bytes = answer(1, vec![caa("issue", "ca.example; validationmethods=http-01"), caa("issuewild", ";")]);
        let found = read(&bytes, &[0, 1], DnsQuestion::Caa).expect("it is read").expect("whole");
        assert_eq!(allows(&found, "ca.example", false), Some(true));
        assert_eq!(allows(&found, "other.example", false), Some(false));
        assert_eq!(allows(&found, "ca.example", true), Some(false));
        assert_eq!(allows(&[], "ca.example", true), None);
    }

    #[test]
    fn the_first_name_server_is_asked() {
        let text = "# by hand\nsearch example\nnameserver 192.0.2.53\nnameserver 192.0.2.54\n";
        assert_eq!(resolver_in(text), Some(SocketAddr::from(([192, 0, 2, 53], 53))));
        assert_eq!(resolver_in("search example"), None);
    }
}

//! Reads `fixtures/mqtt_rules.txt`.

use linchpin_protocol::mqtt::{Cut, cut};

const TABLE: &str = include_str!("../fixtures/mqtt_rules.txt");

/// The token of the table.
pub(crate) const TOKEN: &str = "abcdefghijklmnopqrstuvwxyz012345";

/// What came before a row's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// Nothing.
    Nothing,
    /// A login of 3.1.1 and its answer.
    V4,
    /// A login of 5 and its answer.
    V5,
}

/// One row.
pub(crate) struct Rule {
    /// Its name.
    pub(crate) rule: String,
    /// What came before.
    pub(crate) begun: Begun,
    /// What the client sends.
    pub(crate) bytes: Vec<u8>,
    /// Is the connection closed then?
    pub(crate) closes: bool,
    /// The packets that answer.
    pub(crate) answers: String,
}

/// All rows.
pub(crate) fn rows() -> Vec<Rule> {
    TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(row).collect()
}

fn row(line: &str) -> Rule {
    let columns: Vec<_> = line.split(" ;").map(str::trim).collect();
    let [rule, begun, bytes, end, answers] = columns[..] else { panic!("five columns: {line}") };
    let begun = match begun {
        "-" => Begun::Nothing,
        "4" => Begun::V4,
        "5" => Begun::V5,
        other => panic!("{other} in {line}"),
    };
    assert!(matches!(end, "open" | "closed"), "{line}");
    Rule { rule: rule.to_owned(), begun, bytes: read(bytes), closes: end == "closed", answers: answers.to_owned() }
}

/// The login that rows begin with.
pub(crate) fn login(begun: Begun) -> Vec<u8> {
    read(match begun {
        Begun::Nothing => "",
        Begun::V4 => r#"10 [ "MQTT" 04 c2 003c "" "device" T ]"#,
        Begun::V5 => r#"10 [ "MQTT" 05 c2 003c [ ] "" "device" T ]"#,
    })
}

fn read(text: &str) -> Vec<u8> {
    let mut words = words(text).into_iter();
    group(&mut words)
}

/// Cut at white space, but not within quotes.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut quote) = (vec![String::new()], None);
    for c in text.chars() {
        match (c, quote) {
            (' ', None) => words.push(String::new()),
            (_, open) => {
                if matches!(c, '"' | '\'') && open.is_none_or(|open| open == c) {
                    quote = if open.is_none() { Some(c) } else { None };
                }
                words.last_mut().expect("one word").push(c);
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn group(words: &mut impl Iterator<Item = String>) -> Vec<u8> {
    let (mut out, mut last) = (Vec::new(), 0);
    while let Some(word) = words.next() {
        if word == "]" {
            return out;
        }
        if word == "*" {
            let times: usize = words.next().and_then(|n| n.parse().ok()).expect("a number");
            let piece = out[last..].repeat(times - 1);
            out.extend_from_slice(&piece);
            continue;
        }
        last = out.len();
        if word == "[" {
            let inner = group(words);
            let mut len = inner.len();
            while len > 0x7f {
                out.push(len as u8 | 0x80);
                len >>= 7;
            }
            out.push(len as u8);
            out.extend_from_slice(&inner);
        } else {
            out.extend_from_slice(&piece(&word));
        }
    }
    out
}

fn piece(word: &str) -> Vec<u8> {
    let with_length = |text: &str| [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat();
    if word == "T" {
        return with_length(TOKEN);
    }
    if let Some(text) = word.strip_prefix('"') {
        return with_length(text.strip_suffix('"').expect("a closing quote"));
    }
    if let Some(text) = word.strip_prefix('\'') {
        return text.strip_suffix('\'').expect("a closing quote").as_bytes().to_vec();
    }
    (0..word.len()).step_by(2).map(|at| u8::from_str_radix(&word[at..at + 2], 16).expect("hex")).collect()
}

/// The packets of a server as the table writes them. `begun` and `sent` say which version they are of.
pub(crate) fn summary(mut answered: &[u8], begun: Begun, sent: &[u8]) -> String {
    let is_v5 = begun == Begun::V5 || begun == Begun::Nothing && sent.get(8) == Some(&5);
    let mut words = Vec::new();
    while let Ok(Cut::Packet { packet, used }) = cut(answered, usize::MAX) {
        answered = &answered[used..];
        let (name, at, or) = match packet.first >> 4 {
            // What a server publishes has no column.
            3 => continue,
            2 => ("CONNACK", 1, None),
            4 => ("PUBACK", 2, Some(0)),
            5 => ("PUBREC", 2, Some(0)),
            6 => ("PUBREL", 2, Some(0)),
            7 => ("PUBCOMP", 2, Some(0)),
            9 => ("SUBACK", if is_v5 { 3 } else { 2 }, None),
            11 => ("UNSUBACK", 3, None),
            13 => ("PINGRESP", usize::MAX, None),
            14 => ("DISCONNECT", 0, Some(0)),
            kind => panic!("a server sends no kind {kind}"),
        };
        // SUBACK and UNSUBACK have a code a filter.
        let codes = packet.body.get(at..).unwrap_or_default();
        let codes = if matches!(packet.first >> 4, 9 | 11) { codes } else { codes.get(..1).unwrap_or_default() };
        let codes: Vec<u8> = if codes.is_empty() { or.into_iter().collect() } else { codes.to_vec() };
        words.push(codes.iter().fold(name.to_owned(), |text, code| format!("{text} {code:02x}")));
    }
    assert!(answered.is_empty(), "half a packet: {answered:?}");
    words.join(", ")
}

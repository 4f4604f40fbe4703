//! Every key of the file in one table, and `linchpin config default`, which is made from it. Tests compare the table with
//! what the parser takes, so neither can change without the other.

use std::fmt::Write as _;

use super::settings::SETTINGS;
use crate::limits;

/// One table of the file, such as `[engine]`.
struct Table {
    /// With its brackets.
    head: &'static str,
    what: &'static str,
    /// A file without it is complete; all its lines are comments then.
    is_example: bool,
    keys: Vec<Key>,
}

/// One key.
struct Key {
    name: &'static str,
    what: &'static str,
    /// What is allowed, with the unit.
    allowed: String,
    shown: Shown,
}

/// How the line of a key looks.
enum Shown {
    /// Needed: the line is not a comment.
    Required(&'static str),
    /// A comment with the default.
    Default(String),
    /// A comment with a value that is no default: what the default is, and the value.
    Example(&'static str, &'static str),
}

fn key(name: &'static str, what: &'static str, allowed: impl Into<String>, shown: Shown) -> Key {
    Key { name, what, allowed: allowed.into(), shown }
}

/// A word in quotes as the default.
fn word(text: &str) -> Shown {
    Shown::Default(format!("{text:?}"))
}

fn tables() -> Vec<Table> {
    vec![
        listen(),
        tls(),
        certificate(),
        ordered(),
        acme(),
        fallback(),
        folder(),
        retention(),
        backup(),
        console(),
        mail(),
        oidc(),
        engine(),
        log(),
        limits_table(),
        template(),
        datastream(),
        topic(),
        field(),
        device(),
    ]
}

fn listen() -> Table {
    let plain = "Addresses of the plain port. \"0.0.0.0:8080\" listens on all IPv4 addresses of the machine, for boards on \
                 the network. [] turns the port off (only if tls is set). A client \
                 that begins TLS here gets it, too.";
    let tls = "Addresses of the TLS port, which takes nothing else. It needs a [[certificate]].";
    let mutual = "Addresses of a TLS port on which every client shows a certificate of client_ca.";
    let proxied =
        "Addresses for load balancers, which begin each connection with a PROXY protocol header of version 2.";
    let proxies = "Who may connect to the addresses in proxied, and whose X-Forwarded-For and X-Forwarded-Proto count \
                   elsewhere: addresses and networks. An empty list denies everybody.";
    let hosts = "Names under which people use this server in browsers, besides those in tls.names: a request for another \
                 name is answered with 421. Its addresses and localhost are always right.";
    let metrics = "Address of the metrics (Prometheus), /healthz and /readyz; of this machine only.";
    let keys = vec![
        key("plain", plain, "a list of ADDRESS:PORT; required without tls", Shown::Required("[\"0.0.0.0:8080\"]")),
        key("tls", tls, "a list of ADDRESS:PORT", Shown::Example("none", "[\"0.0.0.0:443\", \"0.0.0.0:9443\"]")),
        key("mutual", mutual, "a list of ADDRESS:PORT", Shown::Example("none", "[\"0.0.0.0:8443\"]")),
        key("proxied", proxied, "a list of ADDRESS:PORT", Shown::Example("none", "[\"10.0.0.2:8080\"]")),
        key("proxies", proxies, "a list of ADDRESS or ADDRESS/PREFIX", Shown::Example("nobody", "[\"10.0.0.7\"]")),
        key("hosts", hosts, "a list of names", Shown::Example("none", "[\"iot.example\"]")),
        key("metrics", metrics, "ADDRESS:PORT of 127.0.0.0/8 or ::1", Shown::Example("none", "\"127.0.0.1:9464\"")),
    ];
    Table { head: "[listen]", what: "Where devices connect.", is_example: false, keys }
}

fn console() -> Table {
    let url = "Where browsers find this server: what the links in invitations begin with. Never taken from a request.";
    let plain = "Who may sign in over http: \"loopback\", this machine only; \"lan\", everybody, although anybody on the way \
                 can read the session.";
    let known = "Does a browser that has signed in before have a count of failed sign-ins of its own, instead of its \
                 address's? Then one bad neighbour behind a shared address shuts nobody else out.";
    let register = "The organization, by its number, that people may sign up to by themselves, with a verified address, as \
                    its Users.";
    let keys = vec![
        key("public_url", url, "https://NAME or https://NAME:PORT", Shown::Example("none", "\"https://iot.example\"")),
        key("plain", plain, "\"loopback\" or \"lan\"", word("loopback")),
        key("known_browsers", known, "true or false", Shown::Default("false".to_owned())),
        key("register", register, "1 to 2147483647", Shown::Example("nobody may", "2")),
        key(
            "security_contact",
            "Where those report who found a weakness: /.well-known/security.txt says so.",
            "a list of mailto:, https: or tel: addresses",
            Shown::Example("none, and no such file", "[\"mailto:security@example.com\"]"),
        ),
    ];
    Table { head: "[console]", what: "How people reach this server and sign in.", is_example: false, keys }
}

fn mail() -> Table {
    let server =
        "Name or address of the mail server. Without this table mails are files in DATA/mail, for the operator.";
    let from = "Who the mails are from.";
    let user = "Name to log in to the mail server with; it needs password.";
    let tls = "\"starttls\" and \"implicit\" send nothing without TLS; \"none\" is for a server on this machine only.";
    let keys = vec![
        key("server", server, "a host name or address", Shown::Required("\"mail.example\"")),
        key("port", "Its port.", "1 to 65535", Shown::Example("587; 465 with implicit, 25 with none", "587")),
        key("from", from, "an address, with a name before it", Shown::Required("\"Linchpin <iot@example.com>\"")),
        key("user", user, "a text", Shown::Example("none", "\"iot@example.com\"")),
        key(
            "password",
            "Its password, which is not written here.",
            "\"file:/PATH\", \"credential:NAME\" or \"environment:NAME\"",
            Shown::Example("none", "\"credential:mail-password\""),
        ),
        key("tls", tls, "\"starttls\", \"implicit\" or \"none\"", word("starttls")),
        key(
            "ca",
            "Authorities that sign the server's certificate, in the place of the system's.",
            "a path (PEM)",
            Shown::Example("the system's", "\"/etc/linchpin/mail-ca.pem\""),
        ),
    ];
    Table { head: "[mail]", what: "Mail to people: invitations, new passwords, notices.", is_example: true, keys }
}

fn oidc() -> Table {
    let issuer = "Its address: the \"iss\" of its tokens, exactly.";
    let domains = "Domains whose verified addresses it speaks for: whoever has an account with such an address signs in without \
                   linking it by hand.";
    let keys = vec![
        key("name", "What people are shown.", "a text", Shown::Required("\"Company\"")),
        key("issuer", issuer, "an address with https://", Shown::Required("\"https://id.example.com\"")),
        key("client_id", "Who this server is there.", "a text", Shown::Required("\"linchpin\"")),
        key(
            "client_secret",
            "What shows that; without it PKCE alone does.",
            "\"file:/PATH\", \"credential:NAME\" or \"environment:NAME\"",
            Shown::Example("none", "\"credential:oidc-secret\""),
        ),
        key("domains", domains, "a list of domains", Shown::Example("none", "[\"example.com\"]")),
        key(
            "ca",
            "Authorities that sign its certificate, in the place of the system's.",
            "a path (PEM)",
            Shown::Example("the system's", "\"/etc/linchpin/oidc-ca.pem\""),
        ),
    ];
    let what = "A server where people may sign in (OpenID Connect). It sends them back to \
                PUBLIC_URL/api/v1/oidc/NUMBER/callback, where NUMBER counts these tables from 1.";
    Table { head: "[[oidc]]", what, is_example: true, keys }
}

fn tls() -> Table {
    let layer = "Who opens and seals records after the handshake: \"in-place\" in the receive buffer with raw keys kept, \
                 \"rustls\" by copying, with its object kept.";
    let names = "Names under which devices know this server: certificates that are not valid for them draw a warning.";
    let client_ca = "The authority that signs clients' certificates for the listeners in mutual.";
    let revoked =
        "Fingerprints of clients' certificates that are taken back, a line each: SHA-256 in hexadecimal digits.";
    let keys = vec![
        key("record_layer", layer, "\"in-place\" or \"rustls\"", word("in-place")),
        key("names", names, "a list of names or addresses", Shown::Example("none", "[\"iot.example\"]")),
        key("client_ca", client_ca, "a path (PEM)", Shown::Example("none", "\"/etc/linchpin/devices-ca.pem\"")),
        key("revoked", revoked, "a path (text)", Shown::Example("none", "\"/etc/linchpin/revoked\"")),
        key(
            "device_roots",
            "Roots that the devices have: of several chains of a certificate the shortest that reaches one is served, and \
             none that reaches none takes the place of one that does.",
            "a list of \"isrg-root-x1\", \"amazon-root-ca-1\", \"digicert-global-root-g2\" and paths (PEM)",
            Shown::Example("those three", "[\"isrg-root-x1\"]"),
        ),
    ];
    let what = "TLS 1.2 and 1.3. SIGHUP reloads certificates and revoked without dropping a connection.";
    Table { head: "[tls]", what, is_example: false, keys }
}

fn certificate() -> Table {
    let chain = "The certificate and those that lead to its root, in this order.";
    let key_what = "Its private key. The file is for its owner only.";
    let keys = vec![
        key("chain", chain, "a path (PEM); required", Shown::Required("\"/etc/linchpin/fullchain.pem\"")),
        key("key", key_what, "a path (PEM); required", Shown::Required("\"/etc/linchpin/privkey.pem\"")),
    ];
    let what =
        "A certificate; any number of them. The client's name chooses, and of an ECDSA and an RSA one its algorithms.";
    Table { head: "[[certificate]]", what, is_example: true, keys }
}

fn ordered() -> Table {
    let acme = "Names of the certificate, which is ordered and renewed by itself instead of read from files; its profile at \
                the authority; kinds of keys, of which each is an order of its own.";
    let shown =
        "{ names = [\"iot.example\", \"www.iot.example\"], profile = \"tlsserver\", keys = [\"ecdsa\", \"rsa\"] }";
    let allowed = "names: DNS names, wildcards, addresses; profile: a word, none by default; keys: \"ecdsa\", \"rsa\"";
    let keys = vec![key("acme", acme, allowed, Shown::Required(shown))];
    Table { head: "[[certificate]]", what: "A certificate that renews itself.", is_example: true, keys }
}

fn acme() -> Table {
    let challenges = "Ways in which names are proven, in the order in which they are tried. tls-alpn-01 needs port 443 from \
                      outside, http-01 port 80, dns-persist-01 its record, dns-01 the hook.";
    let hook = "A command for dns-01: COMMAND present|cleanup NAME RECORD VALUE.";
    let resolver = "Name server for TXT and CAA records.";
    let mut keys = authority("the directory of Let's Encrypt");
    keys.extend([
        key(
            "challenges",
            challenges,
            "a list of \"dns-persist-01\", \"tls-alpn-01\", \"http-01\", \"dns-01\"",
            Shown::Default("[\"dns-persist-01\", \"tls-alpn-01\", \"http-01\", \"dns-01\"]".to_owned()),
        ),
        key("dns_hook", hook, "a path", Shown::Example("none", "\"/etc/linchpin/dns-hook\"")),
        key("resolver", resolver, "ADDRESS or ADDRESS:PORT", Shown::Example("the machine's", "\"192.0.2.53\"")),
    ]);
    let what = "Where certificates are ordered. With this table you agree to the terms of the authority.";
    Table { head: "[acme]", what, is_example: true, keys }
}

fn fallback() -> Table {
    let mut keys = authority("required");
    keys[0].shown = Shown::Required("\"https://acme.example/directory\"");
    let what = "A second authority, for when the first one fails for half of the time that is left.";
    Table { head: "[acme.fallback]", what, is_example: true, keys }
}

/// What both have in common.
fn authority(default: &'static str) -> Vec<Key> {
    let directory = "The address of its directory.";
    let contact = "Where the authority may reach you; Let's Encrypt needs none.";
    let ca = "Roots for the authority's own HTTPS, instead of the machine's.";
    let eab =
        "If the authority wants accounts to be bound to one that it knows: its kid, and where the key is (base64url).";
    let lets_encrypt = "\"https://acme-v02.api.letsencrypt.org/directory\"";
    vec![
        key("directory", directory, "https://...", Shown::Example(default, lets_encrypt)),
        key("contact", contact, "a list of mailto:...", Shown::Example("none", "[\"mailto:operator@iot.example\"]")),
        key("ca", ca, "a path (PEM)", Shown::Example("the machine's", "\"/etc/linchpin/authority-ca.pem\"")),
        key(
            "eab",
            eab,
            "kid: a text; key: \"file:/PATH\", \"credential:NAME\", \"environment:NAME\"",
            Shown::Example("none", "{ kid = \"linchpin-1\", key = \"credential:acme-eab\" }"),
        ),
    ]
}

fn folder() -> Table {
    let dir = "Data directory, made for its owner only (0700) if it is missing. The admin socket is in it.";
    let anchor = "A file on another disk in which the store's epoch is kept a second time, so that an older copy of the \
                  folder is noticed.";
    let unseal = "What opens the store's keys: a file of 32 bytes or 64 hexadecimal digits (0600), a systemd credential or an \
                  environment variable with such digits. Beside the data it protects nothing: whoever \
                  copies the folder has the key, too. It is made there if nothing else is said.";
    let keys = vec![
        key("dir", dir, "a path; required", Shown::Required("\"/var/lib/linchpin\"")),
        key(
            "unseal",
            unseal,
            "\"file:/PATH\", \"credential:NAME\", \"environment:NAME\", or \"passphrase:\" before one of the last two",
            Shown::Example("unseal.key in dir", "\"credential:linchpin-unseal\""),
        ),
        key("anchor", anchor, "a path", Shown::Example("none", "\"/mnt/other/store.anchor\"")),
    ];
    Table { head: "[data]", what: "Where state is kept.", is_example: false, keys }
}

fn retention() -> Table {
    let usual = linchpin_storage::Retention::default();
    let days = |name, what, default: u32| {
        let allowed = format!("1 to {} days", limits::RETENTION_DAYS);
        key(name, what, allowed, Shown::Default(default.to_string()))
    };
    let keys = vec![
        days("raw_days", "Every point.", usual.raw_days),
        days("minute_days", "One row a minute.", usual.minute_days),
        days("hour_days", "One row an hour.", usual.hour_days),
        days("day_days", "One row a day.", usual.day_days),
    ];
    let what = "How long history is kept; it is removed in blocks of a week and more.";
    Table { head: "[retention]", what, is_example: false, keys }
}

fn backup() -> Table {
    let to = "Where backups go: a folder, best on another machine's disk, or a bucket of an S3-compatible store, whose \
              credentials come from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, \
              AWS_ENDPOINT_URL).";
    let keys = vec![
        key("to", to, "an absolute path or \"s3://BUCKET/PREFIX\"", Shown::Example("none", "\"/mnt/backup/linchpin\"")),
        key(
            "every_hours",
            "How often the server makes one by itself. 0: only `linchpin backup create` does.",
            format!("0 to {} hours", limits::BACKUP_HOURS),
            Shown::Default("24".to_owned()),
        ),
        key("keep", "How many stay. 0: all.", format!("0 to {}", limits::BACKUPS), Shown::Default("7".to_owned())),
    ];
    let what = "Backups of the running server: what is new since the last one, sealed as the store is.";
    Table { head: "[backup]", what, is_example: true, keys }
}

fn engine() -> Table {
    let most = u64::from(linchpin_driver::limits::MAX_CONNECTIONS) * u64::from(limits::SHARDS);
    let keys = vec![
        key(
            "shards",
            "Threads with sockets and devices of their own.",
            format!("1 to {}", limits::SHARDS),
            Shown::Example("one a core", "4"),
        ),
        key(
            "driver",
            "Back end: \"auto\" is io_uring where the kernel allows it, else the portable one.",
            "\"auto\", \"io_uring\" or \"portable\"",
            word("auto"),
        ),
        key(
            "driver_features",
            "Newer io_uring features: all, none (\"6.1\"), or a list of what not to use, such as \"-no_sqarray\".",
            "\"all\", \"6.1\" or a list",
            word("all"),
        ),
        key(
            "descriptors",
            "Where io_uring keeps sockets: \"direct\" is the ring's own table, which RLIMIT_NOFILE does not count.",
            "\"auto\", \"direct\" or \"plain\"",
            word("auto"),
        ),
        key(
            "idle_receive",
            "How io_uring waits for a device's next bytes: \"poll\" saves 608 bytes of kernel memory for each \
             connection; about 5 % more processor time for each message.",
            "\"armed\" or \"poll\"",
            word("armed"),
        ),
        key(
            "connections",
            "Connections to be ready for, all shards together.",
            format!("connections, 1 to {most}"),
            Shown::Default(super::EngineOptions::CONNECTIONS.to_string()),
        ),
    ];
    Table {
        head: "[engine]",
        what: "Threads and kernel. Changes take effect at the next start.",
        is_example: false,
        keys,
    }
}

fn log() -> Table {
    let keys = vec![
        key(
            "format",
            "How lines look: \"json\" is one object a line. --log-format goes before it.",
            "\"text\" or \"json\"",
            word("text"),
        ),
        key(
            "level",
            "What is logged. \"debug\" has every end of a connection. RUST_LOG goes before it.",
            "\"error\", \"warn\", \"info\" or \"debug\"",
            word("info"),
        ),
    ];
    Table { head: "[log]", what: "The log, on standard error. Tokens are never in it.", is_example: false, keys }
}

fn limits_table() -> Table {
    let limit = |setting: &super::settings::Setting| {
        let allowed = format!("{}, {} to {}", setting.unit, setting.range.start(), setting.range.end());
        key(setting.name, setting.what, allowed, Shown::Default(setting.default_value().to_string()))
    };
    let what = "What devices may do. SIGHUP reloads this table; a file with a mistake changes nothing.";
    Table { head: "[limits]", what, is_example: false, keys: SETTINGS.iter().map(limit).collect() }
}

fn template() -> Table {
    let keys = vec![
        key("id", "The name that firmware carries.", "1 to 16 characters; required", Shown::Required("\"TMPLgarden\"")),
        key("name", "For people.", "text", word("")),
        key("tls", "Its devices are served over TLS only.", "true or false", Shown::Default("false".to_owned())),
        key(
            "events",
            "Codes of the events that its devices may log. With an empty list they may log none.",
            "a list of text",
            Shown::Default("[]".to_owned()),
        ),
    ];
    let what = "A kind of device; any number of them. A device with a template may write only the pins that it lists: \
                with no datastreams, none.";
    Table { head: "[[template]]", what, is_example: true, keys }
}

fn datastream() -> Table {
    let keys = vec![
        key("pin", "The pin.", "V0 to V255, D0 to D255 or A0 to A255; required", Shown::Required("\"V0\"")),
        key(
            "id",
            "What dataStreamId means in the HTTP API: the id that it has in Blynk's cloud, for scripts that use it.",
            "1 to 4294967295, each once in a template",
            Shown::Example("the next one, which stays with the pin", "20"),
        ),
        key("name", "For people, and for topics of MQTT.", "text; required", Shown::Required("\"Moisture\"")),
        key(
            "aliases",
            "Other names in topics of MQTT: firmware that has an old one goes on.",
            "a list of text without , + and #",
            Shown::Default("[]".to_owned()),
        ),
        key(
            "type",
            "What values must be.",
            "\"int\", \"double\", \"text\" or \"enum\"; required",
            Shown::Required("\"int\""),
        ),
        key("min", "Smallest value of an int or double.", "a number", Shown::Example("none", "0")),
        key("max", "Largest value of an int or double.", "a number", Shown::Example("none", "1023")),
        key("count", "Choices of an enum.", "1 to 10000", Shown::Default("2".to_owned())),
        key("unit", "For people.", "text", word("")),
        key(
            "sync",
            "Send the latest value to the device when it asks for all (Blynk.syncAll).",
            "true or false",
            Shown::Default("false".to_owned()),
        ),
        key(
            "default",
            "What a first sync or a read gets while nothing was written.",
            "a text that may be written to the pin",
            Shown::Example("none", "\"0\""),
        ),
        key(
            "fallback",
            "What a choice that an enum does not have becomes; without it such a write is refused.",
            "0 to count - 1",
            Shown::Example("none", "0"),
        ),
    ];
    Table { head: "[[template.datastream]]", what: "A pin of the template above.", is_example: true, keys }
}

fn topic() -> Table {
    let keys = vec![
        key(
            "topic",
            "What the firmware publishes to, where that is not the device API (docs/mqtt.md).",
            "1 to 128 bytes without + and #; required",
            Shown::Required("\"tele/garden/SENSOR\""),
        ),
        key(
            "pointer",
            "Where the value stands in the JSON payload (RFC 6901). Empty: the payload is the value.",
            "a JSON pointer",
            Shown::Example("\"\"", "\"/soil/moisture\""),
        ),
        key("pin", "What it sets.", "a pin of the template; required", Shown::Required("\"V0\"")),
    ];
    Table { head: "[[template.topic]]", what: "A topic of MQTT that the template maps.", is_example: true, keys }
}

fn field() -> Table {
    let keys = vec![
        key("name", "Its name.", "1 to 64 bytes; required", Shown::Required("\"Room\"")),
        key(
            "id",
            "What metaFieldId means in the HTTP API.",
            "1 to 4294967295, each once in a template",
            Shown::Example("the next one, which stays with the name", "3"),
        ),
        key("default", "What a read gets while nothing was written.", "text", word("")),
        key("by_device", "The device itself may write it.", "true or false", Shown::Default("true".to_owned())),
    ];
    let what = "A metadata field of the template above. With none its devices have any; else only these, Hotspot Name, \
                Device UID and loc.latlon.";
    Table { head: "[[template.field]]", what, is_example: true, keys }
}

fn device() -> Table {
    let longest = linchpin_control::limits::NAME_BYTES;
    let keys = vec![
        key("name", "For people.", format!("text of at most {longest} bytes"), word("")),
        key(
            "template",
            "Id of a template of this file. A device without one may write every pin.",
            "text",
            Shown::Example("none", "\"TMPLgarden\""),
        ),
        key(
            "token_file",
            "File with the device's token, so that this file can be shown to others.",
            "a path",
            Shown::Example("a token of the server's own, kept over restarts", "\"/etc/linchpin/greenhouse.token\""),
        ),
    ];
    Table { head: "[[device]]", what: "A device; any number of them.", is_example: true, keys }
}

/// The complete file with comments.
pub(crate) fn default_file() -> String {
    let mut out = String::from(
        "# Configuration of Linchpin, as `linchpin config default` prints it: every key with its unit, range and default.\n\
         # Lines that start with \"#\" and no space are keys with their defaults. `linchpin check --config FILE` finds mistakes.\n",
    );
    for Table { head, what, is_example, keys } in tables() {
        let off = if is_example { "#" } else { "" };
        out += "\n";
        comment(&mut out, what);
        let _ = writeln!(out, "{off}{head}");
        for Key { name, what, allowed, shown } in keys {
            match &shown {
                Shown::Required(_) => comment(&mut out, &format!("{what} ({allowed})")),
                Shown::Default(value) => comment(&mut out, &format!("{what} ({allowed}; default {value})")),
                Shown::Example(default, _) => comment(&mut out, &format!("{what} ({allowed}; default: {default})")),
            }
            let _ = match shown {
                Shown::Required(value) => writeln!(out, "{off}{name} = {value}"),
                Shown::Default(value) => writeln!(out, "#{name} = {value}"),
                Shown::Example(_, value) => writeln!(out, "# {name} = {value}"),
            };
        }
    }
    out
}

/// Lines of at most 100 characters that start with `# `.
fn comment(out: &mut String, text: &str) {
    let mut column = 0;
    for word in text.split_whitespace() {
        if column == 0 || column + 1 + word.len() > limits::COMMENT_COLUMNS {
            out.push_str(if column == 0 { "# " } else { "\n# " });
            column = 2;
        } else {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += word.len();
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use linchpin_shard::Settings;

    use super::super::{Config, EngineOptions, file};
    use super::*;
    use crate::serve::log::LogOptions;

    fn parse(text: &str) -> Result<Config, String> {
        file::parse(Path::new("c.toml"), text).map_err(|errors| errors[0].to_string())
    }

    /// The file with every key that is a comment.
    fn all_keys() -> String {
        let is_key = |line: &&str| line.starts_with('#') && !line.starts_with("# ");
        default_file().lines().map(|line| format!("{}\n", if is_key(&line) { &line[1..] } else { line })).collect()
    }

    fn expect_defaults(config: &Config) {
        let default = EngineOptions::default();
        assert_eq!(config.settings, Settings::default());
        assert_eq!(config.log, LogOptions::default());
        assert_eq!(config.engine.shards, default.shards);
        assert_eq!(config.engine.driver, default.driver);
        assert_eq!(config.engine.features, default.features);
        assert_eq!(config.engine.descriptors, default.descriptors);
        assert_eq!(config.engine.idle_receive, default.idle_receive);
        assert_eq!(config.engine.connections, default.connections);
    }

    #[test]
    fn it_parses_to_the_defaults_as_it_is_and_with_every_key() {
        let config = parse(&default_file()).expect("the default file is right");
        expect_defaults(&config);
        assert_eq!((config.templates.len(), config.devices.len()), (0, 0), "examples are comments");
        // The only table that needs a key of another.
        let all = all_keys().replace("[console]\n", "[console]\npublic_url = \"https://iot.example\"\n");
        let config = parse(&all).expect("every key is right");
        expect_defaults(&config);
        assert_eq!((config.templates.len(), config.devices.len()), (1, 1));
        // The packaged service is for boards of the network; metrics and everything else need a key.
        let plain: Vec<_> = config.listen.plain.iter().map(ToString::to_string).collect();
        assert_eq!((plain, config.listen.tls.len(), config.listen.metrics), (vec!["0.0.0.0:8080".to_owned()], 0, None));
    }

    #[test]
    fn the_table_has_the_keys_that_the_parser_takes() {
        for table in tables() {
            // Only what the parser has not seen before may follow; `[limits]` is looked at when the rest is right.
            let before = match table.head {
                "[listen]" | "[data]" => "",
                _ => "[listen]\nplain = [\"127.0.0.1:0\"]\n[data]\ndir = \"x\"\n[[template]]\nid = \"T\"\n",
            };
            let said = parse(&format!("{before}{}\nno_such_key = 1\n", table.head)).expect_err("an unknown key");
            let taken: BTreeSet<_> = said.split('`').skip(3).step_by(2).map(str::to_owned).collect();
            // Tables in a table have entries of their own.
            let inner: Vec<_> =
                ["[[template]] datastream", "[[template]] topic", "[[template]] field", "[acme] fallback"]
                    .map(|inner| inner.split_once(' '))
                    .into();
            let is_inner = |name: &String| inner.contains(&Some((table.head, name.as_str())));
            let taken: BTreeSet<_> = taken.into_iter().filter(|name| !is_inner(name)).collect();
            // A table may be shown in two ways.
            let same = tables().into_iter().filter(|other| other.head == table.head).flat_map(|other| other.keys);
            let listed: BTreeSet<_> = same.map(|key| key.name.to_owned()).collect();
            assert_eq!(listed, taken, "{}", table.head);
        }
        let said = parse("no_such_table = 1\n").expect_err("an unknown table");
        let taken: BTreeSet<_> = said.split('`').skip(3).step_by(2).map(str::to_owned).collect();
        let name = |table: Table| table.head.trim_matches(['[', ']']).to_owned();
        // `[debug]` is for our own tests, and no operator's.
        let all = tables().into_iter().map(name).chain(["debug".to_owned()]);
        let listed: BTreeSet<_> = all.filter(|name| !name.contains('.')).collect();
        assert_eq!(listed, taken);
    }

    /// The numbers of an "A to B" in what is allowed.
    fn range(allowed: &str) -> Option<(i64, i64)> {
        let (low, high) = allowed.split_once(" to ")?;
        Some((low.rsplit(' ').next()?.parse().ok()?, high.split([' ', ';']).next()?.parse().ok()?))
    }

    #[test]
    fn ranges_are_those_that_the_parser_checks() {
        let mut checked = 0;
        for table in tables().into_iter().filter(|table| !table.is_example) {
            for key in &table.keys {
                let Some((low, high)) = range(&key.allowed) else { continue };
                let with = |value: i64| {
                    let start = "[listen]\nplain = [\"127.0.0.1:0\"]\n[data]\ndir = \"x\"\n";
                    parse(&format!("{start}{}\n{} = {value}\n", table.head, key.name))
                };
                for good in [low, high] {
                    assert!(with(good).is_ok(), "{} = {good}", key.name);
                }
                for bad in [low - 1, high + 1] {
                    let said = with(bad).err().unwrap_or_else(|| panic!("{} = {bad} is taken", key.name));
                    assert!(said.contains(&format!("{low} to {high}, not {bad}")), "{said}");
                }
                checked += 1;
            }
        }
        assert!(checked >= 2 + SETTINGS.len(), "only {checked} ranges were found");
    }

    #[test]
    fn the_packaged_file_is_this_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/linchpin.toml");
        if std::env::var_os("LINCHPIN_BLESS").is_some() {
            std::fs::write(&path, default_file()).expect("writes the file");
        }
        let packaged = std::fs::read_to_string(&path).expect("the packaged file");
        assert!(packaged == default_file(), "packaging/linchpin.toml is old: LINCHPIN_BLESS=1 cargo test -p linchpin");
    }

    #[test]
    fn comments_are_broken_into_lines() {
        let mut out = String::new();
        comment(&mut out, &"word ".repeat(60));
        assert!(out.lines().count() > 2 && out.lines().all(|line| line.starts_with("# word") && line.len() <= 100));
        assert!(default_file().lines().all(|line| line.len() <= 120), "lines fit a terminal");
    }
}

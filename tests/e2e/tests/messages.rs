//! Wrong inputs: how each ends, and that its message has the value, what would be right, and a next step that exists.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use linchpin_compat::{Folder, Server, linchpin_path};

/// Arguments, the status, and what the message must have. `@` is the data directory of a server that runs, `%` a folder of
/// files. After `!` no `--data` is added.
const WRONG: &[(&str, i32, &[&str])] = &[
    // The line itself.
    ("! frobnicate", 2, &["frobnicate", "--help"]),
    ("! stauts", 2, &["stauts", "status"]),
    ("! device lst", 2, &["lst", "list"]),
    ("! backup lsit", 2, &["lsit", "list"]),
    ("! keys", 2, &["rotate", "status"]),
    ("! completions csh", 2, &["csh", "bash", "zsh"]),
    ("status --jason", 2, &["--jason", "--json"]),
    ("status --config %/a --data @", 2, &["--config", "--data"]),
    ("device show", 2, &["<ID>", "--help"]),
    ("device write 2 V1", 2, &["<VALUE>", "--help"]),
    ("device push 2 explode", 2, &["explode", "ota", "reboot", "debug"]),
    ("device list --online --offline", 2, &["--online", "--offline"]),
    ("device list --limit 0", 2, &["0", "1.."]),
    ("device list --limit many", 2, &["many", "--limit"]),
    ("device add --count 0", 2, &["0", "1..=100000"]),
    ("device add --count 100001", 2, &["100001", "1..=100000"]),
    ("device add --count -3", 2, &["-3", "--help"]),
    ("device diary --limit x", 2, &["x", "--limit"]),
    ("! device sim", 2, &["--server", "--help"]),
    ("! device sim --server 127.0.0.1:9 --token a --token-file b", 2, &["--token", "--token-file"]),
    ("! device sim --server 127.0.0.1:9 --token a --period 5", 2, &["5", "250ms"]),
    ("! device sim --server 127.0.0.1:9 --token a --period 2h", 2, &["2h", "60m"]),
    ("device export 2 --from-ms now", 2, &["now", "--from-ms"]),
    ("drain --per-second 0", 2, &["0", "1.."]),
    ("drain --undo --redirect a:1", 2, &["--undo", "--redirect"]),
    ("top --every 0", 2, &["0", "1..=3600"]),
    ("top --every 4000", 2, &["4000", "1..=3600"]),
    ("! erase", 2, &["--org", "--device"]),
    ("erase --org 1 --device 2", 2, &["--org", "--device"]),
    ("erase --device x", 2, &["x", "--device"]),
    ("! dev --plain 8080", 2, &["8080", "127.0.0.1:8080"]),
    ("! dev --tls on", 2, &["on", "off", "127.0.0.1:9443"]),
    ("! dev --metrics 0.0.0.0:9464", 2, &["0.0.0.0:9464", "127.0.0.0/8"]),
    ("! dev --metrics 9464", 2, &["9464", "127.0.0.1:9464"]),
    ("! dev --shards 0", 2, &["0", "1..=256"]),
    ("! dev --shards 257", 2, &["257", "1..=256"]),
    ("! dev --driver fastest", 2, &["fastest", "io_uring", "portable"]),
    ("! dev --driver-features x", 2, &["x", "--driver-features"]),
    ("! dev --record-layer fast", 2, &["in-place", "rustls"]),
    ("! dev --connections 0", 2, &["0", "1..=268435456"]),
    ("! dev --connections 999999999", 2, &["999999999", "1..=268435456"]),
    ("! dev --devices 5", 2, &["--tokens-out"]),
    ("! dev --devices 2000000 --tokens-out %/t", 2, &["2000000", "1000000"]),
    ("! dev --set message_burst", 2, &["message_burst", "KEY=VALUE"]),
    ("! dev --set mesage_burst=7", 2, &["mesage_burst", "did you mean message_burst?"]),
    ("! dev --set message_burst=0", 2, &["0", "1 to 1000000"]),
    ("! dev --set message_burst=many", 2, &["many", "whole number"]),
    ("! dev --memory --accept-rollback", 2, &["--memory", "--accept-rollback"]),
    ("! dev --log-format xml", 2, &["xml", "text", "json"]),
    ("! serve --ready-file", 2, &["--ready-file"]),
    ("access why a@b.example", 2, &["<PERMISSION>"]),
    ("admin user create --email a@b.example --role admin", 2, &["--password-stdin"]),
    ("admin user suspend x", 2, &["x"]),
    ("backup restore", 2, &["--into"]),
    ("backup create --keep x", 2, &["x", "--keep"]),
    ("keys rewrap", 2, &["--to"]),
    ("upgrade --binary", 2, &["--binary"]),
    // Codes.
    ("! explain E9999", 1, &["E9999", "nearest", "docs/errors.md"]),
    ("! explain e1", 1, &["E0001", "nearest is E0101"]),
    ("! explain hello", 1, &["hello", "E0103"]),
    ("! explain 99999", 1, &["99999", "E0103"]),
    // Which server.
    ("! status --data %/nothing", 1, &["nothing", "linchpin dev", "--data", "--help"]),
    ("! status --admin %/no.sock", 1, &["no.sock", "linchpin dev"]),
    ("! status --config %/none.toml", 78, &["none.toml", "No such file"]),
    ("! status --config %/empty.toml", 78, &["empty.toml", "data"]),
    ("! status --config %/broken.toml", 78, &["broken.toml:1"]),
    ("! device list --data %/nothing", 1, &["nothing", "--data"]),
    ("! top --once --data %/nothing", 1, &["nothing", "--data"]),
    ("! drain --data %/nothing", 1, &["nothing", "--data"]),
    ("! template list --data %/nothing", 1, &["nothing", "--data"]),
    ("! upgrade --data %/nothing", 1, &["nothing", "--data"]),
    ("! keys status --data %/nothing", 1, &["nothing", "there is no store"]),
    ("! store verify --data %/nothing", 1, &["nothing", "there is no store"]),
    ("! org list --data %/nothing", 1, &["nothing", "there is no store"]),
    ("! backup create --data %/nothing", 1, &["nothing", "there is no store"]),
    ("! keys status --config %/broken.toml", 78, &["broken.toml:1"]),
    ("! keys status --data %/nothing --unseal tpm:0", 1, &["tpm:0", "file:/PATH", "credential:NAME"]),
    (
        "! keys status --data %/nothing --unseal passphrase:environment:LINCHPIN_NONE",
        1,
        &["LINCHPIN_NONE", "12 characters"],
    ),
    // Devices.
    ("device show 0", 1, &["0", "1 or more"]),
    ("device show 99999999999", 1, &["99999999999"]),
    ("device show 4000", 1, &["4000", "linchpin device list"]),
    ("device show Garden", 1, &["Garden", "linchpin device list"]),
    ("device show \"demo 9\"", 1, &["demo 9", "did you mean"]),
    ("device token 4000", 1, &["4000", "linchpin device list"]),
    ("device remove 4000", 1, &["4000", "linchpin device list"]),
    ("device watch 4000", 1, &["4000", "linchpin device list"]),
    ("device diary 4000", 1, &["4000", "linchpin device list"]),
    ("device write 4000 V1 1", 1, &["4000", "linchpin device list"]),
    ("device write 2 V256 1", 1, &["V256", "V255"]),
    ("device write 2 X1 1", 1, &["X1", "V255"]),
    ("device write 1 V9 1", 1, &["V9"]),
    ("device write 1 V2 hot", 1, &["hot", "V2"]),
    ("device write 1 V0 warm", 1, &["warm"]),
    ("device write 1 V5 9", 1, &["9", "V5"]),
    ("device push 2 ota", 1, &["ota", "URL"]),
    ("device push 2 ota ftp://x", 1, &["ftp://x", "https://"]),
    ("device push 2 debug", 1, &["debug", "TEXT"]),
    ("device push 2 reboot now", 1, &["now", "reboot"]),
    ("device add --template TMPLnone", 1, &["TMPLnone", "linchpin template list"]),
    ("device add --template \"a b\"", 1, &["a b", "--template"]),
    ("device add --org 0", 1, &["0", "begin with 1"]),
    ("device add --org 77", 1, &["77", "linchpin org list"]),
    ("device add --tokens-out %/none/t", 1, &["none/t", "--tokens-out"]),
    ("device export 2 --from-ms 5 --to-ms 3", 1, &["5", "3", "--from-ms", "--to-ms"]),
    ("device export 2 --pin V999", 1, &["V999", "--pin", "V255"]),
    ("device export 2 --period YEAR", 1, &["YEAR", "--period", "MONTH"]),
    ("device export 2 --granularity FINE", 1, &["FINE", "--granularity", "MINUTE"]),
    ("device export 2 --source MEDIAN", 1, &["MEDIAN", "--source", "AVG"]),
    ("device export 2 --format UNIX", 1, &["UNIX", "--format", "ISO"]),
    ("device export 4000", 1, &["4000", "linchpin device list"]),
    ("! device sim --server nowhere --token 0123456789abcdefghij-_ABCDEFGHIJ", 1, &["nowhere", "HOST:PORT"]),
    (
        "! device sim --server 127.0.0.1:1 --token 0123456789abcdefghij-_ABCDEFGHIJ",
        1,
        &["127.0.0.1:1", "is the server running there?"],
    ),
    ("! device sim --server 127.0.0.1:1 --token short", 1, &["32"]),
    ("! device sim --server 127.0.0.1:1 --token-file %/none", 1, &["none", "No such file"]),
    ("! device sim --ready-file %/none", 1, &["none", "No such file"]),
    ("! device sim --ready-file %/broken.toml", 1, &["broken.toml", "no ready file"]),
    ("! device sim --ready-file %/ready.json --index 9", 1, &["9", "--index", "--token-file"]),
    // Templates and files.
    ("template show TMPLnone", 1, &["TMPLnone", "linchpin template list"]),
    ("template show \"a b c\"", 1, &["a b c"]),
    ("template add %/none.toml", 78, &["none.toml", "No such file"]),
    ("template add %/broken.toml", 78, &["broken.toml:1"]),
    ("template add %/empty.toml", 78, &["empty.toml", "template"]),
    ("! check --config %/none.toml", 78, &["none.toml", "No such file"]),
    ("! check --config %/broken.toml", 78, &["broken.toml:1"]),
    ("! check --config %/string.toml", 78, &["plain is a list", "plain = [\"127.0.0.1:8080\"]"]),
    ("! serve --config %/none.toml", 78, &["none.toml", "No such file"]),
    ("! doctor --config %/none.toml", 78, &["none.toml", "No such file"]),
    // The server's work.
    ("drain --redirect nowhere", 1, &["redirect", "HOST:PORT"]),
    ("erase --device 0 --yes", 1, &["0"]),
    ("erase --org 0 --yes", 1, &["0"]),
    ("erase --org 1 --yes", 1, &["organization 1", "data directory"]),
    ("admin role list --org x", 1, &["x", "--org", "linchpin org list"]),
    ("erase --org 77 --yes", 1, &["77", "linchpin org list"]),
    ("erase --device 4000 --yes", 1, &["4000", "linchpin device list"]),
    ("org add \"\"", 1, &["name"]),
    ("keys rewrap --to tpm:0", 1, &["tpm:0", "file:/PATH"]),
    ("keys rewrap --to file:%/none", 1, &["none"]),
    ("backup list", 1, &["--from", "--config"]),
    ("backup create", 1, &["--to", "[backup]"]),
    ("backup verify", 1, &["--from", "--config"]),
    ("backup list --from nowhere", 1, &["nowhere", "s3://BUCKET"]),
    ("backup verify --from %/files", 1, &["no complete backup"]),
    ("backup verify nonesuch --from %/files", 1, &["nonesuch"]),
    ("backup restore --from %/files --into %/restored", 1, &["no complete backup"]),
    ("audit verify --checkpoints %/none", 1, &["none", "No such file"]),
    ("access why nobody@b.example device.view", 1, &["e-mail", "linchpin admin user list"]),
    ("admin user suspend 4000", 1, &["4000", "linchpin admin user list"]),
    ("admin session end 4000 --org 1", 1, &["4000", "linchpin admin user list"]),
    ("upgrade --binary %/none", 1, &["none"]),
    ("! man %/broken.toml", 1, &["broken.toml"]),
];

/// Words of a line, in which quotes hold words together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in line.split('"').enumerate() {
        if at % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// The help of a verb, asked once each.
fn help(verb: &[String]) -> String {
    static KNOWN: Mutex<BTreeMap<Vec<String>, String>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().expect("no test has failed in it");
    let entry = known.entry(verb.to_vec());
    entry
        .or_insert_with(|| {
            let output = Command::new(linchpin_path()).args(verb).arg("--help").output().expect("runs");
            if output.status.success() { String::from_utf8_lossy(&output.stdout).into_owned() } else { String::new() }
        })
        .clone()
}

/// The longest beginning of some words that is a verb.
fn verb_of(words: &[String]) -> Vec<String> {
    let is_name = |word: &&String| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') && !word.starts_with('-')
    };
    let mut verb: Vec<String> = words.iter().take_while(is_name).take(3).cloned().collect();
    while !verb.is_empty()
        && !help(&verb).lines().any(|line| line.starts_with(&format!("Usage: linchpin {}", verb.join(" "))))
    {
        verb.pop();
    }
    verb
}

/// What a message names and what there is not: verbs behind `linchpin`, and flags of them or of the verb that spoke.
fn missing(spoke: &[String], message: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut helps = help(&verb_of(spoke));
    let mut rest = message;
    while let Some(at) = rest.find("linchpin ") {
        rest = &rest[at + "linchpin ".len()..];
        let named: Vec<String> = rest
            .split(|c: char| c.is_whitespace())
            .map(|word| word.trim_end_matches(['`', ',', ';', ':', '.', ')', '\'']).to_owned())
            .take(3)
            .collect();
        let first = named.first().cloned().unwrap_or_default();
        let is_verb = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_lowercase());
        if is_verb && !["server", "and", "is", "or", "serves", "answers", "linchpin"].contains(&first.as_str()) {
            let verb = verb_of(&named);
            if verb.is_empty() {
                wrong.push(format!("there is no `linchpin {first}`"));
            }
            helps += &help(&verb);
        }
    }
    for flag in message.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).filter(|word| word.starts_with("--"))
    {
        let is_flag = flag.len() > 2 && !spoke.contains(&flag.to_owned());
        if is_flag && !helps.contains(flag) {
            wrong.push(format!("{flag} is no flag of `linchpin {}`", verb_of(spoke).join(" ")));
        }
    }
    wrong
}

fn files(folder: &Path) {
    let put = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("writes");
    put("empty.toml", "");
    put("broken.toml", "listen = [\n");
    put("string.toml", "[listen]\nplain = \"127.0.0.1:8080\"\n[data]\ndir = \"/nowhere\"\n");
    put("ready.json", "{\"devices\":[],\"plain\":\"127.0.0.1:1\"}");
    std::fs::create_dir(folder.join("files")).expect("makes");
}

#[test]
fn wrong_inputs_are_answered_with_value_limit_and_next_step() {
    assert!(WRONG.len() >= 120, "{} inputs", WRONG.len());
    let (server, folder) = (Server::dev().start(), Folder::new());
    files(folder.path());
    let mut wrong = Vec::new();
    for (line, status, wanted) in WRONG {
        let (line, adds_data) = line.strip_prefix("! ").map_or((*line, true), |rest| (rest, false));
        let fill = |word: String| {
            let word = word.replace('@', server.data_path().to_str().expect("UTF-8"));
            word.replace('%', folder.path().to_str().expect("UTF-8"))
        };
        // Addresses of people have an @ of their own.
        let args: Vec<String> =
            words(line).into_iter().map(|word| if word.contains("@b.") { word } else { fill(word) }).collect();
        let mut command = Command::new(linchpin_path());
        command.args(&args).env("NO_COLOR", "1").env("HOME", folder.path()).env_remove("XDG_DATA_HOME");
        command.current_dir(folder.path()).env_remove("LINCHPIN_CONFIG").stdin(std::process::Stdio::null());
        if adds_data && !line.contains("--data") {
            command.arg("--data").arg(server.data_path());
        }
        let output = command.output().expect("runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let mut faults = Vec::new();
        if output.status.code() != Some(*status) {
            faults.push(format!("status {:?}, wanted {status}", output.status.code()));
        }
        faults.extend(wanted.iter().filter(|word| !said.contains(**word)).map(|word| format!("does not say {word:?}")));
        faults.extend(missing(&args, &said));
        if said.contains("panicked") || said.contains("os error 2)") && said.len() < 60 {
            faults.push("is no message".to_owned());
        }
        if !faults.is_empty() {
            wrong.push(format!("linchpin {line}: {}\n    {}", faults.join("; "), said.trim().replace('\n', "\n    ")));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), WRONG.len(), wrong.join("\n"));
}

#[test]
fn the_look_at_messages_finds_what_is_not_there() {
    let spoke = |line: &str| words(line);
    assert_eq!(missing(&spoke("status"), "start one with `linchpin dev`, or name --data; --help").len(), 0);
    assert_eq!(missing(&spoke("status"), "see `linchpin staus` and --plain").len(), 2);
    assert_eq!(missing(&spoke("device list"), "linchpin backup list --from PLACE").len(), 0);
}

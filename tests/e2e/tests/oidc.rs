//! Signing in at another server: oidc-provider (npm), with PKCE, against the binary.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use linchpin_compat::{Folder, Server, installed_path};
use linchpin_e2e::{ApiAnswer, Browser, create_person, password_hash};
use serde_json::json;

const PASSWORD: &str = "a lamp in the harbour";
const BOB: &str = "bob@example.com";
const URL: &str = "http://127.0.0.1:1";

/// The other server; ends when dropped.
struct Partner {
    child: Child,
    /// Held open: it warns of its own parts there, and ends when nobody reads.
    _output: BufReader<ChildStdout>,
    port: u16,
    folder: Folder,
}

impl Drop for Partner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Partner {
    fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("oidc/partner.mjs");
        let mut child = Command::new("node")
            .arg(script)
            .arg(format!("{URL}/api/v1/oidc/1/callback"))
            .arg(installed_path().join("oidc"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node is installed: run make setup");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        output.read_line(&mut line).expect("its port");
        let port = line.trim().parse().unwrap_or_else(|_| panic!("oidc-provider said {line:?}: run make setup"));
        Self { child, _output: output, port, folder: Folder::new() }
    }

    /// What a browser gets there, by its own cookies: where it is sent next, and the page.
    fn browse(&self, name: &str, address: &str, form: Option<&str>) -> (Option<String>, String) {
        let jar: PathBuf = self.folder.path().join(name);
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "60", "--include", "-c"]).arg(&jar).arg("-b").arg(&jar);
        if let Some(form) = form {
            curl.args(["--data", form]);
        }
        let output = curl.arg(address).output().expect("curl is installed");
        assert!(output.status.success(), "{address}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let next = text.lines().find_map(|line| line.strip_prefix("Location: ").or(line.strip_prefix("location: ")));
        let root = format!("http://127.0.0.1:{}", self.port);
        let next = next.map(|next| if next.starts_with('/') { format!("{root}{next}") } else { next.to_owned() });
        (next, text)
    }

    /// Sign in there as somebody, and agree: the path with which the browser comes back.
    fn sign_in(&self, address: &str, name: &str) -> String {
        let mut next = address.to_owned();
        for _ in 0..12 {
            if let Some(path) = next.strip_prefix(URL) {
                return path.to_owned();
            }
            let (sent, page) = self.browse(name, &next, None);
            next = match sent {
                Some(sent) => sent,
                None => {
                    let prompt = if page.contains("value=\"login\"") { "login" } else { "consent" };
                    let form = format!("prompt={prompt}&login={name}&password=x");
                    self.browse(name, &next, Some(&form)).0.unwrap_or_else(|| panic!("{page}"))
                }
            };
        }
        panic!("it sends the browser around: {next}");
    }
}

fn config(partner: &Partner, secret: &Path, extra: &str) -> String {
    std::fs::write(secret, "canary-oidc-secret\n").expect("writes into its own folder");
    format!(
        "[listen]\nplain = [\"127.0.0.1:0\"]\n[data]\ndir = \"@/data\"\n[console]\npublic_url = \"{URL}\"\n\
         [[oidc]]\nname = \"Company\"\nissuer = \"http://127.0.0.1:{}\"\nclient_id = \"iot\"\n\
         client_secret = \"file:{}\"\n{extra}\n",
        partner.port,
        secret.display()
    )
}

fn start(browser: &mut Browser) -> String {
    let started = browser.ask_raw("GET", "/api/v1/oidc/1/start", &[], None);
    assert_eq!(started.status, 302, "{started:?}");
    started.field("location").expect("a place").to_owned()
}

/// As a program; a browser says besides that it is led here from another site.
fn come_back(browser: &mut Browser, path: &str) -> ApiAnswer {
    browser.ask_raw("GET", path, &["Sec-Fetch-Site: cross-site".to_owned()], None)
}

/// Where a person's browser is led in the end.
fn led(browser: &mut Browser, path: &str) -> String {
    let fields = ["Sec-Fetch-Site: cross-site".to_owned(), "Sec-Fetch-Mode: navigate".to_owned()];
    let answer = browser.ask_raw("GET", path, &fields, None);
    assert_eq!(answer.status, 302, "{answer:?}");
    answer.field("location").expect("a place").to_owned()
}

#[test]
fn threat_22_people_sign_in_elsewhere_by_a_verified_address_or_a_link() {
    let partner = Partner::start();
    let secret = partner.folder.path().join("secret");
    let server = Server::serve(&config(&partner, &secret, "domains = [\"example.com\"]")).start();
    create_person(&server, 1, "admin", BOB, PASSWORD);
    create_person(&server, 1, "staff", "unverified@example.com", PASSWORD);
    let mut bob = Browser::new(&server);
    let list = bob.get("/oidc").good();
    assert_eq!((&list["items"][0]["id"], &list["items"][0]["name"]), (&json!(1), &json!("Company")));
    let address = start(&mut bob);
    assert!(address.contains("code_challenge_method=S256") && address.contains("nonce="), "{address}");
    let back = partner.sign_in(&address, "bob");
    // Another browser cannot use what this one began, and then it is over for this one, too.
    come_back(&mut Browser::new(&server), &back).expect_problem(410, "E0613");
    come_back(&mut bob, &back).expect_problem(410, "E0613");
    let back = partner.sign_in(&start(&mut bob), "bob");
    let mixed = back.replace("iss=http", "iss=https");
    assert_ne!(mixed, back, "the server says who it is");
    come_back(&mut bob, &mixed).expect_problem(401, "E0604");
    let back = partner.sign_in(&start(&mut bob), "bob");
    let forged = back.replace("code=", "code=x");
    come_back(&mut bob, &forged).expect_problem(401, "E0604");
    let back = partner.sign_in(&start(&mut bob), "bob");
    let signed = come_back(&mut bob, &back);
    assert_eq!((signed.status, signed.field("location")), (302, Some("/devices")), "{signed:?}");
    let cookie = signed.fields.iter().find(|(name, value)| name == "set-cookie" && value.contains("session"));
    assert!(cookie.is_some_and(|(_, value)| value.contains("HttpOnly") && value.contains("SameSite=Strict")));
    let me = bob.get("/me").good();
    assert_eq!(me["user"]["email"], BOB);
    come_back(&mut bob, &back).expect_problem(410, "E0613");
    // A person does not see JSON, but the page where they sign in.
    assert_eq!(led(&mut bob, &back), "/sign-in?elsewhere=E0613");
    // Somebody whom nobody invited, and somebody whose address was not verified.
    for name in ["mallory", "unverified"] {
        let mut other = Browser::new(&server);
        let back = partner.sign_in(&start(&mut other), name);
        come_back(&mut other, &back).expect_problem(401, "E0604");
        other.get("/me").expect_problem(401, "E0602");
    }
    // It stands in the audit log; no secret and no address in the log.
    let log = bob.get("/orgs/1/audit").good().to_string();
    assert!(log.contains("user.identity-link"), "{log}");
    let log = server.log();
    for canary in ["canary-oidc-secret", BOB, "?code=", "&code=", "lps_"] {
        let line = log.lines().find(|line| line.contains(canary));
        assert!(line.is_none(), "{canary}: {line:?}");
    }
}

#[test]
fn an_identity_is_linked_by_whoever_is_signed_in_and_ends_when_it_is_unlinked() {
    let partner = Partner::start();
    let secret = partner.folder.path().join("secret");
    // The server speaks for no domain: its addresses count for nothing.
    let server = Server::serve(&config(&partner, &secret, "")).start();
    create_person(&server, 1, "admin", BOB, PASSWORD);
    let mut stranger = Browser::new(&server);
    let back = partner.sign_in(&start(&mut stranger), "bob");
    come_back(&mut stranger, &back).expect_problem(401, "E0604");
    let mut bob = Browser::new(&server);
    let _ = bob.sign_in(BOB, PASSWORD, None).good();
    let address = bob.post("/oidc/1/link", &json!({})).good()["location"].as_str().expect("a place").to_owned();
    // At the other server he is called otherwise.
    let back = partner.sign_in(&address, "robert");
    assert_eq!(come_back(&mut bob, &back).status, 302);
    let mut again = Browser::new(&server);
    let back = partner.sign_in(&start(&mut again), "robert");
    assert_eq!(come_back(&mut again, &back).status, 302);
    assert_eq!(again.get("/me").good()["user"]["email"], BOB);
    // Whoever is signed out meanwhile links nothing more.
    let mut late = Browser::new(&server);
    let _ = late.sign_in(BOB, PASSWORD, None).good();
    let address = late.post("/oidc/1/link", &json!({})).good()["location"].as_str().expect("a place").to_owned();
    let back = partner.sign_in(&address, "rob");
    let _ = late.ask("DELETE", "/session", None);
    come_back(&mut late, &back).expect_problem(401, "E0602");
    // A second factor is due as ever.
    let _ = bob.post("/session/step-up", &json!({"hash": password_hash(BOB, PASSWORD)})).good();
    let secret = bob.post("/me/totp", &json!({})).good()["secret"].as_str().expect("a secret").to_owned();
    let code = linchpin_e2e::totp(&secret, 0);
    let _ = bob.post("/me/totp/confirm", &json!({"code": code})).good();
    let back = partner.sign_in(&start(&mut again), "robert");
    assert_eq!(come_back(&mut again, &back).status, 302);
    again.get("/orgs/1/users").expect_problem(403, "E0608");
    assert_eq!(bob.ask("DELETE", "/oidc/1/link", None).status, 204);
    let back = partner.sign_in(&start(&mut again), "robert");
    come_back(&mut again, &back).expect_problem(401, "E0604");
}

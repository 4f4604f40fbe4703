//! `fixtures/permissions.toml`: who may do what over HTTP, by hand. Here it is compared with the routes that there are, and
//! made into docs/permissions.md; `tests/e2e/tests/permissions` tries it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

/// A line of the table; the head of the file says what its fields mean.
#[derive(Clone, Debug)]
pub struct PermissionLine {
    /// `operationId` of docs/openapi.json.
    pub name: String,
    /// Which of several lines of a route; may be empty.
    pub case: String,
    /// Letters of the roles.
    pub may: String,
    /// May a key?
    pub key: bool,
    /// How far the role must reach; may be empty.
    pub reach: String,
    /// The query, without `?`; may be empty.
    pub query: String,
    /// The body; may be empty.
    pub body: String,
    /// What comes of ids of other organizations.
    pub foreign: u16,
    /// What comes of it in an organization that the caller does not see.
    pub missing: u16,
    /// It names an organization.
    pub has_place: bool,
    /// Also while a second factor is due.
    pub half: bool,
    /// Roles for which another's device does not exist, though they may not do it with their own either.
    pub unseen: String,
    /// Its device has no template.
    pub is_bare: bool,
    /// The test that tries those who may; empty: the matrix does.
    pub elsewhere: String,
}

/// The whole file.
#[derive(Clone, Debug)]
pub struct PermissionTable {
    /// Its lines.
    pub lines: Vec<PermissionLine>,
    /// Rows for whoever comes, with what they must send.
    pub open: BTreeMap<String, String>,
    /// Routes that are no rows, with who may.
    pub others: BTreeMap<String, String>,
}

const FIELDS: [&str; 14] = [
    "name",
    "case",
    "may",
    "key",
    "reach",
    "query",
    "body",
    "foreign",
    "missing",
    "place",
    "half",
    "unseen",
    "device",
    "elsewhere",
];

impl PermissionTable {
    /// Read the file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
        let rows = file.get("row").and_then(toml::Value::as_array).ok_or("no rows")?;
        let texts = |name: &str| -> BTreeMap<String, String> {
            let all = file.get(name).and_then(toml::Value::as_table).cloned().unwrap_or_default();
            all.into_iter().map(|(key, value)| (key, value.as_str().unwrap_or_default().to_owned())).collect()
        };
        let lines = rows.iter().map(line).collect::<Result<_, _>>()?;
        Ok(Self { lines, open: texts("open"), others: texts("others") })
    }

    /// Routes without a line, lines without a route, and lines that say what cannot be.
    #[must_use]
    pub fn wrong(&self, openapi: &Value, other_routes: &BTreeSet<String>) -> Vec<String> {
        let mut wrong = Vec::new();
        let routes = routes(openapi);
        for (name, route) in &routes {
            let lines = self.lines.iter().filter(|line| line.name == *name).count();
            let needs_nothing = route.needs == "nothing";
            if self.open.contains_key(name) != needs_nothing || (lines == 0) != needs_nothing {
                let route = &route.route;
                wrong.push(format!(
                    "{route} ({name}): write in tests/fixtures/permissions.toml who may use it, by hand"
                ));
            }
        }
        let named = self.lines.iter().map(|line| &line.name).chain(self.open.keys());
        wrong.extend(named.filter(|name| !routes.contains_key(*name)).map(|name| format!("there is no route {name}")));
        let known: BTreeSet<String> = self.others.keys().cloned().collect();
        wrong.extend(known.symmetric_difference(other_routes).map(|path| {
            format!("{path}: a route outside of the table of commands, and [others] of tests/fixtures/permissions.toml")
        }));
        wrong
    }

    /// docs/permissions.md.
    #[must_use]
    pub fn page(&self, openapi: &Value) -> String {
        let routes = routes(openapi);
        let mut page = String::from(
            "# Who may do what over HTTP\n\nMade from tests/fixtures/permissions.toml, which is written by hand and tried for every \
             role in every place by `cargo test -p linchpin-e2e --test permissions` \
             (`LINCHPIN_BLESS=1 cargo test -p linchpin-tests` writes this page).\n\nA role counts in the organization where it was \
             given, and in those below it if it reaches there. For everybody else an organization, and all that is in it, does \
             not exist: 404. Who sees it and may not gets 403.\n\n- *own*: with devices that one owns, or that are shared for \
             this; a list shows those.\n- *below*: only with a role that reaches the organizations below.\n- Key: a key that \
             holds everything that keys can hold. No key ever reaches what is for people: passwords, factors, roles, keys, \
             privacy.\n- Whoever has no session and no key gets 401; who owes a second factor 403 (E0603); what changes \
             something without the mark against forged requests 403 (E0606).\n\n\
             | route | command | needs | Admin | Staff | User | Viewer | Installer | key |\n|---|---|---|---|---|---|---|---|---|\n",
        );
        for line in &self.lines {
            let Some(Route { route, needs }) = routes.get(&line.name) else { continue };
            let case = if line.case.is_empty() { String::new() } else { format!(", {}", line.case) };
            let _ = write!(page, "| `{route}` | {}{case} | {needs} |", line.name);
            for letter in "ASUVI".chars() {
                let may = match (line.may.contains(letter), line.may.contains(letter.to_ascii_lowercase())) {
                    (true, _) if !line.reach.is_empty() => "below",
                    (true, _) => "yes",
                    (_, true) => "own",
                    _ => "-",
                };
                let _ = write!(page, " {may} |");
            }
            let _ = writeln!(page, " {} |", if line.key { "yes" } else { "-" });
        }
        page +=
            "\n## For whoever comes\n\nWhat they send is the proof.\n\n| route | command | proof |\n|---|---|---|\n";
        for (name, proof) in &self.open {
            let route = routes.get(name).map_or("", |route| &route.route);
            let _ = writeln!(page, "| `{route}` | {name} | {proof} |");
        }
        page += "\n## Outside of the table of commands\n\n| route | who |\n|---|---|\n";
        for (path, who) in &self.others {
            let _ = writeln!(page, "| `{path}` | {who} |");
        }
        page
    }
}

fn line(row: &toml::Value) -> Result<PermissionLine, String> {
    let row = row.as_table().ok_or("a row that is no table")?;
    let text = |name: &str| row.get(name).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
    let status = |name: &str| row.get(name).and_then(toml::Value::as_integer).unwrap_or(404) as u16;
    let name = text("name");
    if let Some(field) = row.keys().find(|field| !FIELDS.contains(&field.as_str())) {
        return Err(format!("{name}: no field is called {field}"));
    }
    let may = text("may");
    let is_role = |letter: char| "ASUVI".contains(letter.to_ascii_uppercase());
    if may.is_empty() || !may.chars().all(is_role) || !may.starts_with('A') {
        return Err(format!("{name}: {may:?} is no list of roles; Admin may everything"));
    }
    if !["", "below", "second", "inherited"].contains(&&*text("reach")) {
        return Err(format!("{name}: an unknown reach"));
    }
    Ok(PermissionLine {
        name,
        case: text("case"),
        may,
        key: row.get("key").and_then(toml::Value::as_bool).unwrap_or(false),
        reach: text("reach"),
        query: text("query"),
        body: text("body"),
        foreign: status("foreign"),
        missing: status("missing"),
        has_place: text("place") != "none",
        half: text("half") == "yes",
        unseen: text("unseen"),
        is_bare: text("device") == "bare",
        elsewhere: text("elsewhere"),
    })
}

/// A route of docs/openapi.json.
struct Route {
    /// Method and path.
    route: String,
    /// Who may, as the table of commands says.
    needs: String,
}

fn routes(openapi: &Value) -> BTreeMap<String, Route> {
    let mut found = BTreeMap::new();
    for (path, methods) in openapi["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let text = |name: &str| operation[name].as_str().unwrap_or_default().to_owned();
            let route = format!("{} {path}", method.to_uppercase());
            found.insert(text("operationId"), Route { route, needs: text("x-needs") });
        }
    }
    found
}

/// Paths that sources of the HTTP part of control add to the router by themselves; those for tests only are left out.
#[must_use]
pub fn other_routes(sources: &[(String, String)]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (path, text) in sources {
        if !path.starts_with("engine/control/src/http/") || path.ends_with("tests.rs") {
            continue;
        }
        let joined: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for rest in joined.split(".route(").skip(1) {
            let literal = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
            found.extend(literal.filter(|path| !path.starts_with("/api/v1/test/")).map(str::to_owned));
        }
    }
    found
}

/// What is wrong with docs/threats.md: threats of 25 without a test, tests that do not exist. `text_of`: a source file.
#[must_use]
pub fn wrong_threats(page: &str, text_of: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    for number in 1..=25 {
        let front = format!("| {number} | ");
        let Some(line) = page.lines().find(|line| line.starts_with(&front)) else {
            wrong.push(format!("threat {number} has no line"));
            continue;
        };
        let quoted: Vec<&str> = line.rsplit(" | ").next().unwrap_or_default().split('`').skip(1).step_by(2).collect();
        let is_built = !line.contains("not built yet");
        if (quoted.len() < 2 || !quoted.len().is_multiple_of(2)) && is_built {
            wrong.push(format!("threat {number} has no test"));
        }
        for pair in quoted.chunks_exact(2) {
            let (path, name) = (pair[0], pair[1]);
            if !text_of(path).is_some_and(|text| text.contains(&format!("fn {name}("))) {
                wrong.push(format!("threat {number}: {path} has no test {name}"));
            }
        }
    }
    wrong
}

/// Parameters whose names say that they are addresses to call.
#[must_use]
pub fn addresses_to_call(openapi: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for operation in openapi["paths"].as_object().into_iter().flatten().flat_map(|(_, methods)| methods.as_object()) {
        for (_, operation) in operation {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            found.extend(parameters.filter_map(|parameter| parameter["name"].as_str().map(str::to_owned)));
            properties(openapi, &operation["requestBody"], 0, &mut found);
        }
    }
    let words = ["url", "uri", "host", "endpoint", "issuer", "webhook", "callback", "server", "proxy"];
    found.retain(|name| words.iter().any(|word| name.to_lowercase().contains(word)));
    found
}

/// Names of all properties in a schema.
fn properties(document: &Value, schema: &Value, depth: usize, found: &mut BTreeSet<String>) {
    if depth > 16 {
        return;
    }
    match schema {
        Value::Object(fields) => {
            if let Some(path) = fields.get("$ref").and_then(Value::as_str) {
                let referred = document.pointer(path.trim_start_matches('#')).unwrap_or(&Value::Null);
                properties(document, referred, depth + 1, found);
            }
            if let Some(Value::Object(named)) = fields.get("properties") {
                found.extend(named.keys().cloned());
            }
            fields.values().for_each(|inner| properties(document, inner, depth + 1, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| properties(document, inner, depth + 1, found)),
        _ => {}
    }
}

//! The rules of the source tree, applied to it, and each on something that breaks it.

use std::collections::BTreeSet;

use linchpin_tests as rules;
use linchpin_tests::tree;
use linchpin_tests::tree::files::{expect_none, files, read, root};

fn manifests() -> Vec<toml::Table> {
    let all = files("Cargo.toml")
        .into_iter()
        .map(|(path, text)| text.parse::<toml::Table>().unwrap_or_else(|e| panic!("{path}: {e}")));
    all.filter(|manifest| manifest.contains_key("package")).collect()
}

#[test]
fn crates_use_only_what_the_design_allows() {
    expect_none(manifests().iter().flat_map(rules::wrong_arrows));
    let found: Vec<_> =
        manifests().iter().map(|m| m["package"]["name"].as_str().unwrap_or_default().to_owned()).collect();
    for (name, _) in rules::ARROWS {
        assert!(found.contains(&(*name).to_owned()), "{name} is in the design and not in the tree");
    }
    let bad: toml::Table =
        "[package]\nname = 'linchpin-shard'\n[dependencies]\nlinchpin-driver = '1'\ntokio = '1'".parse().expect("TOML");
    assert_eq!(rules::wrong_arrows(&bad).len(), 2);
}

#[test]
fn every_crate_takes_the_lints_that_forbid_unsafe() {
    // The fuzz targets are a workspace of their own: libfuzzer's macro needs unsafe.
    let ours = manifests().into_iter().filter(|m| m["package"]["name"].as_str() != Some("linchpin-fuzz"));
    expect_none(ours.filter_map(|manifest| rules::lints_missing(&manifest)));
    let workspace: toml::Table = read("Cargo.toml").parse().expect("TOML");
    assert_eq!(workspace["workspace"]["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
    let bad: toml::Table = "[package]\nname = 'linchpin-tls'".parse().expect("TOML");
    assert!(rules::lints_missing(&bad).is_some());
}

#[test]
fn unsafe_is_in_the_driver_and_has_reasons() {
    expect_none(
        files(".rs")
            .iter()
            .filter(|(path, _)| !path.starts_with("tests/"))
            .flat_map(|(p, s)| rules::wrong_unsafe(p, s)),
    );
    assert_eq!(rules::wrong_unsafe("engine/shard/src/x.rs", "// SAFETY: no\nunsafe { f() }").len(), 1);
    assert_eq!(rules::wrong_unsafe("engine/driver/src/x.rs", "unsafe { f() }").len(), 1);
    assert_eq!(rules::wrong_unsafe("engine/driver/src/x.rs", "// SAFETY: f has no rules\nunsafe { f() }").len(), 0);
}

#[test]
fn files_are_short() {
    let long = files(".rs")
        .into_iter()
        .filter_map(|(path, text)| rules::too_long(&text).map(|n| format!("{path}: {n} lines")));
    expect_none(long);
    assert!(rules::too_long(&"x\n".repeat(rules::FILE_LINES + 1)).is_some());
}

/// A ratchet: what is longer than it should be stands in the list with its length, and may only get shorter.
#[test]
fn functions_are_short_or_in_the_list_of_those_to_shorten() {
    let list: toml::Table = read("tests/fixtures/tidy.toml").parse().expect("TOML");
    let known = list["functions"].as_table().expect("a table");
    let mut wrong = Vec::new();
    let mut seen = Vec::new();
    for (path, text) in files(".rs").iter().filter(|(path, _)| !path.starts_with("tests/") && !path.contains("/tests/"))
    {
        for (name, lines) in
            rules::functions(rules::without_tests(text)).into_iter().filter(|f| f.1 > rules::FUNCTION_LINES)
        {
            let key = format!("{path}:{name}");
            let allowed = known.get(&key).and_then(toml::Value::as_integer).unwrap_or(0);
            if lines as i64 > allowed {
                wrong.push(format!(
                    "{key} has {lines} lines, {} are allowed",
                    allowed.max(rules::FUNCTION_LINES as i64)
                ));
            }
            seen.push(key);
        }
    }
    wrong.extend(
        known.keys().filter(|key| !seen.contains(key)).map(|key| format!("{key} is short now: take it from the list")),
    );
    expect_none(wrong);
    let long = format!("fn f() {{\n{}}}\n", "    x();\n".repeat(80));
    assert_eq!(rules::functions(&long), [("f".to_owned(), 82)]);
}

#[test]
fn names_say_something() {
    let ours = files(".rs").into_iter().filter(|(path, _)| !path.contains("/tests/") && !path.starts_with("tests/"));
    expect_none(ours.flat_map(|(path, text)| rules::banned_names(&path, &text)));
    assert_eq!(rules::banned_names("a/src/utils.rs", "pub struct ConnectionManager;\nstruct Database;").len(), 2);
}

#[test]
fn nothing_is_unfinished_or_switched_off() {
    expect_none(files(".rs").iter().flat_map(|(path, text)| rules::unfinished(path, text)));
    assert_eq!(rules::unfinished("x.rs", concat!("    to", "do!()")).len(), 1);
}

#[test]
fn the_core_needs_few_crates() {
    let roots = ["linchpin-shard", "linchpin-tls", "linchpin-driver", "linchpin-protocol", "linchpin-storage"];
    let mut tree = std::process::Command::new(env!("CARGO"));
    tree.args(["tree", "--locked", "--quiet", "--edges", "normal", "--prefix", "none"]);
    for root in roots {
        tree.args(["--package", root]);
    }
    let printed = tree.output().expect("cargo runs");
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let needed = rules::crates_needed(&String::from_utf8_lossy(&printed.stdout));
    assert!(roots.iter().all(|root| needed.contains(*root)), "the tree is not ours: {needed:?}");
    assert!(needed.len() > 20, "the walk found only {needed:?}");
    assert!(needed.len() < 150, "{} crates: {needed:?}", needed.len());
}

/// Generated pages are what the sources say; `LINCHPIN_BLESS=1` writes them.
fn expect_page(path: &str, page: &str) {
    if std::env::var_os("LINCHPIN_BLESS").is_some() {
        std::fs::write(root().join(path), page).expect("writes the page");
    }
    assert!(read(path) == page, "{path} is not what the sources say: LINCHPIN_BLESS=1 cargo test -p linchpin-tests");
}

#[test]
fn docs_list_every_limit() {
    let sources: Vec<_> =
        files("limits.rs").into_iter().filter(|(path, _)| !path.split('/').any(|part| part == "tests")).collect();
    let count: usize = sources.iter().map(|(_, text)| rules::limits(text).len()).sum();
    assert!(count > 80, "only {count} limits were found");
    for (path, text) in &sources {
        for limit in rules::limits(text) {
            assert!(limit.meaning.len() > 10, "{path}: {} says nothing of itself", limit.name);
        }
    }
    let page = rules::limits_page(&sources);
    // Sizes that no assertion holds would be wrong one day.
    for limit in sources.iter().flat_map(|(_, text)| rules::limits(text)).filter(rules::Limit::is_of_structure) {
        let asserted = format!("limits::{})", limit.name);
        let is_held = files(".rs").iter().any(|(_, text)| text.contains("size_of::<") && text.contains(&asserted));
        assert!(is_held, "no assert!(size_of::<..>() == ..limits::{}) anywhere", limit.name);
    }
    expect_page("docs/limits.md", &page);
}

#[test]
fn docs_list_every_end() {
    let (ends, refusals) = (read("engine/shard/src/end.rs"), read("engine/shard/src/live/refusal.rs"));
    let page = rules::errors_page(&ends, &refusals).expect("two catalogues");
    assert!(page.lines().count() > 25, "{page}");
    expect_page("docs/errors.md", &page);
    assert!(rules::errors_page("nothing", &refusals).is_err() && rules::errors_page(&ends, "nothing").is_err());
}

#[test]
fn nothing_names_the_workshop() {
    let words = [
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("index.cra", "tes.io"),
        concat!("registry.npm", "js.org"),
        concat!("pypi", ".org"),
    ];
    let mut wrong = Vec::new();
    for ending in [".rs", ".md", ".sh", ".toml", ".py", ".js", "Makefile"] {
        for (path, text) in files(ending) {
            wrong.extend(words.iter().filter(|word| text.contains(**word)).map(|word| format!("{path} names {word}")));
        }
    }
    expect_none(wrong);
}

/// A ratchet: the circles that are left stand in the list; a new one, or one that grew, does not pass.
#[test]
fn files_are_in_no_new_circle() {
    let list: toml::Table = read("tests/fixtures/tidy.toml").parse().expect("TOML");
    let known: Vec<BTreeSet<String>> = list["circles"].clone().try_into().expect("lists of files");
    let roots = manifests_in_product();
    assert!(roots.len() >= 8, "{roots:?}");
    let sources: Vec<_> = files(".rs").into_iter().filter(|(path, _)| tree::is_product(path)).collect();
    let mut wrong = Vec::new();
    let mut seen = Vec::new();
    for root in roots {
        let own: Vec<_> = sources.iter().filter(|(path, _)| path.starts_with(&root)).cloned().collect();
        for circle in tree::circles::circles(&root, &own) {
            if !known.iter().any(|allowed| circle.is_subset(allowed)) {
                wrong.push(format!("these use each other: {circle:?}"));
            }
            seen.extend(circle);
        }
    }
    let listed = known.iter().flatten();
    wrong.extend(
        listed.filter(|file| !seen.contains(*file)).map(|file| format!("{file} is in no circle now: take it out")),
    );
    expect_none(wrong);
}

/// `protocol/src/` and so on: the sources of each crate of the product.
fn manifests_in_product() -> Vec<String> {
    let all = files("Cargo.toml").into_iter().map(|(path, _)| path.replace("Cargo.toml", "src/"));
    all.filter(|root| root != "src/" && tree::is_product(&format!("{root}lib.rs"))).collect()
}

/// A ratchet: names that stand twice are in the list, with where; the list may only get shorter.
#[test]
fn a_type_has_a_name_of_its_own() {
    let list: toml::Table = read("tests/fixtures/tidy.toml").parse().expect("TOML");
    let known: BTreeSet<String> = list["twice"]["names"].clone().try_into().expect("names");
    let sources: Vec<_> = files(".rs").into_iter().filter(|(path, _)| tree::is_product(path)).collect();
    let found = tree::names::twice(sources.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let new = found.iter().filter(|(name, _)| !known.contains(*name));
    let mut wrong: Vec<_> = new.map(|(name, paths)| format!("{name} is defined in {paths:?}")).collect();
    wrong.extend(
        known.iter().filter(|name| !found.contains_key(*name)).map(|name| format!("{name} stands once: take it out")),
    );
    expect_none(wrong);
}

#[test]
fn documents_name_paths_that_exist() {
    let pages = files(".md");
    let count: usize = pages.iter().map(|(_, text)| tree::paths::named(text).len()).sum();
    assert!(count > 50, "only {count} paths were found");
    // The changelog and the record of a move name what was; performance.md cites raw files of its time.
    let current = pages.iter().filter(|(path, _)| path != "CHANGELOG.md" && !path.contains("decisions/"));
    expect_none(current.flat_map(|(path, text)| tree::paths::missing(&root(), path, text)));
}

#[test]
fn decisions_are_listed_with_date_and_status() {
    let is_record = |path: &str| path.starts_with("docs/decisions/") && !path.ends_with("README.md");
    let records: Vec<_> = files(".md").into_iter().filter(|(path, _)| is_record(path)).collect();
    assert!(records.len() > 30, "{} records", records.len());
    expect_page(
        "docs/decisions/README.md",
        &tree::decisions::index(&records).unwrap_or_else(|wrong| panic!("{wrong}")),
    );
}

/// Who may use a route is written by hand, and a route of which nothing is written does not pass.
#[test]
fn every_route_says_who_may_use_it() {
    let table = tree::permissions::PermissionTable::parse(&read("tests/fixtures/permissions.toml")).expect("a table");
    let openapi: serde_json::Value = serde_json::from_str(&read("docs/openapi.json")).expect("JSON");
    let others = tree::permissions::other_routes(&files(".rs"));
    assert!(others.len() > 4, "{others:?}");
    expect_none(table.wrong(&openapi, &others));
    expect_page("docs/permissions.md", &table.page(&openapi));
    let mut more = openapi;
    more["paths"]["/api/v1/new"]["post"] = serde_json::json!({"operationId": "new.thing", "x-needs": "org.view"});
    assert_eq!(table.wrong(&more, &others).len(), 1);
    let mut fewer = others;
    fewer.insert("/api/v1/door".to_owned());
    assert_eq!(table.wrong(&more, &fewer).len(), 2);
}

#[test]
fn every_threat_has_a_test() {
    let page = read("docs/threats.md");
    let text_of = |path: &str| std::fs::read_to_string(root().join(path)).ok();
    expect_none(tree::permissions::wrong_threats(&page, text_of));
    // What is not built says so, and only while it is not.
    let openapi = read("docs/openapi.json");
    assert_eq!(page.matches("not built yet").count(), usize::from(!openapi.contains("/oidc")));
    let less = page.replace("`threat_9_a_session_gets_another_token_with_each_proof`", "`threat_9_gone`");
    assert_eq!(tree::permissions::wrong_threats(&less, text_of).len(), 1);
    let cut: String = page.lines().filter(|line| !line.starts_with("| 14 ")).map(|line| format!("{line}\n")).collect();
    assert_eq!(tree::permissions::wrong_threats(&cut, text_of).len(), 1);
}

/// Threat 20: where the server calls is the operator's, in the configuration. A parameter that looks like an address must be
/// shown here to be none that is called.
#[test]
fn threat_20_nothing_that_people_send_is_fetched() {
    let mut openapi: serde_json::Value = serde_json::from_str(&read("docs/openapi.json")).expect("JSON");
    assert_eq!(tree::permissions::addresses_to_call(&openapi), BTreeSet::new());
    openapi["paths"]["/api/v1/new"]["post"] =
        serde_json::json!({"requestBody": {"content": {"x": {"schema": {"properties": {"webhook_url": {}}}}}}});
    assert_eq!(tree::permissions::addresses_to_call(&openapi), BTreeSet::from(["webhook_url".to_owned()]));
}

//! A file as a list of keys, to say what has changed in it.

use std::collections::BTreeMap;

use toml::{Table, Value};

/// Keys in dotted form with their values as TOML writes them; a list of tables has a number behind its name.
pub(super) fn flat(table: &Table) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    put_table(&mut keys, "", table);
    keys
}

fn put_table(keys: &mut BTreeMap<String, String>, prefix: &str, table: &Table) {
    for (name, value) in table {
        put(keys, &if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") }, value);
    }
}

fn put(keys: &mut BTreeMap<String, String>, name: &str, value: &Value) {
    match value {
        Value::Table(table) => put_table(keys, name, table),
        Value::Array(list) if list.iter().any(Value::is_table) => {
            list.iter().enumerate().for_each(|(at, item)| put(keys, &format!("{name}[{at}]"), item));
        }
        other => {
            keys.insert(name.to_owned(), other.to_string());
        }
    }
}

/// Does a reload bring a change of this key?
pub(crate) fn is_reloaded(key: &str) -> bool {
    let tables = ["limits.", "certificate["];
    tables.iter().any(|table| key.starts_with(table)) || ["tls.names", "tls.revoked"].contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_tables_and_numbers() {
        let text = "[listen]\nplain = [\"a:1\"]\n[limits]\nx = 1\n[[template]]\nid = \"T\"\n[[template.datastream]]\npin = \"V1\"\n";
        let keys = flat(&text.parse().expect("TOML"));
        let found: Vec<_> = keys.iter().map(|(key, value)| format!("{key} {value}")).collect();
        assert_eq!(
            found,
            ["limits.x 1", "listen.plain [\"a:1\"]", "template[0].datastream[0].pin \"V1\"", "template[0].id \"T\""]
        );
        assert!(is_reloaded("limits.x") && is_reloaded("certificate[0].chain") && !is_reloaded("listen.plain"));
    }
}

//! An operator upgrades the store of an older version and makes the first person, without a server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use linchpin_control::request::{AccessWhy, AuditVerify, UpgradeFinalize, UserCreate, UserList};
use linchpin_control::{Code, Keep, Offline as _, Upkeep};
use linchpin_storage::{Settings, Store, Unseal};
use zeroize::Zeroizing;

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() { copy(&path, &target) } else { assert!(std::fs::copy(&path, &target).is_ok()) }
    }
}

fn create(email: &str, role: &str, password: &str) -> UserCreate {
    let (email, role, password) = (email.to_owned(), role.to_owned(), password.to_owned());
    UserCreate { org: 1, role, email, name: "Eve".to_owned(), password }
}

#[test]
fn an_older_store_is_upgraded_and_gets_its_first_person() {
    let folder = std::env::temp_dir().join(format!("linchpin-operator-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let fixture = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../storage/tests/fixtures/store-9c54907");
    copy(&fixture, &folder);
    let unseal = Unseal::Key(Zeroizing::new([1; 32]));
    let store = Arc::new(Store::open(Settings::new(&folder, unseal.clone())).expect("opens"));
    let upkeep = Upkeep::new(Keep::new(Arc::clone(&store)), unseal, None);
    let eve = create("eve@example.com", "admin", "a lamp in the harbour");
    let refused = eve.carry_out(&upkeep).expect_err("there is no room yet");
    assert!(refused.text.contains("linchpin upgrade finalize"), "{refused}");
    let made = UpgradeFinalize {}.carry_out(&upkeep).expect("upgrades").made;
    assert!(made.iter().any(|family| family == "grant"), "{made:?}");
    let weak = create("eve@example.com", "admin", "password1").carry_out(&upkeep).expect_err("weak");
    assert_eq!(weak.code, Code::BadParameter);
    let made = eve.carry_out(&upkeep).expect("is made");
    let again = create("EVE@example.com", "staff", "a lamp in the harbour").carry_out(&upkeep).expect_err("taken");
    assert_eq!(again.code, Code::Conflict);
    let list = UserList { org: 1, after: None, limit: None }.carry_out(&upkeep).expect("lists").items;
    assert_eq!((list.len(), list[0].id, &*list[0].role_name, &*list[0].state), (1, made.user, "Admin", "active"));
    let why = |org, permission: &str| {
        let (email, permission) = ("eve@example.com".to_owned(), permission.to_owned());
        AccessWhy { email, org, permission }.carry_out(&upkeep).expect("explains").reasons
    };
    assert!(why(2, "device.edit")[0].starts_with("Yes"), "the role reaches organization 2, which is below");
    assert!(why(2, "server.manage")[0].starts_with("No"));
    let verified = AuditVerify { org: Some(1), checkpoints: Vec::new() }.carry_out(&upkeep).expect("is whole");
    let point = verified[0].checkpoint.clone().expect("there is an entry");
    assert_eq!((verified[0].last, point.number), (Some(0), 0));
    let forged = linchpin_control::request::CheckpointLine { number: 9, ..point.clone() };
    let asked = AuditVerify { org: Some(1), checkpoints: vec![point, forged] };
    assert!(asked.carry_out(&upkeep).expect_err("forged").text.contains("not signed by this server"));
    drop(upkeep);
    store.close().expect("closes");
    let _ = std::fs::remove_dir_all(&folder);
}

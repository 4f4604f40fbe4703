//! Folders of a store: what others own or may write into is not opened, and what a crash left is removed.

mod world;

use std::os::unix::fs::{PermissionsExt as _, chown};

use linchpin_storage::{Error, Store};
use world::{Folder, add_device, add_org, check_devices, close, files, open, settings};

#[test]
fn a_store_that_others_may_write_into_or_own_is_not_opened() {
    let folder = Folder::new("folders");
    let store = open(&folder.0).expect("opens");
    add_org(&store, 1, "Acme");
    add_device(&store, 1, 1).expect("commits");
    close(store);
    let path = folder.at("store");
    let set = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("is ours");
    set(0o777);
    let before: Vec<_> = files(&path).iter().map(|path| std::fs::read(path).expect("reads")).collect();
    let error = open(&folder.0).expect_err("others may write");
    assert!(matches!(error, Error::Folder { .. }) && error.to_string().contains("chmod"), "{error}");
    let after: Vec<_> = files(&path).iter().map(|path| std::fs::read(path).expect("reads")).collect();
    assert!(before == after, "something was written");
    set(0o700);
    if rustix::process::geteuid().is_root() {
        // Root must not leave files that the service cannot open; it may look.
        chown(&path, Some(65_534), None).expect("chowns");
        let error = open(&folder.0).expect_err("is another's");
        assert!(error.to_string().contains("sudo -u '#65534'"), "{error}");
        let look = Store::open_to_read(settings(&folder.0)).expect("a look writes nothing");
        check_devices(&look, 1, 1).expect("reads");
        drop(look);
        chown(&path, Some(0), None).expect("chowns");
    }
    std::fs::write(path.join("inventory.0123456789abcdef.part"), b"half").expect("writes");
    close(open(&folder.0).expect("opens"));
    assert!(files(&path).iter().all(|path| path.extension().is_none_or(|end| end != "part")));
}

/// A server starts with the descriptors that are left of its limit.
#[test]
fn a_new_store_holds_few_descriptors() {
    let folder = Folder::new("descriptors");
    let store = open(&folder.0).expect("opens");
    let held = || {
        let own = std::fs::read_dir("/proc/self/fd").expect("descriptors").flatten();
        own.filter_map(|entry| std::fs::read_link(entry.path()).ok()).filter(|path| path.starts_with(&folder.0)).count()
    };
    let at_first = held();
    assert!(at_first <= 16, "{at_first} descriptors");
    close(store);
    let store = open(&folder.0).expect("opens again");
    assert!(held() <= 16, "{} descriptors", held());
    close(store);
}

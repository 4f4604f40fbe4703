//! A thread of the store that panics: nothing is acknowledged afterwards, the store says so, reads go on, and what was
//! acknowledged before is there at the next start.

mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use linchpin_protocol::model::Pin;
use linchpin_storage::schema::Device;
use linchpin_storage::{Class, Settings, Steps, Store};
use world::{Folder, add_device, add_org, check_devices, device, device_key, org, settings};

/// Open a store whose thread panics at this step once it is armed.
fn store(folder: &Folder, step: &'static str) -> (Arc<AtomicBool>, Store) {
    let armed = Arc::new(AtomicBool::new(false));
    let is_armed = armed.clone();
    let steps = Steps::new(move |reached| {
        assert!(reached != step || !is_armed.load(Ordering::Relaxed), "the bug of this test");
    });
    (armed, Store::open(Settings { steps, ..settings(&folder.0) }).expect("opens"))
}

fn wait_for(what: &str, mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn nothing_is_acknowledged_once_a_thread_of_the_store_has_panicked() {
    for step in ["commit: group written", "lanes looked at", "inventory looked at", "expiry looked at"] {
        let folder = Folder::new("panics");
        let (armed, opened) = store(&folder, step);
        add_org(&opened, 1, "Acme");
        add_device(&opened, 1, 1).expect("commits");
        let mut lane = opened.telemetry_lane().expect("a lane");
        armed.store(true, Ordering::Relaxed);
        if step == "commit: group written" {
            // It is on its way when the thread dies: it must not be said to be there.
            assert!(add_device(&opened, 1, 2).is_err());
        }
        wait_for(step, || opened.figures().is_poisoned);
        for class in [Class::A, Class::B, Class::C] {
            let mut batch = opened.batch();
            batch.put(&device_key(1, 3), &world::a_device(3)).expect("fits");
            assert!(opened.commit(class, batch).is_err(), "{step}: {class:?} was acknowledged");
        }
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        lane.write(org(1), device(1), Pin::new_virtual(0), now.as_millis() as u64, b"7").expect("room");
        let _ = lane.close_batch();
        assert!(opened.store_all().is_err(), "{step}: telemetry was said to be stored");
        assert_eq!(opened.get::<Device>(&device_key(1, 1)).expect("reads go on"), Some(world::a_device(1)));
        assert!(opened.close().is_err(), "{step}: it does not say that all is well");
        drop(lane);
        drop(opened);
        let again = Store::open(settings(&folder.0)).unwrap_or_else(|error| panic!("{step}: {error}"));
        assert_eq!(again.get::<Device>(&device_key(1, 1)).expect("reads"), Some(world::a_device(1)));
        assert_eq!(again.get::<Device>(&device_key(1, 3)).expect("reads"), None, "{step}");
        again.verify().unwrap_or_else(|error| panic!("{step}: {error}"));
    }
}

#[test]
fn a_question_that_panics_ends_alone() {
    let folder = Folder::new("panic-reader");
    let store = Store::open(settings(&folder.0)).expect("opens");
    add_org(&store, 1, "Acme");
    add_device(&store, 1, 1).expect("commits");
    for _ in 0..10 {
        store.submit(|_| panic!("the bug of this test")).expect("room");
    }
    let (done, answer) = std::sync::mpsc::channel();
    store.submit(move |reads| drop(done.send(reads.get::<Device>(&device_key(1, 1))))).expect("room");
    let found = answer.recv_timeout(Duration::from_secs(20)).expect("is still answered").expect("reads");
    assert_eq!(found, Some(world::a_device(1)));
    assert!(!store.figures().is_poisoned);
    add_device(&store, 1, 2).expect("commits");
    check_devices(&store, 1, 2).expect("reads");
}

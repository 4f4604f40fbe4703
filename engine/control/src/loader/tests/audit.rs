//! Threat 23: the audit log shows what was done to it.

use linchpin_storage::Class;
use linchpin_storage::schema::{AuditEntry, AuditFace, AuditKey, OrgId};

use super::{World, org};
use crate::audit::{AuditAction, By, ChainFault, Checkpoint, Note, ObjectKind, verify};

fn filled(name: &str) -> World {
    let (world, _) = World::new(name);
    for number in 0..20u32 {
        let mut note = Note::new(AuditAction::RoleEdit, ObjectKind::Role, number, "Night");
        note = note.with("name", "a", number);
        world.loader.ledger().change(By::operator(), &[org(2)], world.now).commit(org(2), note).expect("is written");
    }
    world
}

fn check(world: &World, points: &[Checkpoint]) -> Result<crate::audit::ChainFound, ChainFault> {
    verify(world.store.as_ref(), org(2), points, &world.loader.ledger().public_key())
}

fn edit(world: &World, edit: impl FnOnce(&mut linchpin_storage::Batch)) {
    let mut batch = world.store.batch();
    edit(&mut batch);
    world.store.commit(Class::A, batch).expect("commits");
}

fn entry(world: &World, number: u64) -> AuditEntry {
    world.store.get::<AuditEntry>(&AuditKey::new(org(2), number)).expect("reads").expect("is there")
}

#[test]
fn threat_23_a_whole_chain_is_whole_with_and_without_faces() {
    let world = filled("whole");
    let found = check(&world, &[]).expect("is whole");
    assert_eq!((found.first, found.last.map(|(number, _)| number), found.faceless), (0, Some(19), 0));
    edit(&world, |batch| {
        batch.delete::<AuditFace>(&AuditKey::new(org(2), 7)).expect("fits");
        batch.delete::<AuditFace>(&AuditKey::new(org(2), 8)).expect("fits");
    });
    assert_eq!(check(&world, &[]).expect("an erased face breaks nothing").faceless, 2);
    // A new run goes on where the old one ended.
    let again = crate::audit::Ledger::new(std::sync::Arc::clone(&world.store));
    let note = Note::new(AuditAction::RoleEdit, ObjectKind::Role, 9u32, "x");
    again.change(By::operator(), &[org(2)], world.now).commit(org(2), note).expect("is written");
    assert_eq!(check(&world, &[]).expect("is whole").last.map(|(number, _)| number), Some(20));
}

#[test]
fn threat_23_what_was_dropped_swapped_or_changed_is_named() {
    let world = filled("dropped");
    let (third, fourth) = (entry(&world, 3), entry(&world, 4));
    edit(&world, |batch| batch.delete::<AuditEntry>(&AuditKey::new(org(2), 3)).expect("fits"));
    assert_eq!(check(&world, &[]), Err(ChainFault::Missing(3)));
    edit(&world, |batch| {
        batch.put(&AuditKey::new(org(2), 3), &fourth).expect("fits");
        batch.put(&AuditKey::new(org(2), 4), &third).expect("fits");
    });
    assert_eq!(check(&world, &[]).expect_err("swapped").number(), Some(3));
    edit(&world, |batch| {
        batch.put(&AuditKey::new(org(2), 3), &AuditEntry { action: 2, ..third.clone() }).expect("fits");
        batch.put(&AuditKey::new(org(2), 4), &fourth).expect("fits");
    });
    assert_eq!(check(&world, &[]), Err(ChainFault::Broken(4)), "the one behind it says so");
    edit(&world, |batch| {
        batch.put(&AuditKey::new(org(2), 3), &third).expect("fits");
        let face = AuditFace { object: "another".into(), at_ms: world.now, ..AuditFace::default() };
        batch.put(&AuditKey::new(org(2), 5), &face).expect("fits");
    });
    assert_eq!(check(&world, &[]), Err(ChainFault::Face(5)));
}

#[test]
fn threat_23_a_checkpoint_shows_a_cut_tail_and_a_rewritten_chain() {
    let world = filled("cut");
    let point = world.loader.ledger().checkpoint(org(2), world.now).expect("reads").expect("has entries");
    assert_eq!(point.number, 19);
    assert!(check(&world, std::slice::from_ref(&point)).is_ok());
    assert_eq!(check(&world, &[Checkpoint { number: 18, ..point }]), Err(ChainFault::Forged));
    let nineteenth = entry(&world, 19);
    edit(&world, |batch| {
        batch.delete::<AuditEntry>(&AuditKey::new(org(2), 19)).expect("fits");
        batch.delete::<AuditEntry>(&AuditKey::new(org(2), 18)).expect("fits");
    });
    assert!(check(&world, &[]).is_ok(), "without a checkpoint nobody sees it");
    assert_eq!(check(&world, std::slice::from_ref(&point)), Err(ChainFault::Cut(18)));
    // Somebody with the keys writes the end anew, with a chain that fits.
    let mut before = entry(&world, 17).digest();
    for number in 18..20 {
        let forged = AuditEntry { before, action: 2, face: [0; 32], ..nineteenth.clone() };
        before = forged.digest();
        edit(&world, |batch| {
            batch.put(&AuditKey::new(org(2), number), &forged).expect("fits");
            batch.delete::<AuditFace>(&AuditKey::new(org(2), number)).expect("fits");
        });
    }
    assert!(check(&world, &[]).is_ok());
    assert_eq!(check(&world, &[point]), Err(ChainFault::Rewritten(19)));
}

#[test]
fn refusals_are_capped_and_nothing_is_written_without_an_entry() {
    let (world, _) = World::new("refusals");
    for _ in 0..crate::limits::AUDIT_REFUSALS + 50 {
        let note = Note::new(AuditAction::SignInFailed, ObjectKind::Session, 0u32, "");
        world.loader.ledger().refuse(By::system(), org(3), note, world.now).expect("is written or capped");
    }
    let mut count = 0;
    let all = world.store.scan_org::<AuditEntry>(org(3), |_, _| {
        count += 1;
        std::ops::ControlFlow::Continue(())
    });
    all.expect("reads");
    assert_eq!(count, crate::limits::AUDIT_REFUSALS);
    // A change that is dropped leaves no trace and holds nothing up.
    drop(world.loader.ledger().change(By::operator(), &[OrgId::FIRST, org(3)], world.now));
    assert!(world.loader.ledger().checkpoint(org(3), world.now).expect("reads").is_some());
}

//! Erasing: people, at their own wish; organizations, whose key is destroyed.

use std::sync::Arc;
use std::time::Duration;

use crate::access::PersonRef;
use crate::access::right;
use crate::command::call::{RowCall, org_of};
use crate::command::desk::Desk;
use crate::command::request::{MeErase, OrgDelete, OrgErase};
use crate::command::session::set_cookie;
use crate::command::tree;
use crate::loader::LoaderFault;
use crate::loader::privacy::ErasedPerson;
use crate::{Code, CommandError, limits};

pub(in crate::command) fn erase_me(call: &RowCall, _: &MeErase) -> Result<(), CommandError> {
    call.loader()?.erase_myself(call.by(), call.myself()?, call.now_ms())?;
    set_cookie(call, None);
    call.extras(|extras| extras.status = Some(202));
    Ok(())
}

pub(in crate::command) async fn erase_org(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: OrgErase,
) -> Result<(), CommandError> {
    let (org, name) = (org_of(asked.org)?, asked.name);
    desk.with_people(&call, move |call| {
        call.scope::<right::PrivacyErase>(org)?;
        let directory = call.loader()?.directory();
        let known = directory.tree.get(org).ok_or(LoaderFault::Missing)?;
        let expected = "the organization's name, to show that it is meant";
        if *known.name == *name { Ok(()) } else { Err(CommandError::parameter("name", expected)) }
    })
    .await?;
    tree::delete(desk, call, OrgDelete { org: asked.org }).await
}

/// Complete the erasures of people, for as long as the server runs: those that have begun, and those that a restart
/// interrupted.
pub(crate) async fn follow_erasures(desk: Arc<Desk>) {
    let Ok(people) = desk.people() else { return };
    let loader = people.loader();
    loader.erasures().follow();
    loop {
        let mut has_failed = false;
        for id in loader.leaving() {
            if let Err(error) = complete(&desk, id).await {
                has_failed = true;
                tracing::error!(%error, "the erasure of a person is not complete yet: it is tried again");
            }
        }
        let pause = if has_failed { limits::ERASE_AGAIN } else { Duration::MAX };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = loader.erasures().begun() => {}
        }
    }
}

async fn complete(desk: &Desk, id: PersonRef) -> Result<(), CommandError> {
    let loader = Arc::clone(desk.people()?.loader());
    let failed = |_| CommandError::new(Code::Failed, "a person could not be erased");
    let done: ErasedPerson = tokio::task::spawn_blocking(move || loader.finish_erase(id)).await.map_err(failed)??;
    let mut fleet = desk.fleet.lock();
    done.passed_on.iter().for_each(|(org, device, record)| fleet.put(*org, *device, record));
    done.unshared.iter().for_each(|device| fleet.share(*device, id, None));
    Ok(())
}

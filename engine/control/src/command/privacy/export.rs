//! Exports as archives that stream: one file of them is in memory, and the client's speed is theirs.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::archive::ArchiveSink;
use super::gather::{Gatherer, of_org, of_person};
use crate::access::right;
use crate::audit::{AuditAction, Note, ObjectKind};
use crate::command::call::{RowCall, org_of};
use crate::command::desk::Desk;
use crate::command::request::{MeExport, OrgExport, PrivacyExportBegun};
use crate::command::run::Items;
use crate::{Code, CommandError, limits};

/// The pieces of an archive; ends after the first error.
pub(in crate::command) struct ArchivePieces {
    pieces: mpsc::Receiver<Result<String, CommandError>>,
    _seat: OwnedSemaphorePermit,
}

impl Items for ArchivePieces {
    type Item = String;

    async fn next(&mut self) -> Option<Result<String, CommandError>> {
        self.pieces.recv().await
    }
}

fn begin(
    desk: &Desk,
    call: &Arc<RowCall>,
    name: String,
    gather: impl FnOnce(&Gatherer<'_>) -> Result<(), CommandError> + Send + 'static,
) -> Result<(PrivacyExportBegun, ArchivePieces), CommandError> {
    let busy = |_| {
        let text = format!("{} exports are under way: try again in a minute", limits::EXPORTS);
        CommandError::new(Code::Busy, text).again_in(60_000)
    };
    let seat = Arc::clone(&desk.people()?.exports).try_acquire_owned().map_err(busy)?;
    let none = || CommandError::new(Code::Refused, "this server has no store: there is nothing to export");
    let store = Arc::clone(desk.keep().ok_or_else(none)?.store());
    let (send, pieces) = mpsc::channel(limits::EXPORT_PIECES);
    let begun = PrivacyExportBegun { file: name.clone() };
    call.extras(|extras| {
        extras.media = Some("application/x-tar");
        extras.file_name = Some(name);
    });
    let call = Arc::clone(call);
    tokio::task::spawn_blocking(move || {
        let sink = ArchiveSink::new(send, call.now_ms() / 1_000);
        let gathered =
            call.loader().and_then(|loader| gather(&Gatherer { loader, store: &store, sink: &sink, call: &call }));
        match gathered {
            Ok(()) => drop(sink.end()),
            // The answer has begun: it is cut off, so that nobody takes it for whole.
            Err(error) => sink.cut(error),
        }
    });
    Ok((begun, ArchivePieces { pieces, _seat: seat }))
}

pub(in crate::command) async fn export_me(
    desk: &Desk,
    call: Arc<RowCall>,
    _: MeExport,
) -> Result<(PrivacyExportBegun, ArchivePieces), CommandError> {
    let id = call.myself()?;
    desk.with_people(&call, move |call| {
        let note = Note::new(AuditAction::PrivacyExport, ObjectKind::User, id.1, "");
        Ok(call.loader()?.note_export(call.by(), id.0, note, call.now_ms())?)
    })
    .await?;
    let name = format!("person-{}.tar", id.1);
    begin(desk, &call, name, move |gatherer| of_person(gatherer, id))
}

pub(in crate::command) async fn export_org(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: OrgExport,
) -> Result<(PrivacyExportBegun, ArchivePieces), CommandError> {
    let org = org_of(asked.org)?;
    desk.with_people(&call, move |call| {
        let scope = call.scope::<right::PrivacyExport>(org)?;
        let note = Note::new(AuditAction::PrivacyExport, ObjectKind::Org, org.get(), "");
        Ok(call.loader()?.note_export(call.by(), scope.org(), note, call.now_ms())?)
    })
    .await?;
    let name = format!("organization-{}.tar", org.get());
    begin(desk, &call, name, move |gatherer| of_org(gatherer, org))
}
